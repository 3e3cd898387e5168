// Purpose: the tar of a release, made piece by piece of what was downloaded instead of it. Owner:
// ReleaseInstall. Thread: one; blocking in small pieces. Lifetime: one unpacking; `disk` outlives it.
#pragma once

#include <memory>
#include <string_view>

#include "agent/disk.hpp"
#include "agent/update/release_shelf.hpp"
#include "release/image.hpp"

namespace starling::agent {

class TarSource {
 public:
  virtual ~TarSource() = default;
  // The next bytes, never more than were signed from a delta; none at the end. They hold until the next call.
  // Errors: corrupted (what was downloaded, or the release that it builds on), those of Disk.
  virtual Result<std::string_view> next() = 0;
};

// Errors: those of next().
Result<std::unique_ptr<TarSource>> open_tar_source(Disk& disk, const Download& download,
                                                   const ReleaseTarget& target);

// The tar of a release that is unpacked, made of its files and their list as it is read. Errors: those of
// Disk, of the list and of ReleaseImage.
Result<release::ReleaseImage> image_of(Disk& disk, const Digest& release);

}  // namespace starling::agent
