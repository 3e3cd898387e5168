// Purpose: the files of a fleet's TUF repository as operators compose and sign them: root.json, which says
// whose keys count, and targets.json, which names the releases. The hub's word counts for nothing here but
// what its own keys are and which drafts it has. Owner: the command. Thread: one. Lifetime: the command's.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.hpp"
#include "cli/signing_folder.hpp"

namespace starling::cli {

// What the hub says of the fleet's repository.
struct Repository {
  std::optional<std::string> root, targets;       // files
  std::map<std::string, JsonObject> online_keys;  // role → public key
  bool signs_targets = false;
  std::int64_t least_version = 0;  // of what is signed next, after a backup was restored there
  JsonObject drafts;               // target path → length, sha256, custom
};
Result<Repository> ask_repository(Session& session);

// A file in the making: its content and who has to sign it.
struct Signable {
  JsonObject content;
  protocol::tuf::SigningKeys keys;  // of this operator
};

struct RootWish {
  protocol::tuf::TopRoles roles;
  std::int64_t version = 1;
};
// The roles as a root.json has them. Errors: those of parse_root.
Result<RootWish> read_root(std::string_view file);
JsonObject root_of(const RootWish& wish, WallTime now);

// The targets of `present` (which this operator's root vouches for) with these drafts; delegates the schedule
// to the hub. Errors: unauthenticated (they are not signed as the root demands), not_found (no such draft).
Result<JsonObject> targets_of(const Repository& repository, const std::optional<std::string>& trusted_root,
                              const std::vector<std::string>& versions, WallTime now);

// Signs, and publishes what has all its signatures; else leaves the files in FOLDER/next for the others, and
// says what to do with them. The new root is kept as the trusted one.
struct Publication {
  std::optional<Signable> root;
  std::optional<Signable> targets;
};
Result<ExitCode> sign_and_publish(Session& session, SigningFolder& folder, const Publication& publication);

// Publishes files that are signed. Errors: those of the hub.
Result<void> publish(Session& session, const std::optional<std::string>& root,
                     const std::optional<std::string>& targets);

}  // namespace starling::cli
