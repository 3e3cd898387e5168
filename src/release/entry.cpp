#include "release/entry.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "protocol/excerpt.hpp"

namespace starling::release {
namespace {

using protocol::excerpt;

std::unexpected<Error> refused(std::string_view path, std::string_view why) {
  return fail(ErrorCode::invalid_argument, fmt::format("{}: {}", excerpt(path, max_path_bytes), why));
}

// Takes the name before the next "/" off the front.
std::string_view take_name(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('/'), rest.size());
  const std::string_view name = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return name;
}

std::string_view folder_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

// For a "/" at the end, too.
bool has_room(std::string_view path) {
  if (path.size() < 100) return true;
  const std::size_t slash = path.rfind('/', 155);
  return path.size() <= max_path_bytes && slash != std::string_view::npos && slash > 0 &&
         path.size() - slash <= 100;
}

Result<void> check_text(std::string_view folder, std::string_view text) {
  if (!is_utf8(text)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("in '{}': a name or link is not UTF-8", is_utf8(folder) ? folder : "a folder"));
  }
  const bool printable =
      std::ranges::none_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (printable) return {};
  return refused(folder, "a name or link in it has control characters");
}

}  // namespace

Result<void> check_path(std::string_view path) {
  if (auto text = check_text(folder_of(path), path); !text) return text;
  if (!has_room(path)) {
    return fail(ErrorCode::too_large,
                fmt::format("{}: the name is too long, a tar has room for 155 bytes of folders "
                            "and 99 of what is in them",
                            excerpt(path, 300)));
  }
  if (path.empty() || path.back() == '/') return refused(path, "no name of a file");
  std::size_t depth = 0;
  for (std::string_view rest = path; !rest.empty(); ++depth) {
    const std::string_view name = take_name(rest);
    if (name.empty() || name == "." || name == "..")
      return refused(path, "a path has no '', '.' or '..' in it");
  }
  if (depth > max_depth)
    return fail(ErrorCode::too_large, fmt::format("{}: more than {} folders in each other", path, max_depth));
  return {};
}

Result<void> check_link(std::string_view path, std::string_view target) {
  const std::string shown = fmt::format("link to '{}'", excerpt(target));
  if (auto text = check_text(path, target); !text) return text;
  if (target.starts_with('/'))
    return refused(path, shown + " is absolute; a link must be relative, and stay in the folder");
  if (target.empty() || target.size() > max_target_bytes)
    return refused(path, fmt::format("{}: must have 1 to {} bytes", shown, max_target_bytes));
  // How far up it may go: payload/a is in payload/ itself.
  auto depth = std::ranges::count(path, '/') - 1;
  bool named = false;
  for (std::string_view rest = target; !rest.empty();) {
    const std::string_view name = take_name(rest);
    if (name.empty() || name == ".") return refused(path, shown + ": '.' and '//' cannot be in a link");
    if (name != "..") {
      named = true;
    } else if (named) {
      return refused(path, shown + " has '..' after a name");
    } else if (--depth < 0) {
      return refused(path, shown + " leads out of the folder");
    }
  }
  return target.ends_with('/') ? refused(path, shown + ": ends in '/'") : Result<void>{};
}

Result<void> TreeRules::admit(const Entry& entry) {
  if (auto path = check_path(entry.path); !path) return path;
  bytes_ += entry.size;
  if (entry.size > max_release_bytes || bytes_ > max_release_bytes) {
    return fail(ErrorCode::too_large, fmt::format("a release holds at most {} MiB, with {} it would be more",
                                                  max_release_bytes >> 20, entry.path));
  }
  if (++count_ > max_entries)
    return fail(ErrorCode::too_large, fmt::format("a release holds at most {} files", max_entries));
  if (count_ == 1) {
    if (entry.path != metadata_path || entry.kind != Entry::Kind::file || entry.executable)
      return refused(entry.path, fmt::format("{} must come first", metadata_path));
    if (entry.size > max_metadata_bytes)
      return fail(ErrorCode::too_large,
                  fmt::format("{} is larger than {} KiB", metadata_path, max_metadata_bytes >> 10));
    return {};
  }
  if (entry.path <= last_)
    return refused(entry.path,
                   fmt::format("out of order: it comes after {}", excerpt(last_, max_path_bytes)));
  last_ = entry.path;
  const bool is_root = entry.path == payload_path;
  if (is_root ? entry.kind != Entry::Kind::folder : !folders_.contains(folder_of(entry.path)))
    return refused(entry.path, fmt::format("is not in a folder of {}/", payload_path));
  if (entry.kind == Entry::Kind::folder) folders_.insert(entry.path);
  if (entry.kind == Entry::Kind::link) return check_link(entry.path, entry.target);
  if (entry.path == version_path) has_version_ = entry.kind == Entry::Kind::file;
  return {};
}

Result<void> TreeRules::finish() const {
  if (count_ == 0) return fail(ErrorCode::invalid_argument, fmt::format("{} is missing", metadata_path));
  if (!has_version_)
    return fail(ErrorCode::invalid_argument, fmt::format("{} is missing, or no file", version_path));
  return {};
}

}  // namespace starling::release
