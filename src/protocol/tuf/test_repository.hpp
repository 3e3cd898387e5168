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
#include "protocol/tuf/writer.hpp"

namespace starling::protocol::tuf::test {

struct TestKey : SigningKey {
  explicit TestKey(char seed) : SigningKey(from_private(std::string(32, seed)).value()) {}
};
using TestKeys = std::vector<TestKey>;

inline RoleKeys role_keys(const TestKeys& keys, int threshold = 1) {
  RoleKeys role{{}, threshold};
  for (const TestKey& key : keys)
    role.keys.push_back(key.public_json());
  return role;
}
inline JsonObject signers(const TestKeys& keys, int threshold = 1) {
  return signers_json(role_keys(keys, threshold));
}

// Unlike the writer's, this signs twice with the same key if it is told to.
inline std::string sign(const JsonObject& content, const TestKeys& keys) {
  const std::string message = canonical_form(content).value();
  JsonArray signatures;
  for (const TestKey& key : keys) {
    signatures.push_back(JsonObject{
        {"keyid", key.id}, {"sig", hex_encode(ed25519_sign(key.pair.private_key, message).value())}});
  }
  return boost::json::serialize(JsonObject{{"signatures", std::move(signatures)}, {"signed", content}});
}

inline JsonObject content_of(std::string_view type, int version = 1) {
  return tuf::content_of(type, version, std::chrono::sys_days(std::chrono::year(2030) / 1 / 1));
}

inline JsonObject target_json(std::string_view bytes) {
  return tuf::target_json(bytes.size(), sha256(bytes).hex());
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
  return {{"keys", key_table(role_keys(keys).keys)}, {"roles", std::move(roles)}};
}

// Day on which its metadata is fresh; all of it expires with the year 2029.
inline constexpr WallTime today{std::chrono::sys_days(std::chrono::year(2026) / 11 / 27)};

struct TestRepository {
  TestRepository() {
    targets["targets"] = JsonObject{{"app/one.tar", target_json("one")}};
    snapshot["meta"] = JsonObject{{"targets.json", JsonObject{{"version", 1}}}};
    timestamp["meta"] = JsonObject{{"snapshot.json", JsonObject{{"version", 1}}}};
  }

  JsonObject& role(std::string_view name) { return root["roles"].as_object()[name].as_object(); }
  // Lets `keys` sign for a role, and no others.
  void give(std::string_view name, const TestKeys& keys, int threshold = 1) {
    for (const auto& [id, key] : key_table(role_keys(keys).keys))
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
  JsonObject root = root_content(1, std::chrono::sys_days(std::chrono::year(2030) / 1 / 1),
                                 {.root = role_keys(root_keys),
                                  .targets = role_keys(targets_keys),
                                  .snapshot = role_keys(snapshot_keys),
                                  .timestamp = role_keys(timestamp_keys)});
  JsonObject timestamp = content_of("timestamp"), snapshot = content_of("snapshot"),
             targets = content_of("targets");
};

}  // namespace starling::protocol::tuf::test
