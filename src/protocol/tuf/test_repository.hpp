// Purpose: a small TUF repository whose every part a test can make wrong before it is signed.
// Owner: a test. Thread: one. Lifetime: the test's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/crypto.hpp"
#include "base/json.hpp"
#include "protocol/tuf/canonical_form.hpp"

namespace starling::protocol::tuf::test {

struct TestKey {
  explicit TestKey(char seed) : pair(ed25519_key_pair_from(std::string(32, seed)).value()) {}
  JsonObject json() const {
    return {{"keytype", "ed25519"},
            {"scheme", "ed25519"},
            {"keyval", JsonObject{{"public", hex_encode(pair.public_key)}}}};
  }
  std::string id() const { return sha256(canonical_form(json()).value()).hex(); }

  Ed25519KeyPair pair;
};
using TestKeys = std::vector<TestKey>;

inline JsonObject signers(const TestKeys& keys, int threshold = 1) {
  JsonArray ids;
  for (const TestKey& key : keys)
    ids.emplace_back(key.id());
  return {{"keyids", std::move(ids)}, {"threshold", threshold}};
}

inline JsonObject key_table(const TestKeys& keys) {
  JsonObject table;
  for (const TestKey& key : keys)
    table[key.id()] = key.json();
  return table;
}

inline JsonObject signature(const TestKey& key, std::string_view message) {
  return {{"keyid", key.id()}, {"sig", hex_encode(ed25519_sign(key.pair.private_key, message).value())}};
}

inline std::string sign(const JsonObject& content, const TestKeys& keys) {
  const std::string message = canonical_form(content).value();
  JsonArray signatures;
  for (const TestKey& key : keys)
    signatures.emplace_back(signature(key, message));
  return boost::json::serialize(JsonObject{{"signatures", std::move(signatures)}, {"signed", content}});
}

inline JsonObject content_of(std::string_view type, int version = 1) {
  return {
      {"_type", type}, {"spec_version", "1.0.31"}, {"version", version}, {"expires", "2030-01-01T00:00:00Z"}};
}

inline JsonObject target_json(std::string_view bytes) {
  return {{"length", bytes.size()}, {"hashes", JsonObject{{"sha256", sha256(bytes).hex()}}}};
}

inline JsonObject delegation(std::string_view name, const TestKeys& keys, std::string_view pattern,
                             bool terminating = false) {
  JsonObject role = signers(keys);
  role["name"] = name;
  role["paths"] = JsonArray{Json(pattern)};
  role["terminating"] = terminating;
  return role;
}

inline JsonObject delegations(const TestKeys& keys, JsonArray roles) {
  return {{"keys", key_table(keys)}, {"roles", std::move(roles)}};
}

// Day on which its metadata is fresh; all of it expires with the year 2029.
inline constexpr WallTime today{std::chrono::sys_days(std::chrono::year(2026) / 11 / 27)};

struct TestRepository {
  TestRepository() {
    root["consistent_snapshot"] = true;
    TestKeys all;
    for (const TestKeys* keys : {&root_keys, &timestamp_keys, &snapshot_keys, &targets_keys})
      all.insert(all.end(), keys->begin(), keys->end());
    root["keys"] = key_table(all);
    root["roles"] = JsonObject{{"root", signers(root_keys)},
                               {"timestamp", signers(timestamp_keys)},
                               {"snapshot", signers(snapshot_keys)},
                               {"targets", signers(targets_keys)}};
    targets["targets"] = JsonObject{{"app/one.tar", target_json("one")}};
    snapshot["meta"] = JsonObject{{"targets.json", JsonObject{{"version", 1}}}};
    timestamp["meta"] = JsonObject{{"snapshot.json", JsonObject{{"version", 1}}}};
  }

  JsonObject& role(std::string_view name) { return root["roles"].as_object()[name].as_object(); }
  // Lets `keys` sign for a role, and no others.
  void give(std::string_view name, const TestKeys& keys, int threshold = 1) {
    for (const auto& [id, key] : key_table(keys))
      root["keys"].as_object()[id] = key;
    role(name) = signers(keys, threshold);
  }
  JsonObject& listed(std::string_view file) {
    JsonObject& meta = snapshot["meta"].as_object();
    if (!meta.contains(file)) meta[file] = JsonObject{{"version", 1}};
    return meta[file].as_object();
  }
  JsonObject& promised() { return timestamp["meta"].as_object()["snapshot.json"].as_object(); }

  std::string root_file() const { return sign(root, root_keys); }
  std::string timestamp_file() const { return sign(timestamp, timestamp_keys); }
  std::string snapshot_file() const { return sign(snapshot, snapshot_keys); }
  std::string targets_file() const { return sign(targets, targets_keys); }

  TestKeys root_keys{TestKey('r')}, timestamp_keys{TestKey('t')}, snapshot_keys{TestKey('s')},
      targets_keys{TestKey('g')};
  JsonObject root = content_of("root"), timestamp = content_of("timestamp"),
             snapshot = content_of("snapshot"), targets = content_of("targets");
};

}  // namespace starling::protocol::tuf::test
