#include "cli/signing_folder.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>

#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

namespace fs = std::filesystem;
namespace tuf = protocol::tuf;

class SigningTest : public ApplicationTest {
 protected:
  std::string keys() const { return (folder_ / "keys").string(); }
  static JsonObject online_keys() {
    JsonObject keys;
    for (const char* role : {"snapshot", "timestamp", "schedule"})
      keys[role] = tuf::SigningKey::make().public_json();
    return keys;
  }
  // What the hub says of its repository from now on.
  void repository(JsonObject answer) {
    hub().on("GET /api/v1/releases/repository", boost::json::serialize(answer));
  }
  JsonObject last_signed() {
    for (auto asked = hub().asked(); !asked.empty(); asked.pop_back()) {
      if (asked.back().line == "POST /api/v1/releases/sign")
        return parse_json(asked.back().body)->as_object();
    }
    return {};
  }

  TemporaryFolder temporary_;
  fs::path folder_ = temporary_.path();
};

TEST_F(SigningTest, KeysAreForTheirOwnerAlone) {
  SigningFolder folder = SigningFolder::make(keys()).value();
  ASSERT_TRUE(folder.add_key("targets"));
  const tuf::SigningKey key = folder.keys("targets").at(0);
  EXPECT_EQ(SigningFolder::open(keys())->keys("targets").at(0).id, key.id);
  const fs::path file = keys() + "/targets." + key.id.substr(0, 8) + ".key";
  struct stat status {};
  ASSERT_EQ(::stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0600u);
  fs::permissions(file, fs::perms::group_read, fs::perm_options::add);
  EXPECT_EQ(SigningFolder::open(keys()).error().code, ErrorCode::permission_denied);
  fs::permissions(file, fs::perms::owner_read);
  ASSERT_TRUE(write_file_durably(file, "no key\n", 0600));
  EXPECT_EQ(SigningFolder::open(keys()).error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(SigningFolder::open(keys() + "/none").error().code, ErrorCode::not_found);
}

TEST_F(SigningTest, TheRootNamesTheHubsKeysAndTheOperators) {
  const JsonObject online = online_keys();
  repository({{"root", nullptr}, {"targets", nullptr}, {"online_keys", online}, {"drafts", JsonObject()}});
  hub().on("POST /api/v1/releases/sign", "{}");
  const Ran made = run({"keys", "init", "--keys", keys(), "--targets-keys", "3", "--targets-threshold", "2"});
  ASSERT_EQ(made.code, 0) << made.err;
  const JsonObject files = last_signed();
  const auto root = tuf::parse_root(files.at("roots").as_array().at(0).as_string()).value();
  EXPECT_EQ(root.version, 1);
  EXPECT_TRUE(root.consistent_snapshot);
  EXPECT_EQ(root.targets.threshold, 2);
  EXPECT_EQ(root.targets.key_ids.size(), 3u);
  EXPECT_EQ(root.snapshot.key_ids, std::vector{tuf::key_id(online.at("snapshot").as_object()).value()});
  const auto targets = tuf::parse_targets(files.at("targets").as_string()).value();
  EXPECT_TRUE(count_signatures(targets, root.keys, root.targets).enough());
  EXPECT_EQ(targets.delegations.roles.at(0).name, "schedule");
  EXPECT_EQ(run({"keys", "init", "--keys", keys(), "--root-threshold", "2"}).code, 1);
}

// Whatever the hub says is published already, the operator's own root must vouch for it.
TEST_F(SigningTest, AHubThatLiesGetsNoSignature) {
  const JsonObject online = online_keys();
  JsonObject answer{
      {"root", nullptr}, {"targets", nullptr}, {"online_keys", online}, {"drafts", JsonObject()}};
  repository(answer);
  hub().on("POST /api/v1/releases/sign", "{}");
  ASSERT_EQ(run({"keys", "init", "--keys", keys()}).code, 0);
  const JsonObject files = last_signed();
  const std::string honest(files.at("targets").as_string());

  const std::string evil =
      tuf::sign(
          tuf::targets_content(7, std::chrono::sys_days(std::chrono::year(2090) / 1 / 1),
                               {{"releases/v6.6.6/all.tar", tuf::target_json(4, std::string(64, '6'))}}),
          tuf::SigningKeys{tuf::SigningKey::make()})
          .value();
  answer["root"] = files.at("roots").as_array().at(0);
  answer["drafts"] =
      JsonObject{{"releases/v1.0.0/all.tar", JsonObject{{"length", 3},
                                                        {"sha256", std::string(64, '1')},
                                                        {"custom", JsonObject{{"type", "urgent"}}}}}};
  for (const std::string& targets : {evil, honest}) {
    JsonObject lie = answer;
    lie["targets"] = targets;
    FakeHub other;
    other.on("GET /api/v1/releases/repository", boost::json::serialize(lie));
    other.on("GET /api/v1/releases/v1.0.0", "{}");
    other.on("POST /api/v1/releases/sign", "{}");
    const Ran ran = run({"release", "sign", "v1.0.0", "--keys", keys(), "--hub", other.address()});
    EXPECT_EQ(ran.code, targets == honest ? 0 : 1) << ran.err;
    if (targets == evil) {
      EXPECT_NE(ran.err.find("has 0 of the 1 signatures"), std::string::npos) << ran.err;
      continue;
    }
    const auto body = parse_json(other.asked().back().body).value();
    const auto published = tuf::parse_targets(body.at("targets").as_string()).value();
    EXPECT_EQ(published.version, 2);
    EXPECT_EQ(published.targets.at("releases/v1.0.0/all.tar").hashes.at(0).hex, std::string(64, '1'));
  }
}

TEST_F(SigningTest, AFolderIsPackedAndSentWithItsHash) {
  hub().on("PUT /api/v1/releases/v1.0.0/arm64",
           R"({"version":"v1.0.0","architectures":{"arm64":{"state":"draft"}}})", 201);
  const fs::path payload = folder_ / "payload";
  fs::create_directory(payload);
  ASSERT_TRUE(write_file_durably(payload / "client.py", "print('hello')\n"));
  const std::vector<std::string> words = {"v1.0.0", "Bug & fixes", payload.string(), "--architecture",
                                          "arm64"};
  std::vector<std::string> create = {"release", "create", "--packages", "libopus0,sox"};
  create.insert(create.end(), words.begin(), words.end());
  const Ran ran = run(create);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("v1.0.0 for arm64 is a draft"), std::string::npos) << ran.out;
  std::vector<std::string> pack = {"release", "pack", "--packages", "libopus0,sox", "-o", folder_ / "it.tar"};
  pack.insert(pack.end(), words.begin(), words.end());
  ASSERT_EQ(run(pack).code, 0);
  const std::string tar = read_file(folder_ / "it.tar", 1u << 20).value();
  ASSERT_EQ(run({"release", "upload", folder_ / "it.tar"}).code, 0);
  const auto asked = hub().asked();
  ASSERT_EQ(asked.size(), 2u);
  for (const FakeHub::Asked& each : asked) {
    EXPECT_EQ(each.body, tar);
    EXPECT_EQ(each.line, "PUT /api/v1/releases/v1.0.0/arm64?sha256=" + sha256(tar).hex() +
                             "&type=scheduled&description=Bug%20%26%20fixes&packages=libopus0%2Csox");
  }
}

}  // namespace
}  // namespace starling::cli
