#include "hub/assets/saved_assets.hpp"

#include <system_error>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "hub/file_copies.hpp"

namespace starling::hub {

namespace fs = std::filesystem;
namespace {

Result<void> copy_assets(const fs::path& from, const fs::path& to) {
  const auto files = entries_of(from);
  if (!files) return fail(files);
  if (auto made = make_folders(to, 0700); !made) return made;
  for (const fs::path& file : *files) {
    const std::string hash = file.filename().string();
    if (!Digest::from_hex(hash)) continue;
    const auto copied = copy_checked(file, to / hash, hash);
    const bool collected = !copied && copied.error().code == ErrorCode::not_found;  // nobody needs it
    if (!copied && !collected) return copied;
  }
  return fsync_folder(to);
}

}  // namespace

fs::path saved_assets_of(const fs::path& backup) {
  fs::path saved = backup;
  saved += ".assets";
  return saved;
}

Result<void> back_up_assets(const fs::path& data, const fs::path& target) {
  return copy_fleets_whole(data / "assets", target, copy_assets);
}

Result<void> restore_assets(const fs::path& saved, const fs::path& data) {
  std::error_code ignored;
  if (!fs::is_directory(saved, ignored)) return {};
  if (auto made = make_folders(data / "assets", 0700); !made) return made;
  return copy_fleets(saved, data / "assets", copy_assets);
}

}  // namespace starling::hub
