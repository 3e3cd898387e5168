// Purpose: composes the metadata of a TUF repository and signs it; the other side of metadata.hpp. What it
// writes is the content of "signed", to be signed by whoever holds the keys, also on several machines.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "protocol/tuf/metadata.hpp"

namespace starling::protocol::tuf {

// An Ed25519 key that can sign.
struct SigningKey {
  Ed25519KeyPair pair;
  std::string id;

  static SigningKey make();
  // Errors: invalid_argument.
  static Result<SigningKey> from_private(std::string_view private_key);
  JsonObject public_json() const;
};
using SigningKeys = std::vector<SigningKey>;

// The id of a public key as metadata has it. Errors: invalid_argument.
Result<std::string> key_id(const JsonObject& public_key);

// Whose signatures a role shall need: public keys, and how many of them.
struct RoleKeys {
  std::vector<JsonObject> keys;
  std::int64_t threshold = 1;
};
JsonObject key_table(std::span<const JsonObject> keys);  // by id
JsonObject signers_json(const RoleKeys& role);

// What the content of every kind begins with.
JsonObject content_of(std::string_view type, std::int64_t version, std::chrono::sys_seconds expires);

struct TopRoles {
  RoleKeys root, targets, snapshot, timestamp;
};
JsonObject root_content(std::int64_t version, std::chrono::sys_seconds expires, const TopRoles& roles);

JsonObject target_json(std::uint64_t length, std::string_view sha256_hex, JsonObject custom = {});
struct Delegation {
  std::string name;
  RoleKeys keys;
  std::vector<std::string> paths;
  bool terminating = false;
};
// `targets`: target path → target_json().
JsonObject targets_content(std::int64_t version, std::chrono::sys_seconds expires, JsonObject targets,
                           std::span<const Delegation> delegations = {});

// How another file of metadata is named: by its version, length and hash.
JsonObject file_meta(std::int64_t version, std::string_view bytes);
JsonObject snapshot_content(std::int64_t version, std::chrono::sys_seconds expires,
                            const std::map<std::string, JsonObject>& files);
JsonObject timestamp_content(std::int64_t version, std::chrono::sys_seconds expires, JsonObject snapshot);

// The file: content and signatures. Errors: invalid_argument (it has no canonical form).
Result<std::string> sign(const JsonObject& content, std::span<const SigningKey> keys);
// The same file with further signatures; one that a key has made already is replaced. Errors:
// invalid_argument (no metadata), too_large.
Result<std::string> add_signatures(std::string_view file, std::span<const SigningKey> keys);

std::string date_time_text(std::chrono::sys_seconds time);  // 2030-01-01T00:00:00Z

}  // namespace starling::protocol::tuf
