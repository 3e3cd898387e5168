#include "agent/posix_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/file_descriptor.hpp"
#include "base/files.hpp"

namespace starling::agent {
namespace fs = std::filesystem;
namespace {

std::unexpected<Error> failed(std::string_view what, const fs::path& path, int number) {
  const ErrorCode code = number == ENOENT                       ? ErrorCode::not_found
                         : number == EACCES || number == EPERM  ? ErrorCode::permission_denied
                         : number == ENOSPC || number == EDQUOT ? ErrorCode::unavailable
                                                                : ErrorCode::io;
  return fail(code, std::string(what) + " " + path.string() + ": " + std::strerror(number));
}

Result<void> checked(std::string_view what, const fs::path& path, const std::error_code& error) {
  if (error) return failed(what, path, error.value());
  return {};
}

Result<void> write_all(int descriptor, std::string_view content, const fs::path& path) {
  while (!content.empty()) {
    const ssize_t count = ::write(descriptor, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("cannot write", path, errno);
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

Result<void> sync(int descriptor, const fs::path& path) {
  if (::fsync(descriptor) != 0) return failed("cannot sync", path, errno);
  return {};
}

}  // namespace

Result<std::string> PosixDisk::read_file(std::string_view path, std::size_t max_bytes) {
  return starling::read_file(at(path), max_bytes);
}

Result<std::string> PosixDisk::read_link(std::string_view path) {
  std::error_code error;
  const fs::path target = fs::read_symlink(at(path), error);
  if (error) return failed("cannot read the link", at(path), error.value());
  return target.string();
}

Result<std::vector<std::string>> PosixDisk::list(std::string_view folder) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entries(at(folder), error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    names.push_back(entries->path().filename().string());
  }
  if (error) return failed("cannot list", at(folder), error.value());
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> PosixDisk::write_file(std::string_view path, std::string_view content, unsigned mode) {
  const fs::path file = at(path);
  const int descriptor =
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, static_cast<mode_t>(mode));
  if (descriptor < 0) return failed("cannot create", file, errno);
  Result<void> written;
  if (::fchmod(descriptor, static_cast<mode_t>(mode)) != 0) {
    written = failed("cannot set the mode of", file, errno);
  } else {
    written = write_all(descriptor, content, file);
    if (written) written = sync(descriptor, file);
  }
  if (::close(descriptor) != 0 && written) return failed("cannot close", file, errno);
  return written;
}

Result<std::string> PosixDisk::read_part(std::string_view path, std::uint64_t offset, std::size_t max_bytes) {
  const fs::path file = at(path);
  const FileDescriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!descriptor) return failed("cannot open", file, errno);
  std::string content(max_bytes, '\0');
  std::size_t size = 0;
  while (size < max_bytes) {
    const ssize_t count = ::pread(descriptor.number(), content.data() + size, max_bytes - size,
                                  static_cast<off_t>(offset + size));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("cannot read", file, errno);
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  content.resize(size);
  return content;
}

Result<Disk::Status> PosixDisk::status(std::string_view path) {
  struct stat found {};
  if (::lstat(at(path).c_str(), &found) != 0) return failed("cannot look at", at(path), errno);
  Status status;
  if (S_ISREG(found.st_mode)) status.kind = Status::Kind::file;
  if (S_ISDIR(found.st_mode)) status.kind = Status::Kind::folder;
  if (S_ISLNK(found.st_mode)) status.kind = Status::Kind::link;
  status.mode = found.st_mode & 07777u;
  status.size = static_cast<std::uint64_t>(found.st_size);
  return status;
}

Result<std::uint64_t> PosixDisk::free_bytes() {
  struct statvfs found {};
  if (::statvfs(root_.c_str(), &found) != 0) return failed("cannot look at the disk of", root_, errno);
  return std::uint64_t(found.f_bavail) * found.f_frsize;
}

Result<void> PosixDisk::append(std::string_view path, std::string_view content, unsigned mode) {
  const fs::path file = at(path);
  constexpr int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
  const FileDescriptor descriptor(::open(file.c_str(), flags, static_cast<mode_t>(mode)));
  if (!descriptor) return failed("cannot open", file, errno);
  struct stat found {};
  if (::fstat(descriptor.number(), &found) != 0) return failed("cannot look at", file, errno);
  if (found.st_size == 0 && ::fchmod(descriptor.number(), static_cast<mode_t>(mode)) != 0) {
    return failed("cannot set the mode of", file, errno);
  }
  return write_all(descriptor.number(), content, file);
}

Result<void> PosixDisk::sync_file(std::string_view path) {
  return fsync_file(at(path));
}

Result<void> PosixDisk::make_folder(std::string_view path) {
  const fs::path folder = at(path);
  std::error_code error;
  const bool made = fs::create_directory(folder, error);
  if (made) fs::permissions(folder, fs::perms(0755), error);  // whatever the umask says
  return checked("cannot make the folder", folder, error);
}

Result<void> PosixDisk::make_link(std::string_view target, std::string_view path) {
  std::error_code error;
  fs::create_symlink(fs::path(target), at(path), error);
  return checked("cannot make the link", at(path), error);
}

Result<void> PosixDisk::rename(std::string_view from, std::string_view to) {
  std::error_code error;
  fs::rename(at(from), at(to), error);
  return checked("cannot rename to", at(to), error);
}

Result<void> PosixDisk::remove_tree(std::string_view path) {
  std::error_code error;
  fs::remove_all(at(path), error);
  return checked("cannot remove", at(path), error);
}

Result<void> PosixDisk::sync_folder(std::string_view path) {
  return fsync_folder(at(path));
}

}  // namespace starling::agent
