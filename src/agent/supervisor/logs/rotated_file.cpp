#include "agent/supervisor/logs/rotated_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

std::unexpected<Error> failed(std::string_view doing, const fs::path& path) {
  return fail(ErrorCode::io,
              fmt::format("{} {}: {}", doing, path.string(), std::generic_category().message(errno)));
}

// The last bytes of a file; empty if it is not there.
std::string end_of(const fs::path& path, std::size_t max_bytes) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.number(), &status) != 0) return {};
  const auto size = static_cast<std::uint64_t>(std::max<std::int64_t>(status.st_size, 0));
  std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(size, max_bytes)), '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t count = ::pread(file.number(), text.data() + done, text.size() - done,
                                  static_cast<off_t>(size - text.size() + done));
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  text.resize(done);
  return text;
}

}  // namespace

fs::path RotatedFile::older(int number) const {
  return fs::path(path_).concat("." + std::to_string(number));
}

Result<void> RotatedFile::open() {
  file_.reset(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file_) return failed("opening", path_);
  struct stat status {};
  size_ = ::fstat(file_.number(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  return {};
}

void RotatedFile::rotate() {
  file_.reset();
  std::error_code ignored;  // whatever fails, the new file is begun
  for (int number = files_ - 1; number > 1; --number)
    fs::rename(older(number - 1), older(number), ignored);
  if (files_ > 1) {
    fs::rename(path_, older(1), ignored);
  } else {
    fs::remove(path_, ignored);
  }
}

Result<void> RotatedFile::append(std::string_view text) {
  if (!file_) {
    if (Result<void> opened = open(); !opened) return opened;
  }
  if (size_ > 0 && size_ + text.size() > file_bytes_) {
    rotate();
    if (Result<void> opened = open(); !opened) return opened;
  }
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(file_.number(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      auto failure = failed("writing", path_);
      const std::size_t part = text.size() - rest.size();
      if (part > 0 && ::ftruncate(file_.number(), static_cast<off_t>(size_)) != 0) size_ += part;
      return failure;
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  size_ += text.size();
  return {};
}

std::string RotatedFile::tail(std::size_t max_bytes) const {
  std::string text = end_of(path_, max_bytes);
  for (int number = 1; number < files_ && text.size() < max_bytes; ++number)
    text.insert(0, end_of(older(number), max_bytes - text.size()));
  if (text.size() == max_bytes) text.erase(0, text.find('\n') + 1);  // a line that is not whole
  return text;
}

}  // namespace starling::agent
