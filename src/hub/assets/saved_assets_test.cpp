#include "hub/assets/saved_assets.hpp"

#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"

namespace starling::hub {
namespace {

namespace fs = std::filesystem;

class SavedAssets : public testing::Test {
 protected:
  fs::path place_of(const std::string& content) const {
    return data_ / "assets/default" / sha256(content).hex();
  }
  void have(const std::string& content) const {
    ASSERT_TRUE(make_folders(data_ / "assets/default/uploads"));
    ASSERT_TRUE(write_file_durably(place_of(content), content));
  }
  std::string there(const std::string& content) const {
    return read_file(place_of(content), 100).value_or("nothing");
  }

  TemporaryFolder temporary_;
  fs::path data_ = temporary_.path() / "data";
  fs::path saved_ = saved_assets_of(temporary_.path() / "hub.backup");
};

TEST_F(SavedAssets, ComeBackWhereTheyAreLostOrDamaged) {
  for (const char* content : {"moo", "baa", "oink"})
    have(content);
  ASSERT_TRUE(write_file_durably(data_ / "assets/default/uploads/x.part", "half"));
  ASSERT_TRUE(back_up_assets(data_, saved_));
  EXPECT_FALSE(fs::exists(saved_ / "default/uploads"));
  EXPECT_EQ(back_up_assets(data_, saved_).error().code, ErrorCode::already_exists);

  fs::remove(place_of("moo"));
  ASSERT_TRUE(write_file_durably(place_of("baa"), "bah"));
  have("new");
  ASSERT_TRUE(restore_assets(saved_, data_));
  for (const char* content : {"moo", "baa", "oink", "new"})
    EXPECT_EQ(there(content), content);

  fs::remove_all(data_);
  ASSERT_TRUE(restore_assets(saved_, data_));
  EXPECT_EQ(there("oink"), "oink");
}

TEST_F(SavedAssets, OneThatIsDamagedInTheBackupIsNotPutInPlace) {
  have("moo");
  ASSERT_TRUE(back_up_assets(data_, saved_));
  ASSERT_TRUE(write_file_durably(saved_ / "default" / sha256("moo").hex(), "mew"));
  ASSERT_TRUE(restore_assets(saved_, data_)) << "what is whole needs no backup";
  fs::remove_all(data_);
  const auto refused = restore_assets(saved_, data_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::corrupted);
  EXPECT_EQ(there("moo"), "nothing");
}

TEST_F(SavedAssets, OneThatIsDamagedIsNotBackedUp) {
  have("moo");
  ASSERT_TRUE(write_file_durably(place_of("moo"), "mew"));
  EXPECT_EQ(back_up_assets(data_, saved_).error().code, ErrorCode::corrupted);
  EXPECT_TRUE(fs::is_empty(temporary_.path()) || !fs::exists(saved_));
}

TEST_F(SavedAssets, AreNoneWhereThereAreNone) {
  ASSERT_TRUE(make_folders(data_));
  ASSERT_TRUE(back_up_assets(data_, saved_));
  EXPECT_FALSE(fs::exists(saved_));
  EXPECT_TRUE(restore_assets(saved_, data_));
}

}  // namespace
}  // namespace starling::hub
