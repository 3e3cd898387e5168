#include "agent/update/partial_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "base/files.hpp"

namespace starling::agent {
namespace fs = std::filesystem;
namespace {

std::unexpected<Error> failed(std::string_view doing, const fs::path& path) {
  const int error = errno;
  ErrorCode code = ErrorCode::io;
  if (error == ENOENT || error == ENOTDIR) code = ErrorCode::not_found;
  if (error == EACCES || error == EPERM || error == EROFS) code = ErrorCode::permission_denied;
  return fail(code, fmt::format("{} {}: {}", doing, path.string(), std::generic_category().message(error)));
}

fs::path part_of(const fs::path& path) {
  fs::path part = path;
  part += ".part";
  return part;
}

std::vector<Hasher> hashers_for(const protocol::tuf::Hashes& hashes) {
  std::vector<Hasher> hashers;
  for (const protocol::tuf::Hash& hash : hashes)
    hashers.emplace_back(hash.algorithm);
  return hashers;
}

bool match(std::vector<Hasher>& hashers, const protocol::tuf::Hashes& hashes) {
  return std::equal(
      hashers.begin(), hashers.end(), hashes.begin(), hashes.end(),
      [](Hasher& hasher, const protocol::tuf::Hash& hash) { return hasher.finish() == hash.hex; });
}

}  // namespace

Result<PartialFile> PartialFile::create(fs::path path, protocol::tuf::TargetFile expected) {
  if (expected.hashes.empty()) {
    return fail(ErrorCode::failed_precondition,
                fmt::format("{} has no hash by sha256 or sha512 that could be checked", path.string()));
  }
  PartialFile file(std::move(path), std::move(expected));
  const fs::path part = part_of(file.path_);
  ::unlink(part.c_str());  // never written through what is there: it may be a link to elsewhere
  file.file_.reset(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file.file_) return failed("creating", part);
  file.hashers_ = hashers_for(file.expected_.hashes);
  return file;
}

PartialFile::~PartialFile() {
  if (file_) ::unlink(part_of(path_).c_str());
}

Result<void> PartialFile::write(std::string_view bytes) {
  written_ += static_cast<std::int64_t>(bytes.size());
  if (written_ > expected_.length) {
    return fail(ErrorCode::corrupted, fmt::format("{} has more than the {} bytes that were signed",
                                                  path_.string(), expected_.length));
  }
  for (Hasher& hasher : hashers_)
    hasher.update(bytes);
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.number(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("writing", part_of(path_));
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> PartialFile::finish() {
  if (written_ != expected_.length) {
    return fail(ErrorCode::corrupted, fmt::format("{} has {} bytes instead of the {} that were signed",
                                                  path_.string(), written_, expected_.length));
  }
  if (!match(hashers_, expected_.hashes)) {
    return fail(ErrorCode::corrupted,
                fmt::format("{} does not have the hash that was signed", path_.string()));
  }
  if (::fsync(file_.number()) != 0) return failed("syncing", part_of(path_));
  if (::rename(part_of(path_).c_str(), path_.c_str()) != 0) return failed("renaming onto", path_);
  file_.reset();
  return fsync_folder(path_.has_parent_path() ? path_.parent_path() : fs::path("."));
}

Result<bool> is_downloaded(const fs::path& path, const protocol::tuf::TargetFile& expected) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return false;
  struct stat status {};
  if (!file || ::fstat(file.number(), &status) != 0) return failed("reading", path);
  if (!S_ISREG(status.st_mode) || status.st_size != expected.length || expected.hashes.empty()) return false;
  std::vector<Hasher> hashers = hashers_for(expected.hashes);
  std::vector<char> buffer(64u << 10);
  for (;;) {
    const ssize_t count = ::read(file.number(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("reading", path);
    if (count == 0) break;
    for (Hasher& hasher : hashers)
      hasher.update({buffer.data(), static_cast<std::size_t>(count)});
  }
  return match(hashers, expected.hashes);
}

}  // namespace starling::agent
