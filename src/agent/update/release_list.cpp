#include "agent/update/release_list.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace starling::agent {
namespace {

using release::Entry;

constexpr std::string_view end_word = "sha256\t";

std::unexpected<Error> damaged(std::string_view what) {
  return fail(ErrorCode::corrupted, fmt::format("the list of the release's files {}", what));
}

// What is left of `rest` up to the next separator, which is removed.
std::string_view next(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return part;
}

std::optional<ListedEntry> file_in(std::string_view fields) {
  ListedEntry listed;
  listed.entry.path = next(fields, '\t');
  const std::string_view mode = next(fields, '\t');
  const std::string_view size = next(fields, '\t');
  const auto [end, error] = std::from_chars(size.data(), size.data() + size.size(), listed.entry.size);
  const auto hash = Digest::from_hex(fields);
  if ((mode != "0755" && mode != "0644") || error != std::errc() || end != size.data() + size.size()) {
    return std::nullopt;
  }
  if (!hash || !*hash) return std::nullopt;
  listed.entry.executable = mode == "0755";
  listed.hash = *hash;
  return listed;
}

std::optional<ListedEntry> entry_in(std::string_view line) {
  const std::string_view kind = next(line, '\t');
  if (kind == "file") return file_in(line);
  ListedEntry listed;
  listed.entry.path = next(line, '\t');
  if (kind == "folder") {
    listed.entry.kind = Entry::Kind::folder;
    return line.empty() ? std::optional(std::move(listed)) : std::nullopt;
  }
  if (kind != "link" || line.empty()) return std::nullopt;
  listed.entry.kind = Entry::Kind::link;
  listed.entry.target = line;
  return listed;
}

}  // namespace

std::string release_list_text(const ReleaseList& list) {
  std::string text;
  for (const auto& [entry, hash] : list) {
    switch (entry.kind) {
      case Entry::Kind::folder: text += fmt::format("folder\t{}\n", entry.path); break;
      case Entry::Kind::link: text += fmt::format("link\t{}\t{}\n", entry.path, entry.target); break;
      case Entry::Kind::file:
        text += fmt::format("file\t{}\t{:04o}\t{}\t{}\n", entry.path, mode_of(entry), entry.size, hash.hex());
        break;
    }
  }
  return text + fmt::format("{}{}\n", end_word, sha256(text).hex());
}

Result<ReleaseList> parse_release_list(std::string_view text) {
  const std::size_t last_line = text.size() < 2 ? std::string_view::npos : text.rfind('\n', text.size() - 2);
  const std::size_t end = last_line == std::string_view::npos ? 0 : last_line + 1;
  std::string_view lines = text.substr(0, end);
  if (text.substr(end) != fmt::format("{}{}\n", end_word, sha256(lines).hex())) {
    return damaged("does not have its hash");
  }
  ReleaseList list;
  while (!lines.empty()) {
    if (list.size() == release::max_entries) return damaged("is too long");
    auto listed = entry_in(next(lines, '\n'));
    if (!listed || !release::check_path(listed->entry.path)) return damaged("cannot be read");
    const bool link = listed->entry.kind == Entry::Kind::link;
    if (link && !release::check_link(listed->entry.path, listed->entry.target))
      return damaged("leads elsewhere");
    list.push_back(std::move(*listed));
  }
  return list;
}

}  // namespace starling::agent
