// Purpose: a target that grows as it is downloaded and gets its name only when its length and hashes are the
// signed ones. Until then it is called `<name>.part`.
// Owner: the download. Thread: one; blocking. Lifetime: one download: what is not finished is removed.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "protocol/tuf/metadata.hpp"

namespace starling::agent {

// Errors of all: permission_denied, not_found (no such folder), io.
class PartialFile {
 public:
  // Further errors: failed_precondition (none of the signed hashes can be checked).
  static Result<PartialFile> create(std::filesystem::path path, protocol::tuf::TargetFile expected);
  PartialFile(PartialFile&&) noexcept = default;
  ~PartialFile();

  // Further errors: corrupted, as soon as there is more than was signed.
  Result<void> write(std::string_view bytes);
  // Checks, syncs and renames. Further errors: corrupted.
  Result<void> finish();

 private:
  PartialFile(std::filesystem::path path, protocol::tuf::TargetFile expected)
      : path_(std::move(path)), expected_(std::move(expected)) {}
  std::filesystem::path path_;
  protocol::tuf::TargetFile expected_;
  FileDescriptor file_;
  std::vector<Hasher> hashers_;  // one for each of the expected hashes
  std::int64_t written_ = 0;
};

// Whether the file is there with this length and these hashes.
Result<bool> is_downloaded(const std::filesystem::path& path, const protocol::tuf::TargetFile& expected);

}  // namespace starling::agent
