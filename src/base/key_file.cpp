#include "base/key_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/exit_status.hpp"
#include "base/files.hpp"

namespace starling {
namespace {

constexpr std::size_t longest_key = 4096;
constexpr std::string_view space = " \t\r\n";

// As ssh does: a file of somebody else's may be meant for our group.
bool others_can_read(const struct stat& status) {
  return (status.st_mode & (status.st_uid == ::geteuid() ? 077u : 007u)) != 0;
}

}  // namespace

Result<KeyFile> read_key_file(const std::filesystem::path& path) {
  struct stat status {};
  const bool there = ::stat(path.c_str(), &status) == 0;
  if (there && S_ISDIR(status.st_mode)) {
    return fail(ErrorCode::invalid_argument, fmt::format("the key file {} is a folder", path.string()));
  }
  auto text = read_file(path, longest_key);
  if (!text) return std::unexpected(wrongly_given(text.error()).within("the key file"));
  const auto begin = text->find_first_not_of(space);
  if (begin == std::string::npos) {
    return fail(ErrorCode::invalid_argument, fmt::format("the key file {} is empty", path.string()));
  }
  KeyFile file{text->substr(begin, text->find_last_not_of(space) + 1 - begin), {}};
  if (there && others_can_read(status)) {
    file.warning =
        fmt::format("the key file {} can be read by others on this machine: chmod 600 it", path.string());
  }
  return file;
}

}  // namespace starling
