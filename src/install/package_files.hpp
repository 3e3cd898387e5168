// Purpose: the package files that a plan names, by their hash, in a folder that only root writes. What comes
// from elsewhere is copied, and it is the copy that is hashed. Owner: Installer. Thread: one. Lifetime: that
// of the folder's owner.
#pragma once

#include <filesystem>
#include <vector>

#include "base/crypto.hpp"
#include "base/result.hpp"

namespace starling::install {

class PackageFiles {
 public:
  explicit PackageFiles(std::filesystem::path folder) : folder_(std::move(folder)) {}

  std::filesystem::path path_of(const Digest& hash) const { return folder_ / (hash.hex() + ".deb"); }
  // Reads it. Errors: not_found, corrupted, io.
  Result<void> check(const Digest& hash) const;
  // Fsynced when it has its name. Errors: corrupted (it is another), io.
  Result<void> keep(const std::filesystem::path& from, const Digest& hash) const;
  // All others go. Errors: io.
  Result<void> keep_only(const std::vector<Digest>& hashes) const;

 private:
  std::filesystem::path folder_;
};

}  // namespace starling::install
