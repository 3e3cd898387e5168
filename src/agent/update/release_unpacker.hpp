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
#include "agent/update/release_tar.hpp"

namespace starling::agent {

class ReleaseUnpacker final : private ReleaseTar::Sink {
 public:
  ReleaseUnpacker(Disk& disk, std::string folder, const ReleaseTarget& target)
      : disk_(disk), folder_(std::move(folder)), target_(target), tar_(*this, target.length) {}

  // Errors of all: those of Disk. What a former attempt left in the folder is removed.
  Result<void> begin();
  Result<void> feed(std::string_view bytes);
  // Further errors: corrupted (it is not the signed tar), and if it is: those of ReleaseTar, invalid_argument
  // (of another version or architecture than was signed).
  Result<void> finish();
  Result<Progress> sync();

 private:
  Result<void> entry(const ReleaseEntry& entry) override;
  Result<void> content(std::string_view part) override;
  Result<void> file_end() override;
  Result<void> check_versions() const;
  std::string at(std::string_view path) const { return folder_ + "/" + std::string(path); }

  Disk& disk_;
  std::string folder_;
  ReleaseTarget target_;
  ReleaseTar tar_;
  Hasher whole_{HashAlgorithm::sha256};
  Result<void> readable_;  // as a release; what cannot be is hashed to its end, to know whose fault it is

  ReleaseList list_;
  std::optional<Hasher> file_;  // the last of the list is being written
  std::uint64_t written_ = 0, unsynced_ = 0;
  std::string metadata_, version_;  // contents of update_metadata.json and payload/VERSION
  std::vector<std::string> folders_to_sync_;
};

}  // namespace starling::agent
