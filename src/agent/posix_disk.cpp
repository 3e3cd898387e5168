#include "agent/posix_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/files.hpp"

namespace starling::agent {
namespace fs = std::filesystem;
namespace {

std::unexpected<Error> failed(std::string_view what, const fs::path& path, int number) {
  const ErrorCode code = number == ENOENT                      ? ErrorCode::not_found
                         : number == EACCES || number == EPERM ? ErrorCode::permission_denied
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
  }
  if (::close(descriptor) != 0 && written) return failed("cannot close", file, errno);
  return written;
}

Result<void> PosixDisk::make_folder(std::string_view path) {
  std::error_code error;
  fs::create_directory(at(path), error);
  return checked("cannot make the folder", at(path), error);
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
