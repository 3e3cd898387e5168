// Purpose: makes the tar of a release from a folder, and says what is in one.
// Owner: none. Thread: any; blocking. Lifetime: none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/crypto.hpp"
#include "base/result.hpp"
#include "protocol/release_metadata.hpp"
#include "release/bytes.hpp"
#include "release/image.hpp"

namespace starling::release {

// What a person wants to see before it goes to every device.
struct Summary {
  protocol::ReleaseMetadata metadata;
  std::uint64_t bytes = 0;  // of the tar
  Digest sha256;            // of the tar
  std::uint64_t files = 0, folders = 0, links = 0;
  struct Place {
    std::string path;  // without payload/; a folder ends in "/"
    std::uint64_t files = 0, bytes = 0;
  };
  std::vector<Place> places;  // what lies directly in payload/, by name
  bool has_requirements = false;
  std::uint64_t wheels = 0;  // from which those are installed
};

// Writes the tar beside `to` and renames it: same image, same bytes. Errors: those of ReleaseImage and of
// inspect_tar(), io.
Result<Summary> write_tar(ReleaseImage& image, const std::filesystem::path& to);

// Reads a tar from anywhere: its form, its metadata, and that VERSION says the same.
// Errors: those of TarReader, invalid_argument (metadata, requirements), those of reading.
Result<Summary> inspect_tar(Bytes& tar);

// What the programs in a folder run on; all if there are none. `wanted` must not be another one.
// Errors: invalid_argument (programs for several, or another one), and those of walk_folder().
Result<protocol::Architecture> architecture_of(const std::filesystem::path& folder,
                                               std::optional<protocol::Architecture> wanted);

}  // namespace starling::release
