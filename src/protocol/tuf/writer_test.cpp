#include "protocol/tuf/writer.hpp"

#include <gtest/gtest.h>

#include "protocol/tuf/test_repository.hpp"
#include "protocol/tuf/trusted_metadata.hpp"

namespace starling::protocol::tuf {
namespace {

using test::TestKey;

const std::chrono::sys_seconds later = std::chrono::sys_days(std::chrono::year(2030) / 2 / 3);

// What a client that follows the whole workflow says about it.
TEST(TufWriter, WritesWhatAClientTrusts) {
  const TestKey r('r'), g('g'), s('s'), t('t'), d('d');
  const auto role = [](const TestKey& key) { return RoleKeys{{key.public_json()}, 1}; };
  const std::string root =
      sign(root_content(1, later, {role(r), role(g), role(s), role(t)}), std::vector<SigningKey>{r}).value();
  const std::vector<Delegation> delegations = {{"schedule", role(d), {"schedules/*"}, true}};
  const std::string hash = sha256("tar").hex();
  JsonObject one{{"releases/v1.0.0/all.tar", target_json(3, hash, {{"description", "Grüße \"\\\n"}})}};
  const std::string targets =
      sign(targets_content(4, later, one, delegations), std::vector<SigningKey>{g}).value();
  const std::string schedule =
      sign(targets_content(2, later, {{"schedules/v1.0.0.json", target_json(0, sha256("").hex())}}),
           std::vector<SigningKey>{d})
          .value();
  const std::map<std::string, JsonObject> files = {{"targets.json", file_meta(4, targets)},
                                                   {"schedule.json", file_meta(2, schedule)}};
  const std::string snapshot = sign(snapshot_content(7, later, files), std::vector<SigningKey>{s}).value();
  const std::string timestamp =
      sign(timestamp_content(9, later, file_meta(7, snapshot)), std::vector<SigningKey>{t}).value();

  auto trusted = TrustedMetadata::from_root(root, test::today).value();
  EXPECT_TRUE(trusted.root().consistent_snapshot);
  ASSERT_TRUE(trusted.update_timestamp(timestamp));
  ASSERT_TRUE(trusted.update_snapshot(snapshot));
  const auto top = trusted.check_targets("targets", targets, trusted.root().keys, trusted.root().targets);
  ASSERT_TRUE(top) << top.error().message;
  EXPECT_EQ(top->targets.at("releases/v1.0.0/all.tar").custom.at("description"), Json("Grüße \"\\\n"));
  const Delegations& given = top->delegations;
  EXPECT_TRUE(given.roles.at(0).terminating);
  EXPECT_TRUE(trusted.check_targets("schedule", schedule, given.keys, given.roles.at(0).signers));
}

TEST(TufWriter, SignaturesOfSeveralMachinesComeTogether) {
  const TestKey a('a'), b('b');
  const JsonObject content = targets_content(1, later, {});
  const std::string none = sign(content, {}).value();
  const std::string first = add_signatures(none, std::vector<SigningKey>{a}).value();
  const std::string both = add_signatures(first, std::vector<SigningKey>{b, a}).value();
  const Targets read = parse_targets(both).value();
  EXPECT_EQ(read.signatures.size(), 2);
  Keys keys;
  for (const TestKey* key : {&a, &b})
    keys.emplace(key->id, key_from_json(key->id, key->public_json()));
  EXPECT_TRUE(check_signatures("it", read.signed_bytes, read.signatures, keys, {{a.id, b.id}, 2}));
  for (const char* bad :
       {"", "[]", "{}", R"({"signed":1,"signatures":[]})", R"({"signed":{"a":1.5},"signatures":[]})"})
    EXPECT_FALSE(add_signatures(bad, std::vector<SigningKey>{a})) << bad;
}

TEST(TufWriter, ChangedKeysHaveOtherIds) {
  EXPECT_EQ(SigningKey::from_private(std::string(32, 'a'))->id, TestKey('a').id);
  EXPECT_NE(SigningKey::make().id, SigningKey::make().id);
  EXPECT_FALSE(SigningKey::from_private("short"));
}

}  // namespace
}  // namespace starling::protocol::tuf
