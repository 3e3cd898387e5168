// Purpose: what of releases is on the disk, and what may go. Owner: none. Thread: one; blocking.
// Lifetime: none.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/disk.hpp"
#include "agent/update/release.hpp"
#include "protocol/release_encodings.hpp"

namespace starling::agent {

struct WantedReleases {
  std::vector<Digest> unpacked;   // what runs, what it would go back to, and the like
  std::optional<Digest> in_work;  // with what is downloaded and unpacked of it
};
// Removes all else. Errors: those of Disk.
Result<void> collect_releases(Disk& disk, const WantedReleases& wanted);

// A release as it was downloaded.
struct Download {
  std::string path;
  protocol::Encoding encoding = protocol::Encoding::plain;
};
std::string download_path(const Digest& release, const protocol::EncodingOffer& offer);
// The one that is complete. Errors: those of Disk.
Result<std::optional<Download>> find_download(Disk& disk, const Digest& release);
// What is still to be downloaded. Errors: those of Disk.
Result<std::uint64_t> bytes_left(Disk& disk, const Digest& release, const protocol::EncodingOffer& offer);
// All that was downloaded of a release, whole or in part, but what becomes `but`. Errors: those of Disk.
Result<void> drop_downloads(Disk& disk, const Digest& release, std::string_view but = {});

}  // namespace starling::agent
