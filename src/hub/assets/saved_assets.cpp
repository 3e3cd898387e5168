#include "hub/assets/saved_assets.hpp"

#include <fmt/format.h>

#include <system_error>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "hub/file_copies.hpp"

namespace starling::hub {

namespace fs = std::filesystem;
namespace {

// Under another name until it is whole. One that is collected meanwhile nobody needs.
Result<void> copy_asset(const fs::path& from, const fs::path& to) {
  const std::string hash = from.filename().string();
  if (check_content(to, hash)) return {};
  fs::path partial = to;
  partial += ".tmp";
  auto copied = copy_durably(from, partial);
  if (copied) copied = check_content(partial, hash);
  if (copied) copied = rename_durably(partial, to);
  if (copied) return {};
  std::error_code ignored;
  fs::remove(partial, ignored);
  if (copied.error().code == ErrorCode::not_found) return {};
  return fail(copied, from.string());
}

Result<void> copy_all_fleets(const fs::path& from, const fs::path& to) {
  const auto fleets = entries_of(from);
  if (!fleets) return fail(fleets);
  for (const fs::path& fleet : *fleets) {
    const auto files = entries_of(fleet);
    if (!files) return fail(files);
    const fs::path place = to / fleet.filename();
    if (auto made = make_folders(place, 0700); !made) return made;
    for (const fs::path& file : *files) {
      if (!Digest::from_hex(file.filename().string())) continue;
      if (auto copied = copy_asset(file, place / file.filename()); !copied) return copied;
    }
    if (auto synced = fsync_folder(place); !synced) return synced;
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
  std::error_code ignored;
  if (!fs::is_directory(data / "assets", ignored)) return {};
  if (fs::exists(target, ignored))
    return fail(ErrorCode::already_exists, fmt::format("{} exists: choose another name", target.string()));
  fs::path partial = target;
  partial += ".partial";
  fs::remove_all(partial, ignored);
  auto copied = make_folders(partial, 0700);
  if (copied) copied = copy_all_fleets(data / "assets", partial);
  if (copied) copied = rename_durably(partial, target);
  if (!copied) fs::remove_all(partial, ignored);
  return copied;
}

Result<void> restore_assets(const fs::path& saved, const fs::path& data) {
  std::error_code ignored;
  if (!fs::is_directory(saved, ignored)) return {};
  if (auto made = make_folders(data / "assets", 0700); !made) return made;
  return copy_all_fleets(saved, data / "assets");
}

}  // namespace starling::hub
