// Purpose: a target that grows as it is downloaded and gets its name only when its length and hashes are the
// signed ones. Until then it is called `<name>.part`, and a later download goes on where that ends.
// Owner: the download. Thread: one; blocking. Lifetime: one download; `disk` outlives it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/disk.hpp"
#include "agent/progress.hpp"
#include "base/crypto.hpp"
#include "base/result.hpp"
#include "protocol/tuf/metadata.hpp"

namespace starling::agent {

// Errors of all: those of Disk.
class PartialFile {
 public:
  static constexpr std::string_view ending = ".part";

  // Further errors: failed_precondition (none of the signed hashes can be checked).
  static Result<PartialFile> open(Disk& disk, std::string path, protocol::tuf::TargetFile expected);

  // Reads what a former download has left, a piece at a time, until all of it is hashed.
  Result<Progress> catch_up();
  bool resumes() const { return resumed_; }
  std::uint64_t size() const { return size_; }
  bool complete() const { return size_ == length(); }

  // Further errors: corrupted, as soon as there is more than was signed.
  Result<void> write(std::string_view bytes);
  // Keeps what has come, for the next time.
  Result<void> pause();
  // Checks, syncs and renames. Further errors: corrupted; nothing is kept then.
  Result<void> finish();
  Result<void> remove();

 private:
  PartialFile(Disk& disk, std::string path, protocol::tuf::TargetFile expected);
  std::uint64_t length() const { return static_cast<std::uint64_t>(expected_.length); }
  std::string part() const { return path_ + std::string(ending); }
  Result<void> look_at_part();

  Disk* disk_;
  std::string path_;
  protocol::tuf::TargetFile expected_;
  std::vector<Hasher> hashers_;  // one for each of the expected hashes
  bool resumed_ = false;
  std::uint64_t kept_ = 0;  // of a former download
  std::uint64_t size_ = 0;  // hashed
  std::uint64_t unsynced_ = 0;
};

// Whether the file is there with this length and these hashes.
Result<bool> is_downloaded(Disk& disk, std::string_view path, const protocol::tuf::TargetFile& expected);

}  // namespace starling::agent
