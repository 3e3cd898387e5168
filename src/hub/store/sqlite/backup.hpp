// Purpose: what `starling-hub backup FILE` and `starling-hub restore FILE` do.
// Owner: none. Thread: any; blocking. Lifetime: none.
#pragma once

#include <filesystem>

#include "base/result.hpp"
#include "hub/store/sqlite/data_folder.hpp"
#include "hub/store/sqlite/high_water.hpp"

namespace starling::hub::sqlite {

// Copies the database as it is at one moment into a new file, also while a hub runs on it.
// Errors: not_found (no database), already_exists (the file), failed_precondition (not of this hub),
// unavailable (disk full), corrupted, permission_denied, io. After an error there is no such file.
Result<void> back_up(const DataFolder& folder, const std::filesystem::path& file);

struct Restored {
  HighWater mark;  // what the database holds now
  std::filesystem::path
      former;  // where the one before is kept: starling.db.replaced-N; empty: there was none
};

// Puts a backup in the place of the database, as a new generation, and keeps the former one. After an error
// the former one is still in place. Errors: not_found (the file), failed_precondition (a hub runs on the
// folder; the file is not of this hub), corrupted (the file), unavailable, permission_denied, io.
Result<Restored> restore(const std::filesystem::path& file, const DataFolder& folder);

}  // namespace starling::hub::sqlite
