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

}  // namespace starling::hub
