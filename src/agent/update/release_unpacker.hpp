// Purpose: writes what a release's tar holds into a new folder, and says whether it was the tar that was
// signed. What is in the folder is worth nothing before sync() is done.
// Owner: ReleaseInstall. Thread: one; blocking. Lifetime: one unpacking; `disk` outlives it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/disk.hpp"
#include "agent/progress.hpp"
#include "agent/update/release.hpp"
#include "agent/update/release_list.hpp"
#include "release/tar.hpp"

namespace starling::agent {

class ReleaseUnpacker final : private release::TarSink {
 public:
  ReleaseUnpacker(Disk& disk, std::string folder, const ReleaseTarget& target)
      : disk_(disk), folder_(std::move(folder)), target_(target), tar_(*this) {}

  // Errors of all: those of Disk. What a former attempt left in the folder is removed.
  Result<void> start();
  // Further errors: corrupted (it is more than was signed).
  Result<void> feed(std::string_view bytes);
  // Further errors: corrupted (it is not the signed tar), and if it is: invalid_argument and too_large (it is
  // no release, or of another version or architecture than was signed).
  Result<void> finish();
  Result<Progress> sync();

 private:
  Result<void> begin(const release::Entry& entry) override;
  Result<void> content(std::string_view bytes) override;
  Result<void> end_file();
  Result<void> check_versions() const;
  std::string at(std::string_view path) const { return folder_ + "/" + std::string(path); }

  Disk& disk_;
  std::string folder_;
  ReleaseTarget target_;
  release::TarReader tar_;
  Hasher whole_{HashAlgorithm::sha256};
  std::uint64_t fed_ = 0;
  Result<void> readable_;  // as a release; what cannot be is hashed to its end, to know whose fault it is

  ReleaseList list_;
  std::optional<Hasher> file_;  // the last of the list is being written
  std::uint64_t left_ = 0, unsynced_ = 0;
  std::string metadata_, version_;  // contents of update_metadata.json and payload/VERSION
  std::vector<std::string> folders_to_sync_;
};

}  // namespace starling::agent
