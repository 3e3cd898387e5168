// Purpose: the keys that a hub signs with by itself, each in a file that only it can read.
// Owner: Repository. Thread: any. Lifetime: the repository's.
#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "protocol/tuf/writer.hpp"

namespace starling::hub {

struct OnlineKeys {
  protocol::tuf::SigningKey snapshot, timestamp, schedule;
  std::optional<protocol::tuf::SigningKey> targets;  // only if it was asked for

  // Makes those that are missing. Errors: corrupted (a file holds no key), those of base/files.
  static Result<OnlineKeys> load(const std::filesystem::path& folder, bool with_targets);
};

}  // namespace starling::hub
