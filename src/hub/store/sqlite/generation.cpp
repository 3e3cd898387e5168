#include "hub/store/sqlite/generation.hpp"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "base/uuid.hpp"

namespace starling::hub::sqlite {
namespace {

// Why clients must not trust their cursors any more; empty: they may.
std::string_view reason_to_mint(Origin origin, const Result<std::optional<HighWater>>& beside,
                                const HighWater& database) {
  if (origin == Origin::created) return "a new database";
  if (!beside) return "the high-water mark cannot be read";
  if (!*beside) return "there is no high-water mark";
  const HighWater& mark = **beside;
  if (mark.generation != database.generation) return "the high-water mark is of another generation";
  for (const auto& [fleet, head] : mark.heads) {
    const auto at = database.heads.find(fleet);
    if (at == database.heads.end() || at->second < head) return "the database is behind its high-water mark";
  }
  return {};
}

}  // namespace

Result<HighWater> settle_generation(const DataFolder& folder, Database& database, Origin origin,
                                    const Logger& log) {
  const auto beside = read_high_water(folder.high_water());
  const bool had_database = !beside || beside->has_value();
  if (!beside && beside.error().code != ErrorCode::corrupted) return fail(beside);
  if (origin == Origin::created && had_database) {
    return fail(ErrorCode::failed_precondition,
                fmt::format("{} is missing, but {} says that there was one: bring a backup back with "
                            "'starling-hub restore BACKUP', or delete the latter to begin with nothing",
                            folder.database().string(), folder.high_water().string()));
  }
  auto mark = read_mark_of(database);
  if (!mark) return fail(mark);
  const std::string_view reason = reason_to_mint(origin, beside, *mark);
  if (!reason.empty()) {
    auto minted = mint_generation(database);
    if (!minted) return fail(minted);
    mark->generation = std::move(*minted);
    if (origin == Origin::existing) {
      log.warning("a new hub generation begins: every device compares its settings anew",
                  {{"reason", reason}, {"generation", mark->generation}});
    }
  }
  if (const auto written = write_high_water(folder.high_water(), *mark, Durability::flushed); !written) {
    return fail(written);
  }
  return mark;
}

Result<std::string> mint_generation(Database& database) {
  std::string generation = make_uuid_v4();
  auto statement = database.prepare(
      "INSERT INTO meta (name, value) VALUES ('generation', ?) ON CONFLICT DO UPDATE SET value = "
      "excluded.value");
  if (!statement) return fail(statement);
  if (const auto set = statement->bind(generation).run(); !set)
    return fail(set, "giving the hub a generation");
  return generation;
}

Result<HighWater> read_mark_of(Database& database) {
  HighWater mark;
  auto generation = database.text("SELECT value FROM meta WHERE name = 'generation'");
  if (!generation && generation.error().code != ErrorCode::not_found) return fail(generation);
  if (generation) mark.generation = std::move(*generation);
  auto rows = database.prepare("SELECT name, head FROM fleet");
  if (!rows) return fail(rows);
  const auto read = rows->each([&] {
    mark.heads.emplace(rows->text(0), rows->integer(1));
    return Result<void>();
  });
  if (!read) return fail(read);
  return mark;
}

}  // namespace starling::hub::sqlite
