// Purpose: the list of what is in an unpacked release, with the hash of each file, by which it is checked
// again before it runs. It lies in the release's folder. Owner: values. Thread: any. Lifetime: none.
//
// A line each, fields with a tab between them: "folder PATH", "link PATH TARGET",
// "file PATH 0755|0644 BYTES SHA256"; the last is "sha256" with the hash of all lines before it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "release/entry.hpp"

namespace starling::agent {

inline constexpr std::string_view release_list_name = "files.list";
inline constexpr std::size_t max_release_list_bytes =
    release::max_entries * (2 * release::max_path_bytes + 128);

struct ListedEntry {
  release::Entry entry;
  Digest hash;  // of a file
  bool operator==(const ListedEntry&) const = default;
};
using ReleaseList = std::vector<ListedEntry>;

std::string release_list_text(const ReleaseList& list);
// Errors: corrupted.
Result<ReleaseList> parse_release_list(std::string_view text);

inline unsigned mode_of(const release::Entry& entry) {
  return entry.executable ? 0755 : 0644;
}

}  // namespace starling::agent
