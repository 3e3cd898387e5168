// The fake disk and the real one keep the same promises.
#include "agent/fake_disk.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "agent/posix_disk.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;

void behaves_like_a_disk(Disk& disk) {
  EXPECT_EQ(disk.read_file("none", 10).error().code, ErrorCode::not_found);
  ASSERT_TRUE(disk.write_file("a", "one", 0600));
  ASSERT_TRUE(disk.write_file("a", "two", 0600));
  EXPECT_EQ(*disk.read_file("a", 10), "two");
  EXPECT_EQ(disk.read_file("a", 2).error().code, ErrorCode::too_large);
  ASSERT_TRUE(disk.make_folder("f"));
  ASSERT_TRUE(disk.make_folder("f"));
  ASSERT_TRUE(disk.write_file("f/b", "three", 0644));
  EXPECT_FALSE(disk.write_file("none/b", "three", 0644));
  ASSERT_TRUE(replace_link(disk, "link", "f/b"));
  ASSERT_TRUE(replace_link(disk, "link", "a"));
  EXPECT_EQ(*disk.read_link("link"), "a");
  EXPECT_EQ(disk.read_link("none").error().code, ErrorCode::not_found);
  ASSERT_TRUE(disk.rename("f", "g"));
  EXPECT_EQ(*disk.read_file("g/b", 10), "three");
  EXPECT_THAT(*disk.list(""), ElementsAre("a", "g", "link"));
  EXPECT_THAT(*disk.list("g"), ElementsAre("b"));
  EXPECT_FALSE(disk.list("f"));
  ASSERT_TRUE(disk.remove_tree("g"));
  ASSERT_TRUE(disk.remove_tree("g"));
  ASSERT_TRUE(disk.sync_folder(""));
  EXPECT_THAT(*disk.list(""), ElementsAre("a", "link"));
}

TEST(Disks, FakeOneBehaves) {
  FakeDisk disk;
  behaves_like_a_disk(disk);
}

TEST(Disks, RealOneBehaves) {
  const auto folder = std::filesystem::temp_directory_path() / ("starling-disk-" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  PosixDisk disk(folder);
  behaves_like_a_disk(disk);
  struct stat status {};
  ASSERT_EQ(::stat((folder / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  std::filesystem::remove_all(folder);
}

TEST(FakeDisk, LosesNamesThatWereNotSynced) {
  FakeDisk disk(1, FakeDisk::Unsynced::lost);
  ASSERT_TRUE(disk.write_file("synced", "1", 0644));
  ASSERT_TRUE(disk.sync_folder(""));
  ASSERT_TRUE(disk.write_file("synced", "2", 0644));  // content is synced by itself
  ASSERT_TRUE(disk.write_file("lost", "1", 0644));
  ASSERT_TRUE(disk.rename("synced", "moved"));
  disk.crash_now();
  EXPECT_EQ(disk.read_file("synced", 9).error().code, ErrorCode::io);
  disk.restore_power();
  EXPECT_THAT(*disk.list(""), ElementsAre("synced"));
  EXPECT_EQ(*disk.read_file("synced", 9), "2");
}

TEST(FakeDisk, CrashesAtTheStepThatWasAskedFor) {
  FakeDisk disk(1, FakeDisk::Unsynced::kept);
  disk.crash_after(2);
  ASSERT_TRUE(disk.write_file("a", "1", 0644));
  EXPECT_FALSE(disk.make_folder("f"));
  EXPECT_FALSE(disk.make_folder("g"));
  disk.restore_power();
  EXPECT_THAT(*disk.list(""), ElementsAre("a"));
}

TEST(FakeDisk, TearsTheFileThatIsBeingWritten) {
  bool torn = false;
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    FakeDisk disk(seed, FakeDisk::Unsynced::kept);
    disk.crash_after(1);
    EXPECT_FALSE(disk.write_file("a", "0123456789", 0644));
    disk.restore_power();
    const std::string content = *disk.read_file("a", 100);
    EXPECT_TRUE(std::string_view("0123456789").starts_with(content));
    torn = torn || content.size() < 10;
  }
  EXPECT_TRUE(torn);
}

}  // namespace
}  // namespace starling::agent
