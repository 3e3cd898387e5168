// Purpose: a large file on the hub's disk while it is written: it has a passing name until it is whole, and
// is removed if it never is. Owner: whoever writes it. Thread: one at a time; blocking. Lifetime: until it is
// kept or given up.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace starling::hub {

class UnfinishedFile {
 public:
  // What is called so already is written over. `bytes`: how much will come, 0 if nobody knows; `noun`: what
  // it is, for the message. Errors: failed_precondition (the disk has no room for it), io.
  static Result<UnfinishedFile> begin(std::filesystem::path path, std::uint64_t bytes, std::string_view noun);
  UnfinishedFile(UnfinishedFile&&) = default;
  UnfinishedFile& operator=(UnfinishedFile&&) = delete;
  ~UnfinishedFile();

  // Errors: those of write_all().
  Result<void> write(std::string_view part);
  // Syncs it and gives it its name. Errors: io.
  Result<void> keep(const std::filesystem::path& as) const;

 private:
  UnfinishedFile(std::filesystem::path path, FileDescriptor file)
      : path_(std::move(path)), file_(std::move(file)) {}

  std::filesystem::path path_;
  FileDescriptor file_;
};

}  // namespace starling::hub
