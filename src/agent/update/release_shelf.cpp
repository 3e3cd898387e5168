#include "agent/update/release_shelf.hpp"

#include <algorithm>

namespace starling::agent {
namespace {

bool is_wanted(std::string_view name, const WantedReleases& wanted) {
  const auto hash = Digest::from_hex(name.substr(0, name.find('.')));
  if (!hash || !*hash) return false;
  if (wanted.in_work == *hash) return true;
  return name.find('.') == std::string_view::npos &&
         std::ranges::find(wanted.unpacked, *hash) != wanted.unpacked.end();
}

}  // namespace

Result<void> collect_releases(Disk& disk, const WantedReleases& wanted) {
  const auto names = disk.list(releases_folder);
  if (!names && names.error().code == ErrorCode::not_found) return {};
  if (!names) return fail(names);
  bool removed = false;
  for (const std::string& name : *names) {
    if (is_wanted(name, wanted)) continue;
    if (auto gone = disk.remove_tree(std::string(releases_folder) + "/" + name); !gone) return gone;
    removed = true;
  }
  return removed ? disk.sync_folder(releases_folder) : Result<void>();
}

Result<std::uint64_t> bytes_needed(Disk& disk, const ReleaseTarget& target) {
  std::uint64_t needed = 2 * target.length;
  const auto part = disk.status(release_tar_path(target.release.hash) + ".part");
  if (part) return needed - std::min(part->size, target.length);
  if (part.error().code != ErrorCode::not_found) return fail(part);
  return needed;
}

}  // namespace starling::agent
