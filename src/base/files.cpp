#include "base/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/file_descriptor.hpp"
#include "base/write_all.hpp"

namespace starling {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(std::string_view doing, const fs::path& path, int error) {
  ErrorCode code = ErrorCode::io;
  if (error == ENOENT || error == ENOTDIR) code = ErrorCode::not_found;
  if (error == EACCES || error == EPERM || error == EROFS) code = ErrorCode::permission_denied;
  if (error == EIO || error == EUCLEAN) code = ErrorCode::corrupted;  // the medium, or the file system on it
  return fail(code, fmt::format("{} {}: {}", doing, path.string(), std::generic_category().message(error)));
}

int open_retrying(const fs::path& path, int flags, unsigned mode = 0) {
  int descriptor = -1;
  do {
    descriptor = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (descriptor < 0 && errno == EINTR);
  return descriptor;
}

Result<void> write_temporary(const fs::path& path, std::string_view content, unsigned mode) {
  // Never opened through what is already there: it may have another mode, or be a link to elsewhere.
  ::unlink(path.c_str());
  const FileDescriptor file(open_retrying(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode));
  if (file.number() < 0) return failed("creating", path, errno);
  if (::fchmod(file.number(), mode) != 0)
    return failed("setting the mode of", path, errno);  // umask does not count
  if (Result<void> written = write_all(file, content, path); !written) return written;
  if (::fsync(file.number()) != 0) return failed("syncing", path, errno);
  return {};
}

Result<std::string> read_all(const FileDescriptor& file, const struct stat& status, const fs::path& path,
                             std::size_t max_bytes) {
  std::string content;
  content.resize(status.st_size > 0
                     ? std::min<std::size_t>(max_bytes, static_cast<std::size_t>(status.st_size)) + 1
                     : 4096);
  std::size_t size = 0;
  for (;;) {  // until the end: files under /proc and growing ones have no honest size
    if (size == content.size()) content.resize(content.size() * 2);
    const ssize_t got = ::read(file.number(), content.data() + size, content.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("reading", path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size > max_bytes) {
      return fail(ErrorCode::too_large, fmt::format("reading {}: larger than the {} bytes that are taken",
                                                    path.string(), max_bytes));
    }
  }
  content.resize(size);
  return content;
}

}  // namespace

Result<std::string> read_file(const fs::path& path, std::size_t max_bytes) {
  const FileDescriptor file(open_retrying(path, O_RDONLY));
  if (file.number() < 0) return failed("opening", path, errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return failed("reading", path, errno);
  if (S_ISDIR(status.st_mode)) return failed("reading", path, EISDIR);
  return read_all(file, status, path, max_bytes);
}

Result<std::string> read_foreign_file(const fs::path& path, std::size_t max_bytes) {
  const auto no_file = [&path](std::string_view what) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("reading {}: it is {}, and no file: put a file in its place", path.string(), what));
  };
  constexpr std::string_view special = "a pipe, a socket or a device";
  const FileDescriptor file(open_retrying(path, O_RDONLY | O_NONBLOCK | O_NOCTTY));
  if (file.number() < 0 && errno == ENXIO) return no_file(special);  // a socket
  if (file.number() < 0 && errno == ELOOP) return no_file("a link that leads back to itself");
  if (file.number() < 0) return failed("opening", path, errno);
  struct stat status {};
  if (::fstat(file.number(), &status) != 0) return failed("reading", path, errno);
  if (S_ISDIR(status.st_mode)) return no_file("a folder");
  if (!S_ISREG(status.st_mode)) return no_file(special);
  return read_all(file, status, path, max_bytes);
}

Result<std::vector<fs::path>> list_folder(const fs::path& path) {
  std::vector<fs::path> entries;
  std::error_code error;
  fs::directory_iterator entry(path, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error))
    entries.push_back(entry->path());
  if (error) return failed("reading the folder", path, error.value());
  std::ranges::sort(entries);
  return entries;
}

Result<void> write_file_durably(const fs::path& path, std::string_view content, unsigned mode) {
  fs::path temporary = path;
  temporary += ".tmp";
  if (Result<void> written = write_temporary(temporary, content, mode); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary.c_str());
    return failed("renaming onto", path, error);
  }
  return fsync_folder(path.has_parent_path() ? path.parent_path() : fs::path("."));
}

Result<void> make_folders(const fs::path& path, unsigned mode) {
  fs::path sofar;
  for (const fs::path& part : path) {
    sofar /= part;
    if (::mkdir(sofar.c_str(), mode) == 0) continue;
    if (errno != EEXIST) return failed("making the folder", sofar, errno);
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return failed("making the folder", path, errno);
  if (!S_ISDIR(status.st_mode)) return failed("making the folder", path, ENOTDIR);
  return {};
}

Result<void> fsync_folder(const fs::path& path) {
  const FileDescriptor folder(open_retrying(path, O_RDONLY | O_DIRECTORY));
  if (folder.number() < 0) return failed("opening the folder", path, errno);
  if (::fsync(folder.number()) != 0) return failed("syncing the folder", path, errno);
  return {};
}

Result<void> fsync_file(const fs::path& path) {
  const FileDescriptor file(open_retrying(path, O_RDONLY));
  if (file.number() < 0) return failed("opening", path, errno);
  if (::fsync(file.number()) != 0) return failed("syncing", path, errno);
  return {};
}

Result<FileLock> FileLock::acquire(const fs::path& path) {
  FileDescriptor file(open_retrying(path, O_RDWR | O_CREAT, 0600));
  if (file.number() < 0) return failed("opening", path, errno);
  if (::flock(file.number(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed("locking", path, errno);
    return fail(ErrorCode::failed_precondition,
                fmt::format("locking {}: another process holds it; stop that one first", path.string()));
  }
  return FileLock(file.release());
}

FileLock::FileLock(FileLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace starling
