#include "agent/update/release_tar.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/utf8.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t block_bytes = 512;

struct Field {
  std::size_t offset, size;
};
constexpr Field name_field{0, 100}, mode_field{100, 8}, size_field{124, 12}, checksum_field{148, 8},
    type_field{156, 1}, link_field{157, 100}, magic_field{257, 8}, prefix_field{345, 155};

std::string_view raw(std::string_view header, Field field) {
  return header.substr(field.offset, field.size);
}

// Ends at the first NUL, if there is one.
std::string_view text(std::string_view header, Field field) {
  const std::string_view whole = raw(header, field);
  return whole.substr(0, whole.find('\0'));
}

// Octal digits up to a NUL or a space; nothing but these may follow.
std::optional<std::uint64_t> number(std::string_view header, Field field) {
  const std::string_view whole = raw(header, field);
  const std::size_t digits = std::min(whole.find_first_not_of("01234567"), whole.size());
  if (digits == 0 || whole.find_first_not_of(std::string_view("\0 ", 2), digits) != std::string_view::npos) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char digit : whole.substr(0, digits))
    value = value * 8 + static_cast<std::uint64_t>(digit - '0');  // 12 digits are 36 bits
  return value;
}

std::uint64_t checksum_of(std::string_view header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const bool own = i >= checksum_field.offset && i < checksum_field.offset + checksum_field.size;
    sum += own ? ' ' : static_cast<unsigned char>(header[i]);
  }
  return sum;
}

bool all_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

std::unexpected<Error> wrong(std::string what) {
  return fail(ErrorCode::invalid_argument, "the release's tar " + std::move(what));
}

// For messages: what is wrong may be the very name.
std::string quoted_path(std::string_view path) {
  std::string shown;
  for (const char byte : path.substr(0, 64))
    shown += byte >= ' ' && byte <= '~' ? byte : '?';
  return "'" + shown + (path.size() > 64 ? "...'" : "'");
}

Result<ReleaseEntry> entry_of(std::string_view header) {
  const std::string_view prefix = text(header, prefix_field);
  ReleaseEntry entry;
  entry.path = prefix.empty() ? std::string(text(header, name_field))
                              : fmt::format("{}/{}", prefix, text(header, name_field));
  const auto mode = number(header, mode_field);
  const auto size = number(header, size_field);
  if (!mode || !size)
    return wrong(fmt::format("has numbers that cannot be read at {}", quoted_path(entry.path)));
  if ((*mode & 07000) != 0) {
    return wrong(fmt::format("gives {} rights of another user", quoted_path(entry.path)));
  }
  switch (header[type_field.offset]) {
    case '0': entry.kind = ReleaseEntry::Kind::file; break;
    case '5': entry.kind = ReleaseEntry::Kind::folder; break;
    case '2': entry.kind = ReleaseEntry::Kind::link; break;
    default:
      return wrong(fmt::format("holds something that is no file, folder or symbolic link, as {}",
                               quoted_path(entry.path)));
  }
  if (entry.kind == ReleaseEntry::Kind::file) {
    entry.executable = (*mode & 0100) != 0;
    entry.size = *size;
  } else if (*size != 0) {
    return wrong(fmt::format("gives {} a content, which it cannot have", quoted_path(entry.path)));
  }
  if (entry.kind == ReleaseEntry::Kind::folder && entry.path.ends_with('/')) entry.path.pop_back();
  if (entry.kind == ReleaseEntry::Kind::link) entry.target = text(header, link_field);
  return entry;
}

}  // namespace

