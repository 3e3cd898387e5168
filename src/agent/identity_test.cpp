#include "agent/identity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/fake_disk.hpp"
#include "base/uuid.hpp"

namespace starling::agent {
namespace {

// As a full disk is: everything can be read.
class ReadOnlyDisk final : public Disk {
 public:
  explicit ReadOnlyDisk(Disk& disk) : disk_(disk) {}
  Result<std::string> read_file(std::string_view path, std::size_t max_bytes) override {
    return disk_.read_file(path, max_bytes);
  }
  Result<std::string> read_link(std::string_view path) override { return disk_.read_link(path); }
  Result<std::vector<std::string>> list(std::string_view folder) override { return disk_.list(folder); }
  Result<std::string> read_part(std::string_view path, std::uint64_t offset, std::size_t max_bytes) override {
    return disk_.read_part(path, offset, max_bytes);
  }
  Result<Status> status(std::string_view path) override { return disk_.status(path); }
  Result<std::uint64_t> free_bytes() override { return 0; }
  Result<void> write_file(std::string_view, std::string_view, unsigned) override { return full(); }
  Result<void> append(std::string_view, std::string_view, unsigned) override { return full(); }
  Result<void> sync_file(std::string_view) override { return full(); }
  Result<void> make_folder(std::string_view) override { return full(); }
  Result<void> make_link(std::string_view, std::string_view) override { return full(); }
  Result<void> rename(std::string_view, std::string_view) override { return full(); }
  Result<void> remove_tree(std::string_view) override { return full(); }
  Result<void> sync_folder(std::string_view) override { return full(); }

 private:
  static Result<void> full() { return fail(ErrorCode::io, "no space left on device"); }
  Disk& disk_;
};

struct IdentityTest : testing::Test {
  Identity load(std::string_view serial) {
    auto identity = Identity::load(disk, maker, serial, Logger());
    EXPECT_TRUE(identity) << (identity ? "" : identity.error().message);
    return std::move(*identity);
  }
  FakeDisk disk{1, FakeDisk::Unsynced::lost};
  ManualClock clock;
  RandomIdentityMaker maker{clock};
};

TEST_F(IdentityTest, IsMadeOnceAndKept) {
  const Identity first = load("board-1");
  EXPECT_TRUE(is_uuid(first.device_id()));
  EXPECT_EQ(first.start_count(), 1);
  disk.crash_now();
  disk.restore_power();
  const Identity second = load("board-1");
  EXPECT_EQ(second.device_id(), first.device_id());
  EXPECT_EQ(second.public_key(), first.public_key());
  EXPECT_EQ(second.start_count(), 2);
  EXPECT_TRUE(second.cloned_from().empty());
  EXPECT_TRUE(ed25519_verify(first.public_key(), "text", *second.sign("text")));
}

TEST_F(IdentityTest, WhatTheHubWasToldIsKeptForThisDeviceOnly) {
  const JsonObject facts{{"timezone", "UTC"}, {"metadata", JsonObject{{"os", "12"}}}};
  Identity first = load("board-1");
  EXPECT_EQ(first.untold(facts), facts);
  ASSERT_TRUE(first.save_told(disk, facts));
  disk.crash_now();
  disk.restore_power();
  const Identity second = load("board-1");
  EXPECT_EQ(second.untold(facts), JsonObject());
  EXPECT_EQ(second.untold({{"timezone", "UTC"}, {"metadata", JsonObject{{"os", "13"}}}}),
            (JsonObject{{"metadata", JsonObject{{"os", "13"}}}}));
  EXPECT_EQ(load("board-2").untold(facts), facts) << "a copy is another device";
  ASSERT_TRUE(replace_file(disk, Identity::told_path, "{torn", 0600));
  EXPECT_EQ(load("board-2").untold(facts), facts);
}

TEST_F(IdentityTest, WhoHasEnrolledAndLostWhatItToldDoesNotUndoARenameAtTheHub) {
  const JsonObject facts{{"device_name", "host"}, {"metadata", JsonObject{{"os", "12"}}}};
  ASSERT_TRUE(load("board-1").save_token(disk, "secret"));
  Identity later = load("board-1");
  EXPECT_EQ(later.untold(facts), (JsonObject{{"metadata", JsonObject{{"os", "12"}}}}));
  ASSERT_TRUE(later.save_told(disk, facts));
  EXPECT_EQ(later.untold({{"device_name", "other"}}), (JsonObject{{"device_name", "other"}}));
}

TEST_F(IdentityTest, ACopyOnAnotherBoardBecomesADeviceOfItsOwn) {
  Identity original = load("board-1");
  ASSERT_TRUE(original.save_token(disk, "secret"));
  const Identity copy = load("board-2");
  EXPECT_NE(copy.device_id(), original.device_id());
  EXPECT_NE(copy.public_key(), original.public_key());
  EXPECT_EQ(copy.cloned_from(), original.device_id());
  EXPECT_TRUE(copy.token().empty());
  EXPECT_TRUE(disk.content("identity-of-" + original.device_id() + ".json"));
  const Identity again = load("board-2");
  EXPECT_EQ(again.device_id(), copy.device_id());
  EXPECT_EQ(again.cloned_from(), original.device_id());
}

TEST_F(IdentityTest, ABoardWithoutSerialIsNoCopy) {
  const Identity first = load("");
  EXPECT_EQ(load("board-1").device_id(), first.device_id());
  EXPECT_EQ(load("").device_id(), first.device_id());
}

TEST_F(IdentityTest, KeepsTheToken) {
  ASSERT_TRUE(load("b").save_token(disk, "secret"));
  EXPECT_EQ(load("b").token(), "secret");
}

TEST_F(IdentityTest, ADamagedFileNeedsAPerson) {
  for (const std::string content : {"", "{}", "[]", R"({"device_id":"x"})"}) {
    SCOPED_TRACE(content);
    disk.put(Identity::path, content);
    const auto identity = Identity::load(disk, maker, "b", Logger());
    ASSERT_FALSE(identity);
    EXPECT_EQ(identity.error().code, ErrorCode::corrupted);
    EXPECT_THAT(identity.error().message, testing::HasSubstr("remove it to enrol"));
    EXPECT_EQ(disk.content(Identity::path), content);
  }
}

TEST_F(IdentityTest, ADiskThatTakesNothingMoreStopsOnlyANewDevice) {
  FakeDisk full;
  full.crash_after(1);
  EXPECT_FALSE(Identity::load(full, maker, "b", Logger()));
  const Identity known = load("b");
  ReadOnlyDisk read_only(disk);
  const auto identity = Identity::load(read_only, maker, "b", Logger());
  ASSERT_TRUE(identity) << identity.error().message;
  EXPECT_EQ(identity->device_id(), known.device_id());
  EXPECT_EQ(identity->start_count(), 2);
}

TEST_F(IdentityTest, APowerFailureLeavesOneIdentity) {
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    FakeDisk torn(seed);
    torn.crash_after(seed % 4 + 1);
    (void)Identity::load(torn, maker, "b", Logger());
    torn.restore_power();
    const auto identity = Identity::load(torn, maker, "b", Logger());
    ASSERT_TRUE(identity) << identity.error().message;
    EXPECT_EQ(Identity::load(torn, maker, "b", Logger())->device_id(), identity->device_id());
  }
}

}  // namespace
}  // namespace starling::agent
