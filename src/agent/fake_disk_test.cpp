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
  EXPECT_EQ(disk.read_part("none", 0, 10).error().code, ErrorCode::not_found);
  EXPECT_FALSE(disk.append("none/c", "1", 0644));
  EXPECT_FALSE(disk.sync_file("g/c"));
  ASSERT_TRUE(disk.append("g/c", "0123", 0755));
  ASSERT_TRUE(disk.append("g/c", "4567", 0755));
  ASSERT_TRUE(disk.sync_file("g/c"));
  EXPECT_EQ(*disk.read_part("g/c", 2, 3), "234");
  EXPECT_EQ(*disk.read_part("g/c", 6, 10), "67");
  EXPECT_EQ(*disk.read_part("g/c", 9, 10), "");
  EXPECT_EQ(disk.status("none").error().code, ErrorCode::not_found);
  EXPECT_EQ(disk.status("g/c")->kind, Disk::Status::Kind::file);
  EXPECT_EQ(disk.status("g/c")->mode, 0755u);
  EXPECT_EQ(disk.status("g/c")->size, 8u);
  EXPECT_EQ(disk.status("g")->kind, Disk::Status::Kind::folder);
  EXPECT_EQ(disk.status("link")->kind, Disk::Status::Kind::link);
  EXPECT_GT(*disk.free_bytes(), 0u);
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

TEST(FakeDisk, LosesWhatWasAppendedAndNotSynced) {
  FakeDisk disk(1, FakeDisk::Unsynced::lost);
  ASSERT_TRUE(disk.append("a", "12", 0644));
  ASSERT_TRUE(disk.sync_file("a"));
  ASSERT_TRUE(disk.sync_folder(""));
  ASSERT_TRUE(disk.append("a", "34", 0644));
  EXPECT_EQ(*disk.read_file("a", 9), "1234");
  disk.crash_now();
  disk.restore_power();
  EXPECT_EQ(*disk.read_file("a", 9), "12");
}

TEST(FakeDisk, LeavesPartsOrZerosOfWhatWasNotSynced) {
  bool part = false, zeros = false;
  for (std::uint64_t seed = 1; seed < 50; ++seed) {
    FakeDisk disk(seed, FakeDisk::Unsynced::drawn);
    disk.put("a", "12");
    ASSERT_TRUE(disk.append("a", "34567", 0644));
    disk.crash_now();
    disk.restore_power();
    const std::string left = *disk.read_file("a", 9);
    EXPECT_TRUE(left.starts_with("12"));
    part = part || (left.size() > 2 && left.size() < 7);
    zeros = zeros || left.ends_with('\0');
  }
  EXPECT_TRUE(part && zeros);
}

TEST(FakeDisk, KeepsUnsyncedNamesUnsyncedWhenTheirFolderIsRenamed) {
  FakeDisk disk(1, FakeDisk::Unsynced::lost);
  ASSERT_TRUE(disk.make_folder("f") && disk.write_file("f/synced", "1", 0644));
  ASSERT_TRUE(disk.sync_folder("f") && disk.sync_folder(""));
  ASSERT_TRUE(disk.write_file("f/lost", "1", 0644));
  ASSERT_TRUE(disk.rename("f", "g") && disk.sync_folder(""));
  EXPECT_THAT(*disk.list("g"), ElementsAre("lost", "synced"));
  disk.crash_now();
  disk.restore_power();
  EXPECT_THAT(*disk.list("g"), ElementsAre("synced"));
}

TEST(FakeDisk, RemovesTreesPartly) {
  bool partly = false;
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    FakeDisk disk(seed, FakeDisk::Unsynced::kept);
    ASSERT_TRUE(disk.make_folder("f"));
    for (const char* path : {"f/a", "f/b", "f/c"})
      ASSERT_TRUE(disk.write_file(path, "1", 0644));
    disk.crash_after(1);
    EXPECT_FALSE(disk.remove_tree("f"));
    disk.restore_power();
    const auto left = disk.list("f");
    partly = partly || (left && left->size() < 3);
  }
  EXPECT_TRUE(partly);
}

TEST(FakeDisk, IsFullUntilThereIsRoom) {
  FakeDisk disk;
  disk.full_after(2);
  ASSERT_TRUE(disk.write_file("a", "0123456789", 0644));
  EXPECT_EQ(disk.append("a", "0123456789", 0644).error().code, ErrorCode::unavailable);
  EXPECT_EQ(disk.make_folder("f").error().code, ErrorCode::unavailable);
  EXPECT_EQ(*disk.free_bytes(), 0u);
  EXPECT_EQ(disk.rename("a", "b").error().code, ErrorCode::unavailable);
  EXPECT_EQ(disk.lacked_room(), (std::set<std::string>{"a", "b", "f"}));
  EXPECT_TRUE(disk.remove_tree("a"));
  disk.make_room();
  EXPECT_TRUE(disk.make_folder("f"));
}

TEST(FakeDisk, LosesPowerAtTheNextStepAfterItIsFull) {
  FakeDisk disk;
  disk.full_after(2);
  disk.crash_when_full();
  ASSERT_TRUE(disk.write_file("a", "1", 0644));
  ASSERT_TRUE(disk.sync_folder("") && disk.sync_folder(""));
  EXPECT_EQ(disk.make_folder("f").error().code, ErrorCode::unavailable);
  EXPECT_FALSE(disk.crashed());
  EXPECT_FALSE(disk.remove_tree("f"));
  EXPECT_TRUE(disk.crashed());
  disk.restore_power();
  EXPECT_EQ(disk.make_folder("f").error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace starling::agent
