// Purpose: bytes that can be read from any place: a file, or a tar that is made as it is read.
// Owner: whoever reads. Thread: one; blocking. Lifetime: the reader's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace starling::release {

class Bytes {
 public:
  virtual ~Bytes() = default;
  virtual std::uint64_t size() const = 0;
  // All of `into`. Errors: invalid_argument (past the end), io, conflict (the file has become shorter).
  virtual Result<void> read(std::uint64_t offset, std::span<char> into) = 0;
};

class FileBytes final : public Bytes {
 public:
  // Errors: not_found, permission_denied, invalid_argument (no regular file), io.
  static Result<FileBytes> open(const std::filesystem::path& path);
  std::uint64_t size() const override { return size_; }
  Result<void> read(std::uint64_t offset, std::span<char> into) override;

 private:
  FileBytes(FileDescriptor file, std::uint64_t size) : file_(std::move(file)), size_(size) {}
  FileDescriptor file_;
  std::uint64_t size_;
};

class MemoryBytes final : public Bytes {
 public:
  explicit MemoryBytes(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t size() const override { return bytes_.size(); }
  Result<void> read(std::uint64_t offset, std::span<char> into) override;

 private:
  std::string_view bytes_;
};

// What takes the bytes of a whole, from its beginning, a piece at a time.
using ByteSink = std::function<Result<void>(std::string_view)>;
// Errors: those of both.
Result<void> copy_all(Bytes& from, const ByteSink& to);

// Whether [offset, offset + count) is in `bytes`. Errors: invalid_argument.
Result<void> check_range(const Bytes& bytes, std::uint64_t offset, std::size_t count);
// All of `into` from an open file. Errors: io, conflict (it ends before).
Result<void> read_at(const FileDescriptor& file, std::uint64_t offset, std::span<char> into);

}  // namespace starling::release
