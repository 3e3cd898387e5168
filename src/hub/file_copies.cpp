#include "hub/file_copies.hpp"

#include <fmt/format.h>

#include <system_error>

#include "base/crypto.hpp"
#include "base/files.hpp"
#include "release/bytes.hpp"

namespace starling::hub {

namespace fs = std::filesystem;
namespace {

std::unexpected<Error> failed(std::string_view doing, const fs::path& path, const std::error_code& error) {
  const bool gone = error == std::errc::no_such_file_or_directory;
  return fail(gone ? ErrorCode::not_found : ErrorCode::io,
              fmt::format("{} {}: {}", doing, path.string(), error.message()));
}

// Errors: corrupted, those of reading.
Result<void> check_content(const fs::path& file, std::string_view sha256) {
  auto bytes = release::FileBytes::open(file);
  if (!bytes) return fail(bytes);
  Hasher hasher(HashAlgorithm::sha256);
  const auto read = release::copy_all(*bytes, [&](std::string_view part) {
    hasher.update(part);
    return Result<void>();
  });
  if (!read) return read;
  if (hasher.finish() == sha256) return {};
  return fail(ErrorCode::corrupted, fmt::format("{} is damaged", file.string()));
}

}  // namespace

Result<std::vector<fs::path>> entries_of(const fs::path& folder) {
  auto entries = list_folder(folder);
  if (entries || entries.error().code != ErrorCode::not_found) return entries;
  return std::vector<fs::path>();
}

Result<void> copy_durably(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error) return failed("copying", from, error);
  return fsync_file(to);
}

Result<void> rename_durably(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) return failed("renaming", from, error);
  return fsync_folder(fs::absolute(to).parent_path());
}

Result<fs::path> keep_aside(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return fs::path();
  fs::path kept;
  for (int n = 1; kept.empty() || fs::exists(kept, ignored); ++n)
    kept = fmt::format("{}{}{}", path.string(), replaced_mark, n);
  if (auto moved = rename_durably(path, kept); !moved) return fail(moved);
  return kept;
}

Result<void> copy_checked(const fs::path& from, const fs::path& to, std::string_view sha256) {
  if (check_content(to, sha256)) return {};
  fs::path partial = to;
  partial += ".tmp";
  auto copied = copy_durably(from, partial);
  if (copied) copied = check_content(partial, sha256);
  if (copied) copied = rename_durably(partial, to);
  if (copied) return {};
  std::error_code ignored;
  fs::remove(partial, ignored);
  return fail(copied, from.string());
}

Result<void> copy_fleets(const fs::path& from, const fs::path& to, CopyFleet copy) {
  const auto fleets = entries_of(from);
  if (!fleets) return fail(fleets);
  for (const fs::path& fleet : *fleets) {
    if (auto copied = copy(fleet, to / fleet.filename()); !copied) return copied;
  }
  return fsync_folder(to);
}

Result<void> copy_fleets_whole(const fs::path& from, const fs::path& target, CopyFleet copy) {
  std::error_code ignored;
  if (!fs::is_directory(from, ignored)) return {};
  if (fs::exists(target, ignored))
    return fail(ErrorCode::already_exists, fmt::format("{} exists: choose another name", target.string()));
  fs::path partial = target;
  partial += ".partial";
  fs::remove_all(partial, ignored);
  auto copied = make_folders(partial, 0700);
  if (copied) copied = copy_fleets(from, partial, copy);
  if (copied) copied = rename_durably(partial, target);
  if (!copied) fs::remove_all(partial, ignored);
  return copied;
}

}  // namespace starling::hub
