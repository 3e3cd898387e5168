#include "hub/store/sqlite/data_folder.hpp"

#include <fmt/format.h>

#include <system_error>

#include "hub/store/sqlite/schema.hpp"

namespace starling::hub::sqlite {
namespace {

// synchronous: each commit waits until the log is on disk. wal_autocheckpoint: the writer chooses the moment,
// after it has answered. temp_store: nothing of ours goes to /tmp.
constexpr const char* writer_settings =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384; PRAGMA temp_store = MEMORY;"
    "PRAGMA foreign_keys = ON;";
constexpr const char* reader_settings = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY;";

}  // namespace

Result<FileLock> DataFolder::lock() const {
  if (!std::filesystem::exists(path)) {
    if (const auto made = make_folders(path, 0700); !made) return fail(made);
    const auto synced = fsync_folder(std::filesystem::absolute(path).parent_path());
    if (!synced) return fail(synced);
  }
  auto lock = FileLock::acquire(path / "hub.lock");
  if (!lock && lock.error().code == ErrorCode::failed_precondition) {
    return fail(ErrorCode::failed_precondition,
                fmt::format("another starling-hub works in {}: stop it, or choose another folder with --data",
                            path.string()));
  }
  return lock;
}

Result<Database> DataFolder::open_for_writing() const {
  auto opened = Database::open(database(), Database::Mode::create, vfs);
  if (!opened) return fail(opened);
  std::error_code ignored;  // the folder protects it as well
  std::filesystem::permissions(
      database(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, ignored);
  if (const auto set = opened->execute(writer_settings); !set) return fail(set);
  return opened;
}

Result<Database> DataFolder::open_for_reading() const {
  auto opened = Database::open(database(), Database::Mode::read_write, vfs);
  if (!opened) return fail(opened);
  if (const auto set = opened->execute(reader_settings); !set) return fail(set);
  return opened;
}

}  // namespace starling::hub::sqlite
