// Purpose: reads a release's folder back and compares it with its list of hashes. In small pieces; changes
// nothing. Owner: ReleaseInstall, UpdateCore. Thread: one; each step blocks for a little. Lifetime: one
// reading; `disk` outlives it.
#pragma once

#include <optional>
#include <string>

#include "agent/disk.hpp"
#include "agent/progress.hpp"
#include "agent/update/release_list.hpp"

namespace starling::agent {

class ReleaseCheck {
 public:
  ReleaseCheck(Disk& disk, std::string folder) : disk_(disk), folder_(std::move(folder)) {}

  // Errors: corrupted (it is not as it was unpacked, or not there), those of Disk.
  Result<Progress> step();

 private:
  Result<void> read_list();
  Result<void> check_entry(const ListedEntry& listed);

  Disk& disk_;
  std::string folder_;
  std::optional<ReleaseList> list_;
  std::size_t checked_ = 0;  // entries of the list
  std::optional<Hasher> hasher_;
  std::uint64_t offset_ = 0;
};

}  // namespace starling::agent
