// Purpose: remembers outside the database how far its logs had come, so that a database that was put back
// from an older copy by hand is noticed: cursors and devices may then be ahead of it. Owner: SqliteStore.
// Thread: one at a time. Lifetime: none beyond the value.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "base/result.hpp"

namespace starling::hub::sqlite {

struct HighWater {
  std::string generation;
  std::map<std::string, std::int64_t, std::less<>> heads;  // by fleet
};

enum class Durability { flushed, buffered };

// Empty: there is no such file. Errors: corrupted, permission_denied, io.
Result<std::optional<HighWater>> read_high_water(const std::filesystem::path& path);

// Buffered: over a mark of the same generation that is not ahead, without waiting for the disk; what a power
// cut leaves of it costs a new generation at worst. Errors: permission_denied, io.
Result<void> write_high_water(const std::filesystem::path& path, const HighWater& mark,
                              Durability durability);

}  // namespace starling::hub::sqlite
