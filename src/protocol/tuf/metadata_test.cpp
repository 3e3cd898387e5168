#include "protocol/tuf/metadata.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "protocol/tuf/test_repository.hpp"

namespace starling::protocol::tuf {
namespace {

using test::TestKey;
using test::TestRepository;

TEST(TufMetadata, ReadsEveryKind) {
  TestRepository repository;
  const Root root = parse_root(repository.root_file()).value();
  EXPECT_TRUE(root.consistent_snapshot);
  EXPECT_EQ(root.version, 1);
  EXPECT_EQ(root.keys.size(), 4u);
  EXPECT_EQ(root.timestamp.key_ids, std::vector{TestKey('t').id});
  EXPECT_EQ(root.expires, std::chrono::sys_days(std::chrono::year(2030) / 1 / 1));
  EXPECT_EQ(root.signatures.size(), 1u);

  repository.promised() = {{"version", 7}, {"length", 9}, {"hashes", {{"sha256", std::string(64, 'a')}}}};
  const Timestamp timestamp = parse_timestamp(repository.timestamp_file()).value();
  EXPECT_EQ(timestamp.snapshot.version, 7);
  EXPECT_EQ(timestamp.snapshot.length, 9);
  ASSERT_EQ(timestamp.snapshot.hashes.size(), 1u);
  EXPECT_EQ(timestamp.snapshot.hashes[0].hex, std::string(64, 'a'));

  EXPECT_EQ(parse_snapshot(repository.snapshot_file()).value().files.at("targets.json").version, 1);

  repository.targets["delegations"] =
      test::delegations({TestKey('d')}, {test::delegation("voices", {TestKey('d')}, "voices/*", true)});
  repository.targets["targets"].as_object()["app/one.tar"].as_object()["custom"] = {{"arch", "arm64"}};
  const Targets targets = parse_targets(repository.targets_file()).value();
  EXPECT_EQ(targets.targets.at("app/one.tar").length, 3);
  EXPECT_EQ(targets.targets.at("app/one.tar").custom.at("arch"), "arm64");
  ASSERT_EQ(targets.delegations.roles.size(), 1u);
  EXPECT_EQ(targets.delegations.roles[0].name, "voices");
  EXPECT_TRUE(targets.delegations.roles[0].terminating);
}

TEST(TufMetadata, IgnoresButSignsWhatItDoesNotKnow) {
  TestRepository repository;
  repository.timestamp["x-note"] = {{"b", 1}, {"a", {1, 2}}};
  const Timestamp timestamp = parse_timestamp(repository.timestamp_file()).value();
  EXPECT_NE(timestamp.signed_bytes.find(R"("x-note":{"a":[1,2],"b":1})"), std::string::npos);
}

struct Wrong {
  const char* name;
  std::function<void(TestRepository&)> make_wrong;
  const char* says;
};

template <typename Parse>
void expect_refused(const std::vector<Wrong>& cases, const Parse& parse) {
  for (const Wrong& one : cases) {
    TestRepository repository;
    one.make_wrong(repository);
    const auto parsed = parse(repository);
    ASSERT_FALSE(parsed) << one.name;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument) << one.name;
    EXPECT_NE(parsed.error().message.find(one.says), std::string::npos)
        << one.name << ": " << parsed.error().message;
  }
}

TEST(TufMetadata, RefusesAWrongFrame) {
  const std::vector<Wrong> cases = {
      {"type", [](auto& r) { r.timestamp["_type"] = "snapshot"; }, "must be \"timestamp\""},
      {"no type", [](auto& r) { r.timestamp.erase("_type"); }, "_type is missing"},
      {"major version", [](auto& r) { r.timestamp["spec_version"] = "2.0.0"; }, "spec_version"},
      {"one part", [](auto& r) { r.timestamp["spec_version"] = "1"; }, "spec_version"},
      {"four parts", [](auto& r) { r.timestamp["spec_version"] = "1.0.0.0"; }, "spec_version"},
      {"a word", [](auto& r) { r.timestamp["spec_version"] = "1.x"; }, "spec_version"},
      {"version 0", [](auto& r) { r.timestamp["version"] = 0; }, "version must be between"},
      {"negative", [](auto& r) { r.timestamp["version"] = -1; }, "version must be between"},
      {"text", [](auto& r) { r.timestamp["version"] = "1"; }, "version must be a whole number"},
      {"huge", [](auto& r) { r.timestamp["version"] = UINT64_MAX; }, "version must be"},
      {"local time", [](auto& r) { r.timestamp["expires"] = "2030-01-01T00:00:00+00:00"; }, "expires"},
      {"fraction", [](auto& r) { r.timestamp["expires"] = "2030-01-01T00:00:00.0Z"; }, "expires"},
      {"no such day", [](auto& r) { r.timestamp["expires"] = "2030-02-30T00:00:00Z"; }, "expires"},
      {"no such hour", [](auto& r) { r.timestamp["expires"] = "2030-01-01T24:00:00Z"; }, "expires"},
      {"no meta", [](auto& r) { r.timestamp.erase("meta"); }, "meta is missing"},
      {"no snapshot", [](auto& r) { r.timestamp["meta"] = JsonObject(); }, "snapshot.json is missing"},
      {"no version", [](auto& r) { r.promised().erase("version"); }, "version is missing"},
      {"length", [](auto& r) { r.promised()["length"] = -1; }, "length must be between"},
      {"no known hash",
       [](auto& r) {
         r.promised()["hashes"] = {{"md5", "00"}};
       },
       "hashes must have"},
      {"short hash",
       [](auto& r) {
         r.promised()["hashes"] = {{"sha256", "00"}};
       },
       "sha256 must have"},
      {"upper case",
       [](auto& r) {
         r.promised()["hashes"] = {{"sha256", std::string(64, 'A')}};
       },
       "sha256"},
  };
  expect_refused(cases, [](auto& repository) { return parse_timestamp(repository.timestamp_file()); });
}

TEST(TufMetadata, RefusesAWrongRoot) {
  const std::vector<Wrong> cases = {
      {"no roles", [](auto& r) { r.root.erase("roles"); }, "roles is missing"},
      {"no role", [](auto& r) { r.root["roles"].as_object().erase("snapshot"); }, "snapshot is missing"},
      {"no keys", [](auto& r) { r.root.erase("keys"); }, "keys is missing"},
      {"threshold 0", [](auto& r) { r.role("root")["threshold"] = 0; }, "threshold must be between"},
      {"no threshold", [](auto& r) { r.role("root").erase("threshold"); }, "threshold is missing"},
      {"no key ids", [](auto& r) { r.role("root").erase("keyids"); }, "keyids is missing"},
      {"one id twice",
       [](auto& r) {
         r.role("root")["keyids"] = {"a", "a"};
       },
       "names a key twice"},
      {"a key that is none", [](auto& r) { r.root["keys"].as_object()["x"] = 1; }, "must have objects"},
      {"snapshots", [](auto& r) { r.root["consistent_snapshot"] = "yes"; }, "true or false"},
  };
  expect_refused(cases, [](auto& repository) { return parse_root(repository.root_file()); });
}

TEST(TufMetadata, RefusesWrongTargets) {
  const auto role = [](std::string_view name) { return test::delegation(name, {TestKey('d')}, "*"); };
  const auto delegate = [](TestRepository& r, JsonArray roles) {
    r.targets["delegations"] = test::delegations({TestKey('d')}, std::move(roles));
  };
  const std::vector<Wrong> cases = {
      {"no targets", [](auto& r) { r.targets.erase("targets"); }, "targets is missing"},
      {"no hashes",
       [](auto& r) { r.targets["targets"].as_object()["app/one.tar"].as_object().erase("hashes"); },
       "hashes is missing"},
      {"long path",
       [](auto& r) { r.targets["targets"].as_object()[std::string(1025, 'p')] = test::target_json(""); },
       "at most 1024 bytes"},
      {"top-level name", [&](auto& r) { delegate(r, {role("snapshot")}); }, "name of a top-level role"},
      {"no name", [&](auto& r) { delegate(r, {role("")}); }, "must not be empty"},
      {"long name", [&](auto& r) { delegate(r, {role(std::string(81, 'n'))}); }, "at most 80 bytes"},
      {"name twice",
       [&](auto& r) {
         delegate(r, {role("a"), role("a")});
       },
       "must not name a role twice"},
      {"paths and prefixes",
       [&](auto& r) {
         JsonObject both = role("a");
         both["path_hash_prefixes"] = {"00"};
         delegate(r, {both});
       },
       "together with path_hash_prefixes"},
      {"neither",
       [&](auto& r) {
         r.targets["delegations"] = {{"keys", JsonObject()}};
       },
       "succinct_roles"},
      {"bits",
       [&](auto& r) {
         JsonObject bins = test::signers({TestKey('d')});
         bins["bit_length"] = 33;
         bins["name_prefix"] = "bins";
         r.targets["delegations"] = {{"keys", JsonObject()}, {"succinct_roles", bins}};
       },
       "bit_length must be between 1 and 32"},
  };
  expect_refused(cases, [](auto& repository) { return parse_targets(repository.targets_file()); });
}

TEST(TufMetadata, RefusesWhatIsNoMetadata) {
  const std::string digits(4098, '0');
  const std::pair<std::string, const char*> cases[] = {
      {"", "invalid JSON"},
      {"[]", "JSON object"},
      {"{}", "/signed"},
      {R"({"signed":1,"signatures":[]})", "/signed"},
      {R"({"signed":{}})", "/signatures is missing"},
      {R"({"signed":{},"signatures":{}})", "/signatures must be a list"},
      {R"({"signed":{},"signatures":[{"keyid":"a"}]})", "sig is missing"},
      {R"({"signed":{},"signatures":[{"keyid":"a","sig":"00"},{"keyid":"a","sig":"01"}]})", "two of one key"},
      {R"({"signed":{},"signatures":[{"keyid":"a","sig":")" + digits + "\"}]}", "at most 4096"},
      {R"({"signed":{"a":1.5},"signatures":[]})", "whole numbers"},
      {R"({"signed":{"a":1,"a":2},"signatures":[]})", "occurs twice"},
      {"{\"signed\":" + std::string(40, '[') + std::string(40, ']') + ",\"signatures\":[]}", "nested deeper"},
  };
  for (const auto& [text, says] : cases) {
    const auto parsed = parse_root(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, ErrorCode::invalid_argument);
    EXPECT_NE(parsed.error().message.find(says), std::string::npos) << parsed.error().message;
  }
  EXPECT_EQ(parse_timestamp(std::string(max_timestamp_bytes + 1, ' ')).error().code, ErrorCode::too_large);
}

TEST(TufMetadata, AWrongSignatureDoesNotMakeItUnreadable) {
  JsonObject file = parse_json(TestRepository().root_file()).value().as_object();
  file["signatures"].as_array().push_back(JsonObject{{"keyid", "other"}, {"sig", "no signature"}});
  EXPECT_EQ(parse_root(boost::json::serialize(file)).value().signatures.back().bytes, "");
}

}  // namespace
}  // namespace starling::protocol::tuf
