#include "release/bytes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <vector>

namespace starling::release {

Result<void> check_range(const Bytes& bytes, std::uint64_t offset, std::size_t count) {
  if (offset <= bytes.size() && count <= bytes.size() - offset) return {};
  return fail(ErrorCode::invalid_argument, fmt::format("bytes {} to {} are asked for, there are {}", offset,
                                                       offset + count, bytes.size()));
}

Result<void> read_at(const FileDescriptor& file, std::uint64_t offset, std::span<char> into) {
  while (!into.empty()) {
    const ssize_t got = ::pread(file.number(), into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(ErrorCode::io, std::generic_category().message(errno));
    if (got == 0) return fail(ErrorCode::conflict, "it has become shorter while it was read");
    offset += static_cast<std::uint64_t>(got);
    into = into.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Result<FileBytes> FileBytes::open(const std::filesystem::path& path) {
  const auto failed = [&path](int error) {
    const ErrorCode code = error == ENOENT || error == ENOTDIR ? ErrorCode::not_found
                           : error == EACCES || error == EPERM ? ErrorCode::permission_denied
                                                               : ErrorCode::io;
    return fail(code, fmt::format("opening {}: {}", path.string(), std::generic_category().message(error)));
  };
  FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a FIFO must not hang it
  if (!file) return failed(errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return failed(errno);
  if (!S_ISREG(status.st_mode)) return fail(ErrorCode::invalid_argument, path.string() + " is no file");
  return FileBytes(std::move(file), static_cast<std::uint64_t>(status.st_size));
}

Result<void> FileBytes::read(std::uint64_t offset, std::span<char> into) {
  if (auto inside = check_range(*this, offset, into.size()); !inside) return inside;
  return read_at(file_, offset, into);
}

Result<void> MemoryBytes::read(std::uint64_t offset, std::span<char> into) {
  if (auto inside = check_range(*this, offset, into.size()); !inside) return inside;
  if (!into.empty()) std::memcpy(into.data(), bytes_.data() + offset, into.size());
  return {};
}

Result<void> copy_all(Bytes& from, const ByteSink& to) {
  std::vector<char> block(std::size_t{64} << 10);
  for (std::uint64_t offset = 0; offset < from.size();) {
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(block.size(), from.size() - offset));
    if (auto read = from.read(offset, std::span(block).first(count)); !read) return read;
    if (auto taken = to(std::string_view(block.data(), count)); !taken) return taken;
    offset += count;
  }
  return {};
}

}  // namespace starling::release
