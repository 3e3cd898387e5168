#include "hub/saved_secrets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "hub/tls_policy.hpp"

namespace starling::hub {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class SavedSecrets : public testing::Test {
 protected:
  SavedSecrets() {
    pin_ = make_tls(data_);
    write(data_ / "admin.key", "sk_first\n");
    write(data_ / "webhook.secret", "whsec_first\n");
  }
  static void write(const fs::path& file, const std::string& content) {
    EXPECT_TRUE(make_folders(file.parent_path()));
    EXPECT_TRUE(write_file_durably(file, content));
  }
  // The pin.
  static std::string make_tls(const fs::path& data) {
    const auto tls = prepare_tls({}, data, "0.0.0.0");
    EXPECT_TRUE(tls);
    return tls ? tls->pin : "";
  }
  static std::string text(const fs::path& file) { return read_file(file, 10'000).value_or("nothing"); }
  std::vector<std::string> restore(const fs::path& data) const {
    EXPECT_TRUE(make_folders(data));
    EXPECT_TRUE(stage_secrets(saved_, data));
    const auto restored = put_staged_secrets(data);
    EXPECT_TRUE(restored);
    std::vector<std::string> told;
    for (const auto& [name, former] : restored.value_or(std::vector<RestoredSecret>()))
      told.push_back(name + " " + former.filename().string());
    EXPECT_FALSE(fs::exists(data / "secrets.restoring"));
    return told;
  }

  TemporaryFolder temporary_;
  fs::path data_ = temporary_.path() / "data";
  fs::path saved_ = saved_secrets_of(temporary_.path() / "hub.backup");
  std::string pin_;
};

TEST_F(SavedSecrets, AreTheOwnersAlone) {
  ASSERT_TRUE(back_up_secrets(data_, saved_));
  EXPECT_EQ(fs::status(saved_).permissions(), fs::perms::owner_all);
  for (const char* file :
       {"tls/key.pem", "tls/backup-key.pem", "tls/certificate.pem", "admin.key", "webhook.secret"}) {
    EXPECT_EQ(text(saved_ / file), text(data_ / file)) << file;
    EXPECT_EQ(fs::status(saved_ / file).permissions(), fs::perms::owner_read | fs::perms::owner_write)
        << file;
  }
  EXPECT_EQ(back_up_secrets(data_, saved_).error().code, ErrorCode::already_exists);
}

TEST_F(SavedSecrets, MakeAnotherFolderTheSameHub) {
  ASSERT_TRUE(back_up_secrets(data_, saved_));
  const fs::path other = temporary_.path() / "other";
  EXPECT_THAT(restore(other), ElementsAre("tls ", "admin.key ", "webhook.secret "));
  EXPECT_EQ(make_tls(other), pin_);
  EXPECT_EQ(text(other / "admin.key"), "sk_first\n");
  EXPECT_EQ(fs::status(other / "tls/key.pem").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_THAT(restore(other), IsEmpty()) << "they are the same";
}

TEST_F(SavedSecrets, ThoseBeforeAreKept) {
  ASSERT_TRUE(back_up_secrets(data_, saved_));
  const fs::path other = temporary_.path() / "other";
  const std::string other_pin = make_tls(other);
  const std::string key = text(other / "tls/key.pem");
  write(other / "admin.key", "sk_other\n");
  write(other / "webhook.secret", "whsec_first\n");
  EXPECT_THAT(restore(other), ElementsAre("tls tls.replaced-1", "admin.key admin.key.replaced-1"));
  EXPECT_NE(other_pin, pin_);
  EXPECT_EQ(make_tls(other), pin_);
  EXPECT_EQ(text(other / "tls.replaced-1/key.pem"), key);
  EXPECT_EQ(text(other / "admin.key.replaced-1"), "sk_other\n");
  write(other / "admin.key", "sk_third\n");
  EXPECT_THAT(restore(other), ElementsAre("admin.key admin.key.replaced-2"));
}

TEST_F(SavedSecrets, WhatAHubDoesNotHaveIsLeftOut) {
  fs::remove_all(data_ / "tls");
  fs::remove(data_ / "webhook.secret");
  ASSERT_TRUE(back_up_secrets(data_, saved_));
  EXPECT_THAT(missing_secrets(saved_), ElementsAre("tls", "webhook.secret"));
  const fs::path other = temporary_.path() / "other";
  const std::string other_pin = make_tls(other);
  EXPECT_THAT(restore(other), ElementsAre("admin.key "));
  EXPECT_EQ(make_tls(other), other_pin);
}

TEST_F(SavedSecrets, DamageIsFoundBeforeAnythingHasChanged) {
  ASSERT_TRUE(back_up_secrets(data_, saved_));
  const fs::path other = temporary_.path() / "other";
  const std::string key = text(saved_ / "tls/key.pem");
  make_tls(other);
  for (const std::string& wrong : {key.substr(0, key.size() / 2), text(other / "tls/key.pem")}) {
    write(saved_ / "tls/key.pem", wrong);
    const auto staged = stage_secrets(saved_, data_);
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().code, ErrorCode::corrupted);
    const auto restored = put_staged_secrets(data_);
    ASSERT_TRUE(restored);
    EXPECT_TRUE(restored->empty());
    EXPECT_EQ(make_tls(data_), pin_);
  }
}

TEST_F(SavedSecrets, AnEarlierBackupHasNone) {
  EXPECT_TRUE(restore(data_).empty());
  EXPECT_EQ(make_tls(data_), pin_);
}

}  // namespace
}  // namespace starling::hub
