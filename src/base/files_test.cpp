#include "base/files.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <utility>

#include "base/temporary_folder.hpp"

namespace starling {
namespace {

namespace fs = std::filesystem;

class FilesTest : public testing::Test {
 protected:
  unsigned mode_of(const fs::path& path) const {
    struct stat status {};
    EXPECT_EQ(stat(path.c_str(), &status), 0);
    return status.st_mode & 07777;
  }
  const TemporaryFolder made_;
  const fs::path folder_ = made_.path();
};

TEST_F(FilesTest, WritesWholeFilesWithTheirMode) {
  const fs::path path = folder_ / "state.json";
  const std::string content(100'000, 'x');
  ASSERT_TRUE(write_file_durably(path, "first", 0600));
  EXPECT_EQ(mode_of(path), 0600u);
  ASSERT_TRUE(write_file_durably(path, content, 0666));
  EXPECT_EQ(mode_of(path), 0666u);
  EXPECT_EQ(read_file(path, 1u << 20).value(), content);
  EXPECT_FALSE(fs::exists(folder_ / "state.json.tmp"));
}

TEST_F(FilesTest, WhatIsNoFileIsNotWaitedForWhereOthersWrite) {
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  ASSERT_EQ(::mknod((folder_ / "socket").c_str(), S_IFSOCK | 0600, 0), 0);
  fs::create_directory(folder_ / "folder");
  fs::create_symlink("link", folder_ / "link");
  constexpr std::pair<const char*, std::string_view> cases[] = {{"pipe", "a pipe, a socket or a device"},
                                                                {"socket", "a pipe, a socket or a device"},
                                                                {"folder", "a folder"},
                                                                {"link", "a link that leads back to itself"}};
  for (const auto& [name, what] : cases) {
    const auto read = read_foreign_file(folder_ / name, 100);
    ASSERT_FALSE(read) << name;
    EXPECT_EQ(read.error().code, ErrorCode::invalid_argument) << name;
    EXPECT_EQ(read.error().message, "reading " + (folder_ / name).string() + ": it is " + std::string(what) +
                                        ", and no file: put a file in its place");
  }
  std::ofstream(folder_ / "file") << "content";
  EXPECT_EQ(read_foreign_file(folder_ / "file", 100).value(), "content");
}

TEST_F(FilesTest, ALeftoverTemporaryFileDoesNotMatter) {
  std::ofstream(folder_ / "other") << "untouched";
  fs::create_symlink(folder_ / "other", folder_ / "state.tmp");
  ASSERT_TRUE(write_file_durably(folder_ / "state", "content"));
  EXPECT_EQ(read_file(folder_ / "state", 100).value(), "content");
  EXPECT_EQ(read_file(folder_ / "other", 100).value(), "untouched");
}

TEST_F(FilesTest, ErrorsNameThePathAndTheCause) {
  const auto missing = read_file(folder_ / "missing", 10);
  EXPECT_EQ(missing.error().code, ErrorCode::not_found);
  EXPECT_NE(missing.error().message.find("missing: No such file"), std::string::npos)
      << missing.error().message;
  EXPECT_EQ(write_file_durably(folder_ / "no" / "file", "x").error().code, ErrorCode::not_found);
  EXPECT_EQ(read_file(folder_, 10).error().code, ErrorCode::io);
  fs::create_directory(folder_ / "taken");
  EXPECT_EQ(write_file_durably(folder_ / "taken", "x").error().code, ErrorCode::io);
  EXPECT_FALSE(fs::exists(folder_ / "taken.tmp"));
}

TEST_F(FilesTest, ListsAFolderByName) {
  for (const char* name : {"b", "a", "c"})
    ASSERT_TRUE(write_file_durably(folder_ / name, ""));
  EXPECT_EQ(list_folder(folder_).value(),
            (std::vector<fs::path>{folder_ / "a", folder_ / "b", folder_ / "c"}));
  EXPECT_EQ(list_folder(folder_ / "none").error().code, ErrorCode::not_found);
  EXPECT_EQ(list_folder(folder_ / "a").error().code, ErrorCode::not_found);
}

TEST_F(FilesTest, ReadsAtMostTheLimit) {
  ASSERT_TRUE(write_file_durably(folder_ / "file", "12345"));
  EXPECT_EQ(read_file(folder_ / "file", 5).value(), "12345");
  EXPECT_EQ(read_file(folder_ / "file", 4).error().code, ErrorCode::too_large);
  EXPECT_FALSE(read_file("/proc/self/status", 1u << 20).value().empty());  // says that it has no size
  EXPECT_EQ(read_file("/dev/zero", 10'000).error().code, ErrorCode::too_large);
}

TEST_F(FilesTest, MakesFoldersThatMayExist) {
  ASSERT_TRUE(make_folders(folder_ / "a" / "b" / "c", 0700));
  EXPECT_EQ(mode_of(folder_ / "a" / "b"), 0700u);
  EXPECT_TRUE(make_folders(folder_ / "a" / "b" / "c"));
  EXPECT_TRUE(fsync_folder(folder_ / "a"));
  ASSERT_TRUE(write_file_durably(folder_ / "file", ""));
  EXPECT_FALSE(make_folders(folder_ / "file"));
  EXPECT_FALSE(make_folders(folder_ / "file" / "below"));
  EXPECT_EQ(fsync_folder(folder_ / "none").error().code, ErrorCode::not_found);
}

TEST_F(FilesTest, ALockHasOneHolder) {
  {
    Result<FileLock> first = FileLock::acquire(folder_ / "lock");
    ASSERT_TRUE(first);
    EXPECT_EQ(FileLock::acquire(folder_ / "lock").error().code, ErrorCode::failed_precondition);
    const FileLock moved = std::move(*first);
    EXPECT_FALSE(FileLock::acquire(folder_ / "lock"));
  }
  EXPECT_TRUE(FileLock::acquire(folder_ / "lock"));
}

}  // namespace
}  // namespace starling
