// Purpose: a log file that never takes more than its share of the disk: NAME, NAME.1 (older), NAME.2, ...
// Owner: ModuleLog. Thread: one. Lifetime: none beyond its descriptor.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace starling::agent {

class RotatedFile {
 public:
  // `files` counts the current one.
  RotatedFile(std::filesystem::path path, std::uint64_t file_bytes, int files)
      : path_(std::move(path)), file_bytes_(file_bytes), files_(files) {}

  // Not synced: a pulled plug may cost the last lines. Errors: io; no part of it is there then.
  Result<void> append(std::string_view text);
  // The end of all of it, from the beginning of a line.
  std::string tail(std::size_t max_bytes) const;

 private:
  Result<void> open();
  void rotate();
  std::filesystem::path older(int number) const;

  std::filesystem::path path_;
  std::uint64_t file_bytes_;
  int files_;
  FileDescriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace starling::agent
