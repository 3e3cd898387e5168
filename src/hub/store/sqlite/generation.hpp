// Purpose: decides at start whether this database is still the one whose revisions the world knows.
// Owner: none. Thread: the one that opens the database. Lifetime: none.
#pragma once

#include "base/log.hpp"
#include "base/result.hpp"
#include "hub/store/sqlite/data_folder.hpp"
#include "hub/store/sqlite/database.hpp"
#include "hub/store/sqlite/high_water.hpp"
#include "hub/store/sqlite/schema.hpp"

namespace starling::hub::sqlite {

// Mints a new generation for a new database, for one that is behind the mark beside it or was not written
// with it, and for one without a mark. Leaves the mark on disk, durably, and gives it back. Errors:
// failed_precondition (the mark says that there was a database, and there is none), Database's, io.
Result<HighWater> settle_generation(const DataFolder& folder, Database& database, Origin origin,
                                    const Logger& log);

// Gives the database a generation that nobody has heard of.
Result<std::string> mint_generation(Database& database);
Result<HighWater> read_mark_of(Database& database);

}  // namespace starling::hub::sqlite
