#include "install/request_box.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "protocol/package_request.hpp"

namespace starling::install {
namespace {

std::unexpected<Error> cannot(std::string_view what) {
  return fail(errno == ENOENT ? ErrorCode::not_found : ErrorCode::io,
              fmt::format("{}: {}", what, std::strerror(errno)));
}

}  // namespace

Result<RequestBox> RequestBox::open(const std::filesystem::path& state) {
  const FileDescriptor above(::open(state.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!above) return cannot(state.string());
  FileDescriptor box(::openat(above.number(), folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!box) return cannot(folder);
  return RequestBox(std::move(box));
}

Result<std::optional<std::string>> RequestBox::read() {
  const FileDescriptor file(
      ::openat(box_.number(), name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  struct stat whose {
  }, status{};
  const bool plain = file && ::fstat(box_.number(), &whose) == 0 && ::fstat(file.number(), &status) == 0 &&
                     S_ISREG(status.st_mode) && status.st_uid == whose.st_uid && status.st_nlink == 1 &&
                     status.st_size <= static_cast<off_t>(protocol::max_package_request_bytes);
  if (!plain) {
    if (auto gone = unlink(); !gone) return fail(gone);
    return fail(ErrorCode::invalid_argument, "the request is no plain file of the agent's");
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  const ssize_t size = ::pread(file.number(), text.data(), text.size(), 0);
  if (size < 0) return cannot(name);
  text.resize(static_cast<std::size_t>(size));
  return text;
}

Result<void> RequestBox::remove(const std::string& text) {
  const auto now = read();
  if (!now) return now.error().code == ErrorCode::invalid_argument ? Result<void>() : fail(now);
  return *now == text ? unlink() : Result<void>();
}

Result<void> RequestBox::unlink() {
  if (::unlinkat(box_.number(), name, 0) == 0 || errno == ENOENT) return {};
  return cannot(name);
}

}  // namespace starling::install