Result<void> check_release_path(std::string_view path) {
  if (path.size() > ReleaseTar::max_path_bytes) {
    return fail(ErrorCode::too_large, fmt::format("the release has a name of {} bytes", path.size()));
  }
  const bool control = std::ranges::any_of(
      path, [](char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; });
  if (control || !is_utf8(path)) {
    return wrong(fmt::format("has a name that is not plain text: {}", quoted_path(path)));
  }
  std::size_t depth = 0;
  for (std::string_view rest = path;;) {
    const std::size_t slash = rest.find('/');
    const std::string_view part = rest.substr(0, slash);
    if (part.empty() || part == "." || part == "..") {
      return wrong(fmt::format("has a name that leads elsewhere: {}", quoted_path(path)));
    }
    if (++depth > ReleaseTar::max_depth) {
      return fail(ErrorCode::too_large,
                  fmt::format("the release has folders too deep at {}", quoted_path(path)));
    }
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

// Folders above a link are real ones, so going up is safe; what follows goes down, perhaps through other
// links, each of which stays inside as well.
Result<void> check_release_link(std::string_view path, std::string_view target) {
  const auto out = [&] {
    return wrong(
        fmt::format("has a link that leads out of it: {} to {}", quoted_path(path), quoted_path(target)));
  };
  auto levels = std::ranges::count(path, '/') - 1;  // that lie below `payload`
  std::string_view rest = target;
  while (rest == ".." || rest.starts_with("../")) {
    if (--levels < 0) return out();
    rest.remove_prefix(std::min<std::size_t>(3, rest.size()));
  }
  if (rest.empty()) return target.empty() ? Result<void>(out()) : Result<void>();
  if (auto good = check_release_path(rest); !good) return out();
  return {};
}

Result<void> ReleaseTar::feed(std::string_view bytes) {
  if (bytes.size() > bytes_left_)
    return fail(ErrorCode::too_large, "the release's tar is larger than signed");
  bytes_left_ -= bytes.size();
  while (!bytes.empty()) {
    std::size_t taken = bytes.size();
    Result<void> good;
    switch (part_) {
      case Part::header:
        taken = take_header(bytes);
        if (header_.size() == block_bytes) good = begin_entry();
        break;
      case Part::content:
        taken = static_cast<std::size_t>(std::min<std::uint64_t>(content_left_, taken));
        good = take_content(bytes.substr(0, taken));
        break;
      case Part::padding:
        taken = static_cast<std::size_t>(std::min<std::uint64_t>(padding_left_, taken));
        if (!all_zero(bytes.substr(0, taken))) return wrong("has something between its files");
        padding_left_ -= taken;
        if (padding_left_ == 0) part_ = Part::header;
        break;
      case Part::end:
        if (!all_zero(bytes)) return wrong("goes on behind its end");
        break;
    }
    if (!good) return good;
    bytes.remove_prefix(taken);
  }
  return {};
}

Result<void> ReleaseTar::finish() const {
  if (part_ != Part::end) return wrong("is cut short");
  if (!seen_.contains(std::string(release_payload))) return wrong("has no payload");
  return {};
}

std::size_t ReleaseTar::take_header(std::string_view bytes) {
  const std::size_t taken = std::min(block_bytes - header_.size(), bytes.size());
  header_ += bytes.substr(0, taken);
  return taken;
}

Result<void> ReleaseTar::begin_entry() {
  const std::string header = std::exchange(header_, {});
  if (all_zero(header)) {  // two of these are the end
    if (std::exchange(first_end_block_, true)) part_ = Part::end;
    return {};
  }
  if (first_end_block_) return wrong("goes on behind its end");
  if (raw(header, magic_field) != std::string_view("ustar\00000", 8)) {
    return wrong("is not in the format that a release has (POSIX ustar)");
  }
  if (number(header, checksum_field) != checksum_of(header)) return wrong("has a damaged header");
  Result<ReleaseEntry> entry = entry_of(header);
  if (!entry) return fail(entry);
  return begin(std::move(*entry));
}

Result<void> ReleaseTar::begin(ReleaseEntry entry) {
  if (auto good = check_place(entry); !good) return good;
  if (auto good = add_folders_above(entry.path); !good) return good;
  const auto seen = seen_.find(entry.path);
  if (seen != seen_.end()) {
    const bool folder_again = entry.kind == ReleaseEntry::Kind::folder && seen->second.implied;
    if (!folder_again) return wrong(fmt::format("has {} twice", quoted_path(entry.path)));
    seen->second.implied = false;
    return {};
  }
  if (auto good = add(entry.path, entry.kind); !good) return good;
  if (auto good = sink_.entry(entry); !good) return good;
  if (entry.kind != ReleaseEntry::Kind::file) return {};
  content_left_ = entry.size;
  padding_left_ = (block_bytes - entry.size % block_bytes) % block_bytes;
  part_ = Part::content;
  return entry.size == 0 ? end_content() : Result<void>();
}

Result<void> ReleaseTar::check_place(const ReleaseEntry& entry) {
  if (auto good = check_release_path(entry.path); !good) return good;
  if (seen_.empty()) {
    if (entry.path != release_metadata_path || entry.kind != ReleaseEntry::Kind::file) {
      return wrong(fmt::format("does not begin with {}", release_metadata_path));
    }
    if (entry.size > max_metadata_bytes) {
      return fail(ErrorCode::too_large, fmt::format("{} is too large", release_metadata_path));
    }
    return {};
  }
  const bool top = entry.path == release_payload && entry.kind == ReleaseEntry::Kind::folder;
  if (!top && !entry.path.starts_with(fmt::format("{}/", release_payload))) {
    return wrong(fmt::format("has {} beside its payload", quoted_path(entry.path)));
  }
  if (entry.kind == ReleaseEntry::Kind::link) return check_release_link(entry.path, entry.target);
  return {};
}

Result<void> ReleaseTar::add_folders_above(std::string_view path) {
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
       slash = path.find('/', slash + 1)) {
    std::string folder(path.substr(0, slash));
    const auto seen = seen_.find(folder);
    if (seen != seen_.end()) {
      if (seen->second.kind == ReleaseEntry::Kind::folder) continue;
      return wrong(fmt::format("has {} in something that is no folder", quoted_path(path)));
    }
    ReleaseEntry implied;
    implied.kind = ReleaseEntry::Kind::folder;
    implied.path = folder;
    if (auto good = add(std::move(folder), implied.kind); !good) return good;
    seen_.find(implied.path)->second.implied = true;
    if (auto good = sink_.entry(implied); !good) return good;
  }
  return {};
}

Result<void> ReleaseTar::add(std::string path, ReleaseEntry::Kind kind) {
  if (seen_.size() >= max_entries) {
    return fail(ErrorCode::too_large, fmt::format("the release has more than {} files", max_entries));
  }
  seen_.emplace(std::move(path), Seen{kind, false});
  return {};
}

Result<void> ReleaseTar::take_content(std::string_view part) {
  if (auto good = sink_.content(part); !good) return good;
  content_left_ -= part.size();
  return content_left_ == 0 ? end_content() : Result<void>();
}

Result<void> ReleaseTar::end_content() {
  part_ = padding_left_ > 0 ? Part::padding : Part::header;
  return sink_.file_end();
}

}  // namespace starling::agent
