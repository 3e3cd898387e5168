#include "agent/disk.hpp"

namespace starling::agent {

bool is_damage(const Error& error) {
  return error.code != ErrorCode::io && error.code != ErrorCode::permission_denied;
}

std::string_view folder_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

Result<void> replace_file(Disk& disk, std::string_view path, std::string_view content, unsigned mode) {
  const std::string fresh = std::string(path) + ".new";
  auto replaced = disk.write_file(fresh, content, mode);
  if (replaced) replaced = disk.rename(fresh, path);
  if (!replaced) {
    (void)disk.remove_tree(fresh);  // it would fill a full disk further
    return replaced;
  }
  return disk.sync_folder(folder_of(path));
}

Result<void> replace_link(Disk& disk, std::string_view path, std::string_view target) {
  const std::string fresh = std::string(path) + ".new";
  if (auto removed = disk.remove_tree(fresh); !removed) return removed;
  if (auto made = disk.make_link(target, fresh); !made) return made;
  if (auto renamed = disk.rename(fresh, path); !renamed) return renamed;
  return disk.sync_folder(folder_of(path));
}

}  // namespace starling::agent
