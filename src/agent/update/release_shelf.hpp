// Purpose: what of releases is on the disk, and what may go. Owner: none. Thread: one; blocking.
// Lifetime: none.
#pragma once

#include <optional>
#include <vector>

#include "agent/disk.hpp"
#include "agent/update/release.hpp"

namespace starling::agent {

struct WantedReleases {
  std::vector<Digest> unpacked;   // what runs, what it would go back to, and the like
  std::optional<Digest> in_work;  // with what is downloaded and unpacked of it
};
// Removes all else. Errors: those of Disk.
Result<void> collect_releases(Disk& disk, const WantedReleases& wanted);

// What a download of this release still takes, and unpacking it. Errors: those of Disk.
Result<std::uint64_t> bytes_needed(Disk& disk, const ReleaseTarget& target);

}  // namespace starling::agent
