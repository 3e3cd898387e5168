// Purpose: what a release is to a device: the identity that a generation names, and the signed description of
// what is downloaded. Where they lie below the state folder:
//
//   releases/SHA256.tar           downloaded, with the signed hash
//   releases/SHA256.delta.HASH    the same as a delta; HASH is the file's own, as it was offered
//   releases/SHA256.packed.HASH   the same, packed
//   releases/*.part               likewise, being downloaded
//   releases/SHA256.new/          being unpacked
//   releases/SHA256/              unpacked, fsynced, with a list of its files (ReleaseList); never changed
//                                 then; venv in it is its Python environment, if it needs one
//
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <string>

#include "base/crypto.hpp"
#include "base/json.hpp"

namespace starling::agent {

struct Release {
  std::string version;  // "v1.2.3"
  Digest hash;          // of its tar
  bool operator==(const Release&) const = default;
};

// As the targets role has signed it.
struct ReleaseTarget {
  Release release;
  std::string architecture;
  std::string path;  // "releases/v1.2.3/arm64.tar"
  std::uint64_t length = 0;
  JsonObject custom;
  bool operator==(const ReleaseTarget&) const = default;
};

inline constexpr std::string_view releases_folder = "releases";

inline std::string release_path(const Digest& hash, std::string_view ending = {}) {
  return std::string(releases_folder) + "/" + hash.hex() + std::string(ending);
}
inline std::string release_tar_path(const Digest& hash) {
  return release_path(hash, ".tar");
}

}  // namespace starling::agent
