// Purpose: what the metadata of a TUF repository says (specification 1.0.x, section 4), read within limits.
// Nothing here is trusted: TrustedMetadata says when it is.
// Owner: values. Thread: any. Lifetime: none.
//
// Fields that are not known are ignored, but signatures cover them. A name or key id that occurs twice, a
// number with a fraction, and another major version of the specification are errors.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "protocol/tuf/key.hpp"

namespace starling::protocol::tuf {

// How large each kind may be, also where other metadata says more.
inline constexpr std::size_t max_root_bytes = 256u << 10;
inline constexpr std::size_t max_timestamp_bytes = 16u << 10;
inline constexpr std::size_t max_snapshot_bytes = 1u << 20;
inline constexpr std::size_t max_targets_bytes = 2u << 20;

// Names of roles become names of files, with each byte in up to three and an ending.
inline constexpr std::size_t max_role_name_bytes = 80;
inline constexpr std::size_t max_target_path_bytes = 1024;

struct Hash {
  HashAlgorithm algorithm;
  std::string hex;  // lower case
};
using Hashes = std::vector<Hash>;  // those of known algorithms

// What all metadata has.
struct Envelope {
  std::int64_t version = 0;
  std::chrono::sys_seconds expires{};
  std::vector<Signature> signatures;  // each key id once
  std::string signed_bytes;           // canonical
};

struct Root : Envelope {
  bool consistent_snapshot = false;
  Keys keys;
  Signers root, timestamp, snapshot, targets;
};

// What one file of metadata says about another.
struct FileMeta {
  std::int64_t version = 0;
  std::optional<std::int64_t> length;
  Hashes hashes;  // none: the version alone identifies the file
};

struct Timestamp : Envelope {
  FileMeta snapshot;
};

struct Snapshot : Envelope {
  std::map<std::string, FileMeta, std::less<>> files;  // by name: "targets.json"
};

struct TargetFile {
  std::int64_t length = 0;
  Hashes hashes;  // empty if no algorithm is known: then the file cannot be had
  JsonObject custom;
};

struct DelegatedRole {
  std::string name;
  Signers signers;
  bool terminating = false;
  std::vector<std::string> paths;               // patterns; or:
  std::vector<std::string> path_hash_prefixes;  // of the target path's SHA-256
};

// Bins by hash (TAP 15): the bin's number and the name prefix are the name of its role.
struct SuccinctRoles {
  Signers signers;
  int bit_length = 0;  // 1 to 32
  std::string name_prefix;
};

struct Delegations {
  Keys keys;
  std::vector<DelegatedRole> roles;  // in order of priority; or:
  std::optional<SuccinctRoles> succinct_roles;
};

struct Targets : Envelope {
  std::map<std::string, TargetFile, std::less<>> targets;  // by target path
  Delegations delegations;
};

// Errors: invalid_argument (naming the field), too_large.
Result<Root> parse_root(std::string_view bytes);
Result<Timestamp> parse_timestamp(std::string_view bytes);
Result<Snapshot> parse_snapshot(std::string_view bytes);
Result<Targets> parse_targets(std::string_view bytes);

}  // namespace starling::protocol::tuf
