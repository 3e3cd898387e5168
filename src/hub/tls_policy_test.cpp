#include "hub/tls_policy.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/files.hpp"
#include "base/tls.hpp"
#include "hub/store/store_fixture.hpp"

namespace starling::hub {
namespace {

TEST(Tls, PlainOnlyOnLoopbackUnlessAskedFor) {
  const TemporaryFolder folder;
  struct Case {
    const char* host;
    TlsPolicy policy;
    bool served;
    bool tls;
  };
  using Mode = TlsPolicy::Mode;
  const Case cases[] = {
      {"127.0.0.1", {}, true, false},
      {"localhost", {}, true, false},
      {"::1", {}, true, false},
      {"0.0.0.0", {}, true, true},
      {"192.0.2.7", {}, true, true},
      {"127.example.org", {}, true, true},
      {"127.example.org", {Mode::off, {}, {}, false}, false, false},
      {"0.0.0.0", {Mode::off, {}, {}, false}, false, false},
      {"127.0.0.1", {Mode::off, {}, {}, false}, true, false},
      {"0.0.0.0", {Mode::off, {}, {}, true}, true, false},
      {"0.0.0.0", {Mode::automatic, {}, {}, true}, true, false},
      {"127.0.0.1", {Mode::automatic, "/nowhere/cert.pem", {}, false}, false, false},
      {"127.0.0.1", {Mode::automatic, "/nowhere/cert.pem", "/nowhere/key.pem", false}, false, false},
  };
  for (const Case& each : cases) {
    const auto tls = prepare_tls(each.policy, folder.path(), each.host);
    ASSERT_EQ(tls.has_value(), each.served) << each.host;
    if (!tls) continue;
    EXPECT_EQ(tls->identity.has_value(), each.tls) << each.host;
  }
}

TEST(Tls, TheOwnCertificateIsMadeOnceWithABackupKey) {
  const TemporaryFolder folder;
  const auto first = prepare_tls({}, folder.path(), "0.0.0.0");
  const auto second = prepare_tls({}, folder.path(), "0.0.0.0");
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(first->pin, second->pin);
  EXPECT_EQ(first->backup_pin, second->backup_pin);
  EXPECT_NE(first->pin, first->backup_pin);
  for (const char* name : {"key.pem", "backup-key.pem"}) {
    struct stat status {};
    ASSERT_EQ(::stat((folder.path() / "tls" / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600u) << name;
  }
}

TEST(Tls, TheBackupKeyTakesOverUnderThePinThatDevicesKnow) {
  const TemporaryFolder folder;
  EXPECT_FALSE(use_backup_key(folder.path()));
  const auto before = prepare_tls({}, folder.path(), "0.0.0.0");
  EXPECT_EQ(use_backup_key(folder.path()).value_or("none"), before->backup_pin);
  EXPECT_FALSE(use_backup_key(folder.path())) << "once for each start";
  const auto after = prepare_tls({}, folder.path(), "0.0.0.0");
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->pin, before->backup_pin);
  EXPECT_NE(after->backup_pin, before->pin);
  EXPECT_NE(after->backup_pin, before->backup_pin);
}

TEST(Tls, ALostCertificateIsMadeAnewForTheSameKeys) {
  const TemporaryFolder folder;
  const auto before = prepare_tls({}, folder.path(), "0.0.0.0");
  std::filesystem::remove(folder.path() / "tls/certificate.pem");
  const auto after = prepare_tls({}, folder.path(), "0.0.0.0");
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(after->pin, before->pin);
  EXPECT_EQ(after->backup_pin, before->backup_pin);
}

}  // namespace
}  // namespace starling::hub
