#include "hub/store/sqlite/backup.hpp"

#include <fmt/format.h>

#include <system_error>

#include "base/files.hpp"
#include "hub/store/sqlite/generation.hpp"
#include "hub/store/sqlite/schema.hpp"

namespace starling::hub::sqlite {
namespace {

namespace fs = std::filesystem;

fs::path with_suffix(fs::path path, std::string_view suffix) {
  path += suffix;
  return path;
}

void remove_database(const fs::path& path) {
  std::error_code ignored;  // what cannot be removed is found again by whoever needs the name
  for (const std::string_view suffix : {"", "-wal", "-shm", "-journal"})
    fs::remove(with_suffix(path, suffix), ignored);
}

// A compact copy, synced, at `target`, which is replaced.
Result<void> copy_database(Database& database, const fs::path& target) {
  remove_database(target);
  if (const auto made = write_file_durably(target, "", 0600); !made) return made;
  auto statement = database.prepare("VACUUM INTO ?");
  if (!statement) return fail(statement);
  const std::string name = target.string();
  auto copied = statement->bind(name).run();
  if (copied) copied = fsync_file(target);
  if (!copied) remove_database(target);
  return copied;
}

Result<void> move_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) {
    return fail(ErrorCode::io,
                fmt::format("renaming {} to {}: {}", from.string(), to.string(), error.message()));
  }
  return {};
}

Result<Database> open_existing(const fs::path& path, Database::Mode mode, const std::string& vfs) {
  if (!fs::exists(path)) return fail(ErrorCode::not_found, fmt::format("there is no {}", path.string()));
  auto database = Database::open(path, mode, vfs);
  if (!database) return fail(database);
  if (const auto checked = check_schema(*database); !checked) return fail(checked, path.string());
  return database;
}

// Errors: corrupted.
Result<void> check_integrity(Database& database, const fs::path& path) {
  const auto verdict = database.text("PRAGMA integrity_check(1)");
  if (verdict && *verdict == "ok") return {};
  if (!verdict && verdict.error().code != ErrorCode::corrupted) return fail(verdict);
  return fail(ErrorCode::corrupted,
              fmt::format("the backup {} is damaged ({}): nothing was changed; use another one",
                          path.string(), verdict ? *verdict : "it cannot be read"));
}

// The backup with a generation of its own and the tables of this hub, ready to be renamed into place.
Result<HighWater> prepare_replacement(const fs::path& backup, const fs::path& replacement) {
  auto source = open_existing(backup, Database::Mode::read_only, {});
  if (!source && source.error().code == ErrorCode::corrupted) {
    return fail(
        ErrorCode::corrupted,
        fmt::format("{} is no backup of a hub, or it is damaged: nothing was changed", backup.string()));
  }
  if (!source) return fail(source);
  if (const auto checked = check_integrity(*source, backup); !checked) return fail(checked);
  if (const auto copied = copy_database(*source, replacement); !copied) return fail(copied);
  auto copy = Database::open(replacement, Database::Mode::read_write);
  if (!copy) return fail(copy);
  if (const auto prepared = prepare_schema(*copy); !prepared) return fail(prepared);
  if (const auto minted = mint_generation(*copy); !minted) return fail(minted);
  return read_mark_of(*copy);
}

// Keeps the database in place under a second name, with nothing left in its write-ahead log, which would be
// taken for the replacement's. Gives that name; empty: there is no database.
Result<fs::path> keep_former(const DataFolder& folder) {
  const fs::path database = folder.database();
  if (!fs::exists(database)) return fs::path();
  // Closing the last connection empties and removes the log; a database too damaged for that keeps it.
  if (auto opened = folder.open_for_writing(); opened) (void)opened->checkpoint();

  fs::path kept;
  for (int n = 1; kept.empty() || fs::exists(kept); ++n)
    kept = with_suffix(database, fmt::format(".replaced-{}", n));
  std::error_code error;
  fs::create_hard_link(database, kept, error);
  if (error) {
    return fail(ErrorCode::io,
                fmt::format("keeping {} as {}: {}", database.string(), kept.string(), error.message()));
  }
  if (fs::exists(with_suffix(database, "-wal"))) {
    const auto moved = move_file(with_suffix(database, "-wal"), with_suffix(kept, "-wal"));
    if (!moved) return fail(moved);
  }
  fs::remove(with_suffix(database, "-shm"), error);
  return kept;
}

}  // namespace

Result<void> back_up(const DataFolder& folder, const fs::path& file) {
  if (fs::exists(file)) {
    return fail(ErrorCode::already_exists, fmt::format("{} exists: choose another name", file.string()));
  }
  auto database = open_existing(folder.database(), Database::Mode::read_write, folder.vfs);
  if (!database) return fail(database);
  const fs::path partial = with_suffix(file, ".partial");
  if (const auto copied = copy_database(*database, partial); !copied) return fail(copied, "backing up");
  if (const auto moved = move_file(partial, file); !moved) return moved;
  return fsync_folder(fs::absolute(file).parent_path());
}

Result<Restored> restore(const fs::path& file, const DataFolder& folder) {
  const auto lock = folder.lock();
  if (!lock) return fail(lock);
  const fs::path replacement = with_suffix(folder.database(), ".restoring");
  auto mark = prepare_replacement(file, replacement);
  if (!mark) {
    remove_database(replacement);
    return fail(mark, "restoring");
  }
  auto kept = keep_former(folder);
  if (!kept) return fail(kept, "restoring");
  if (const auto moved = move_file(replacement, folder.database()); !moved) return fail(moved, "restoring");
  if (const auto synced = fsync_folder(folder.path); !synced) return fail(synced, "restoring");
  if (const auto written = write_high_water(folder.high_water(), *mark, Durability::flushed); !written)
    return fail(written, "restoring");
  return Restored{std::move(*mark), std::move(*kept)};
}

}  // namespace starling::hub::sqlite
