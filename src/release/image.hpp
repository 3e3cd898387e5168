// Purpose: the bytes of a release's tar, made from a folder as they are asked for, wherever they are. By it a
// folder is packed, an installed release is checked against its signed hash, and a delta finds what it builds
// on. Owner: the packing, the update. Thread: one; blocking. Lifetime: the folder must not change meanwhile:
// a file whose size is another one than at the beginning is told.
#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "protocol/release_metadata.hpp"
#include "release/bytes.hpp"
#include "release/entry.hpp"

namespace starling::release {

// Errors of all: invalid_argument (what a release may not hold, with its path), too_large, not_found,
// permission_denied, io, conflict (changed while it was read).
class ReleaseImage final : public Bytes {
 public:
  // What `folder` holds becomes payload/, with VERSION and update_metadata.json as `metadata` says. Folders
  // called .git and __pycache__ are left out.
  static Result<ReleaseImage> of_payload(const std::filesystem::path& folder,
                                         const protocol::ReleaseMetadata& metadata);
  // A release as it was unpacked: update_metadata.json and payload/. Anything beside them is not looked at.
  static Result<ReleaseImage> of_unpacked(const std::filesystem::path& folder);
  // Of all entries in their order, where somebody else reads what is in the files.
  using Content = std::function<Result<void>(const Entry& file, std::uint64_t offset, std::span<char> into)>;
  static Result<ReleaseImage> of_entries(std::vector<Entry> entries, Content content);

  std::uint64_t size() const override { return size_; }
  Result<void> read(std::uint64_t offset, std::span<char> into) override;

  struct Part {
    Entry entry;
    std::filesystem::path source{};  // files only; empty: `text` is the content
    std::string text{};
    std::uint64_t offset = 0;  // of its header
  };
  const std::vector<Part>& parts() const { return parts_; }
  const std::vector<std::string>& left_out() const { return left_out_; }  // paths in the payload

 private:
  ReleaseImage() = default;
  Result<void> lay_out();
  Result<void> read_part(std::size_t index, std::uint64_t offset, std::span<char> into);
  Result<void> read_source(std::size_t index, std::uint64_t offset, std::span<char> into);

  std::vector<Part> parts_;
  Content content_;  // if set, of all files
  std::vector<std::string> left_out_;
  std::uint64_t size_ = 0;
  std::size_t open_part_ = 0;  // whose source `open_` is
  FileDescriptor open_;
};

}  // namespace starling::release
