// Purpose: what a fleet's TUF repository publishes at one moment, and what waits to be signed.
// Owner: shared and immutable; Repository makes a new one with every step. Thread: any. Lifetime: as long as
// somebody reads it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "protocol/release_metadata.hpp"
#include "protocol/tuf/metadata.hpp"

namespace starling::hub {

inline constexpr std::string_view schedule_role = "schedule";
inline constexpr std::string_view schedule_paths = "schedules/*";

// One tar: of one release, for one architecture.
struct ReleaseTar {
  std::uint64_t length = 0;
  std::string sha256;  // hexadecimal
  JsonObject custom;   // what is signed beside: protocol::ReleaseMetadata, and created_at

  bool operator==(const ReleaseTar& other) const = default;
};
using ReleaseTars = std::map<std::string, ReleaseTar, std::less<>>;  // by target path

std::string tar_path(std::string_view version, std::string_view architecture);
struct TarName {
  std::string version, architecture;
};
// "releases/v1.2.3/arm64.tar". Errors: invalid_argument.
Result<TarName> parse_tar_path(std::string_view path);
// Errors: invalid_argument (a target that is no release).
Result<ReleaseTars> release_tars(const protocol::tuf::Targets& targets);
std::string schedule_path(std::string_view version);
std::optional<std::string> parse_schedule_path(std::string_view path);  // "schedules/v1.2.3.json" → v1.2.3

// The files as they are served. Empty before the first root.
struct Chain {
  std::int64_t root_version = 0;
  std::string root, timestamp, snapshot, targets, schedule;
};

struct RepositoryView {
  Chain chain;
  // Of the chain; without meaning while chain.root_version is 0.
  protocol::tuf::Root root;
  protocol::tuf::Timestamp timestamp;
  protocol::tuf::Snapshot snapshot;
  protocol::tuf::Targets targets;
  protocol::tuf::Targets schedule;

  ReleaseTars published;
  ReleaseTars drafts;
  std::map<std::string, JsonObject, std::less<>> schedules;  // version → policy, of what is published
  std::map<std::string, JsonObject> online_keys;  // role → public key; "targets" only with online targets
  bool signs_targets = false;                     // this hub's key alone is enough
  // What came from a backup is signed anew with at least this version: devices may have seen newer ones than
  // the backup has, and refuse to go back. 0: nothing came from one.
  std::int64_t least_version = 0;

  bool begun() const { return chain.root_version > 0; }
  // The version of a role's current metadata. nullopt: there is no such role.
  std::optional<std::int64_t> version_of(std::string_view role) const;
  // The file of a published target that a client asks for: "releases/v1.2.3/HASH.arm64.tar" gives HASH.
  std::optional<std::string> served_hash(std::string_view path) const;
  // What an operator has to do soon.
  std::vector<std::string> alerts(WallTime now) const;
};
using SharedView = std::shared_ptr<const RepositoryView>;

// Errors: those of the parsers, naming the file.
Result<RepositoryView> read_chain(Chain chain);

}  // namespace starling::hub
