// Purpose: the tables, and how a database of an older hub becomes one of this hub.
// Owner: none. Thread: the one that opens the database. Lifetime: none.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "hub/store/sqlite/database.hpp"

namespace starling::hub::sqlite {

enum class Origin { created, existing };

// In device_record.components: the device declared that it has none. Empty text: it has never declared any.
inline constexpr std::string_view declared_none = ",";

// Creates the tables in an empty database, or runs the migrations that it lacks, each in one transaction.
// Errors: failed_precondition (not a Starling database, or one of a newer hub), and Database's.
Result<Origin> prepare_schema(Database& database);

// The same checks without changing anything, for a backup.
Result<void> check_schema(Database& database);

}  // namespace starling::hub::sqlite
