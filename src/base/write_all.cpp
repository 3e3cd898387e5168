#include "base/write_all.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace starling {

Result<void> write_all(const FileDescriptor& file, std::string_view bytes,
                       const std::filesystem::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file.number(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const ErrorCode code = errno == EIO || errno == EUCLEAN ? ErrorCode::corrupted : ErrorCode::io;
      return fail(code, fmt::format("writing {}: {}", path.string(), std::generic_category().message(errno)));
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

}  // namespace starling
