#include "install/package_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/write_all.hpp"

namespace starling::install {
namespace {

std::unexpected<Error> refused_by_system(const std::filesystem::path& path) {
  return fail(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io,
              fmt::format("{}: {}", path.string(), std::strerror(errno)));
}

// Hashes what it reads, and writes it to `copy` if that is open.
Result<std::string> hash_through(const std::filesystem::path& path, const FileDescriptor& copy,
                                 const std::filesystem::path& copy_path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) return refused_by_system(path);
  Hasher hasher(HashAlgorithm::sha256);
  std::string part(256u << 10, '\0');
  while (true) {
    const ssize_t size = ::read(file.number(), part.data(), part.size());
    if (size < 0) return refused_by_system(path);
    if (size == 0) return hasher.finish();
    const std::string_view bytes(part.data(), static_cast<std::size_t>(size));
    hasher.update(bytes);
    if (!copy) continue;
    if (auto written = write_all(copy, bytes, copy_path); !written) return fail(written);
  }
}

}  // namespace

Result<void> PackageFiles::check(const Digest& hash) const {
  const auto found = hash_through(path_of(hash), FileDescriptor(), {});
  if (!found) return fail(found);
  if (*found == hash.hex()) return {};
  return fail(ErrorCode::corrupted, fmt::format("{} is damaged", path_of(hash).string()));
}

Result<void> PackageFiles::keep(const std::filesystem::path& from, const Digest& hash) const {
  if (auto made = make_folders(folder_); !made) return made;
  const std::filesystem::path fresh = folder_ / "new";
  const FileDescriptor copy(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!copy) return refused_by_system(fresh);
  const auto found = hash_through(from, copy, fresh);
  if (!found) return fail(found);
  if (*found != hash.hex())
    return fail(ErrorCode::corrupted, fmt::format("{} is not what the archive names", from.string()));
  if (::fsync(copy.number()) != 0) return refused_by_system(fresh);
  if (::rename(fresh.c_str(), path_of(hash).c_str()) != 0) return refused_by_system(fresh);
  return fsync_folder(folder_);
}

Result<void> PackageFiles::keep_only(const std::vector<Digest>& hashes) const {
  if (auto made = make_folders(folder_); !made) return made;
  const auto there = list_folder(folder_);
  if (!there) return fail(there);
  for (const auto& path : *there) {
    if (std::ranges::any_of(hashes, [&](const Digest& hash) { return path_of(hash) == path; })) continue;
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return fail(ErrorCode::io, fmt::format("{}: {}", path.string(), error.message()));
  }
  return {};
}

}  // namespace starling::install
