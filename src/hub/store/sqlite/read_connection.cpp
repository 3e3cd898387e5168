#include "hub/store/sqlite/read_connection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "hub/store/sqlite/edits_text.hpp"
#include "hub/store/sqlite/schema.hpp"

namespace starling::hub::sqlite {
namespace {

constexpr std::string_view change_columns =
    "revision, at_ms, principal, principal_name, action, reason, edits";

std::string changes_sql(std::string_view order) {
  return fmt::format(
      "SELECT {} FROM change WHERE fleet = ? AND revision > ? AND revision <= ? ORDER BY revision {} LIMIT ?",
      change_columns, order);
}

// The ids that begin with a prefix lie between it and itself with a byte that no UTF-8 text has.
std::string changes_of_entity_sql(std::string_view order) {
  return fmt::format(
      "SELECT {0} FROM change WHERE fleet = ?1 AND revision IN "
      "(SELECT DISTINCT revision FROM change_entity WHERE fleet = ?1 AND revision > ?2 AND revision <= ?3 "
      "AND kind = ?5 AND id >= ?6 AND id < ?7 ORDER BY revision {1} LIMIT ?4) ORDER BY revision {1}",
      change_columns, order);
}

Result<SharedChange> change_of(const Statement& row, const std::string& fleet) {
  auto edits = decode_edits(row.text(6));
  if (!edits) return fail(edits, fmt::format("change {} of fleet '{}'", row.integer(0), fleet));
  auto change = std::make_shared<Change>();
  change->fleet = fleet;
  change->revision = row.integer(0);
  change->at_ms = row.integer(1);
  change->principal = row.text(2);
  change->principal_name = row.text(3);
  change->action = row.text(4);
  change->reason = row.text(5);
  change->edits = std::move(*edits);
  return change;
}

Result<protocol::Phase> phase_of(std::string_view name) {
  using protocol::Phase;
  for (const Phase phase :
       {Phase::staging, Phase::provisional, Phase::applied, Phase::refused, Phase::reverted}) {
    if (to_string(phase) == name) return phase;
  }
  return fail(ErrorCode::corrupted, fmt::format("a device record has the unknown phase '{}'", name));
}

Result<DeviceRecord> record_of(const Statement& row) {
  const auto phase = phase_of(row.text(12));
  if (!phase) return fail(phase);
  const auto modules_phase = phase_of(row.text(21));
  if (!modules_phase) return fail(modules_phase);
  const auto software_phase = phase_of(row.text(26));
  if (!software_phase) return fail(software_phase);
  DeviceRecord record;
  record.fleet = row.text(0);
  record.device_id = row.text(1);
  record.token_hash = row.digest(2);
  record.previous_token_hash = row.digest(3);
  record.token_issued_ms = row.integer(4);
  record.epoch = {row.integer(5), row.integer(6)};
  record.last_seen_ms = row.integer(7);
  record.settings = {row.digest(9), row.digest(10), row.digest(11), *phase, row.integer(8)};
  record.version = row.text(13);
  record.rest_status = row.text(14);
  if (const std::string_view declared = row.text(15); !declared.empty())
    record.components = declared == declared_none ? std::string_view() : declared;
  record.facts = row.text(16);
  record.module_names = row.text(17);
  record.modules = {row.digest(18), row.digest(19), row.digest(20), *modules_phase, row.integer(22)};
  record.software = {row.digest(23), row.digest(24), row.digest(25), *software_phase, row.integer(27)};
  return record;
}

// Rows come sorted by fleet, as the fleets do. nullptr: a row of no fleet.
StoredFleet* fleet_of(StoredHub& hub, std::string_view name, std::size_t& at) {
  while (at < hub.fleets.size() && hub.fleets[at].name < name)
    ++at;
  return at < hub.fleets.size() && hub.fleets[at].name == name ? &hub.fleets[at] : nullptr;
}

std::string no_such_fleet(std::string_view name) {
  return fmt::format("it has rows of a fleet '{}' that does not exist", name);
}

}  // namespace

Result<ReadConnection> ReadConnection::over(Database database) {
  ReadConnection connection(std::move(database));
  const std::pair<Statement*, std::string> all[] = {
      {&connection.changes_[0], changes_sql("ASC")},
      {&connection.changes_[1], changes_sql("DESC")},
      {&connection.changes_of_entity_[0], changes_of_entity_sql("ASC")},
      {&connection.changes_of_entity_[1], changes_of_entity_sql("DESC")},
      {&connection.answer_,
       "SELECT request_hash, at_ms, status, body FROM answer "
       "WHERE fleet = ? AND principal = ? AND idempotency_id = ? AND at_ms >= ?"},
      {&connection.results_,
       "SELECT device_id, at_ms, ok, result FROM action_result "
       "WHERE fleet = ? AND action_id = ? AND at_ms >= ? ORDER BY device_id"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = connection.database_.prepare(sql);
    if (!prepared) return fail(prepared);
    *statement = std::move(*prepared);
  }
  return connection;
}

Result<StoredHub> ReadConnection::load() {
  StoredHub hub;
  auto generation = database_.text("SELECT value FROM meta WHERE name = 'generation'");
  if (!generation) return fail(generation, "reading the hub's generation");
  hub.generation = std::move(*generation);
  if (const auto loaded = load_fleets(hub); !loaded) return fail(loaded, "reading the fleets");
  if (const auto loaded = load_entities(hub); !loaded) return fail(loaded, "reading the entities");
  if (const auto loaded = load_records(hub); !loaded) return fail(loaded, "reading the device records");
  return hub;
}

Result<void> ReadConnection::load_fleets(StoredHub& hub) {
  auto rows = database_.prepare(
      "SELECT name, head, (SELECT max(revision) FROM change WHERE fleet = name) FROM fleet ORDER BY name");
  if (!rows) return fail(rows);
  return rows->each([&]() -> Result<void> {
    StoredFleet fleet;
    fleet.name = rows->text(0);
    fleet.head = rows->integer(1);
    if (rows->integer(2) != fleet.head) {
      return std::unexpected(database_.damage(fmt::format(
          "the log of fleet '{}' ends at {}, not at its head {}", fleet.name, rows->integer(2), fleet.head)));
    }
    hub.fleets.push_back(std::move(fleet));
    return {};
  });
}

Result<void> ReadConnection::load_entities(StoredHub& hub) {
  auto rows =
      database_.prepare("SELECT fleet, kind, id, revision, body FROM entity ORDER BY fleet, kind, id");
  if (!rows) return fail(rows);
  std::size_t at = 0;
  return rows->each([&]() -> Result<void> {
    StoredFleet* fleet = fleet_of(hub, rows->text(0), at);
    if (fleet == nullptr) return std::unexpected(database_.damage(no_such_fleet(rows->text(0))));
    const auto kind = parse_entity_kind(rows->text(1));
    auto body = decode_body(rows->text(4));
    if (!kind || !body) {
      return std::unexpected(database_.damage(fmt::format("the {} '{}' of fleet '{}' cannot be read",
                                                          rows->text(1), rows->text(2), fleet->name)));
    }
    fleet->entities.push_back(
        StoredEntity{*kind, std::string(rows->text(2)), std::move(*body), rows->integer(3)});
    return {};
  });
}

Result<void> ReadConnection::load_records(StoredHub& hub) {
  auto rows = database_.prepare(
      "SELECT fleet, device_id, token_hash, previous_token_hash, token_issued_ms, epoch_start, "
      "epoch_connection, "
      "last_seen_ms, running_revision, target, running, refused, phase, version, rest_status, components, "
      "facts, module_names, modules_target, modules_running, modules_refused, modules_phase, "
      "modules_revision, software_target, software_running, software_refused, software_phase, "
      "software_revision "
      "FROM device_record ORDER BY fleet, device_id");
  if (!rows) return fail(rows);
  std::size_t at = 0;
  return rows->each([&]() -> Result<void> {
    auto record = record_of(*rows);
    if (!record) return std::unexpected(database_.damage(record.error().message));
    StoredFleet* fleet = fleet_of(hub, record->fleet, at);
    if (fleet == nullptr) return std::unexpected(database_.damage(no_such_fleet(record->fleet)));
    fleet->records.push_back(std::move(*record));
    return {};
  });
}

Result<std::vector<SharedChange>> ReadConnection::read_changes(const ChangeQuery& query) {
  constexpr std::size_t most = std::numeric_limits<std::int64_t>::max();
  const auto limit = static_cast<std::int64_t>(std::min(query.limit, most));
  const std::string after_prefix = query.id_prefix + '\xff';
  Statement& rows = (query.kind ? changes_of_entity_ : changes_)[query.newest_first ? 1 : 0];
  if (query.kind) {
    rows.bind(query.fleet, query.since, query.until, limit, to_string(*query.kind), query.id_prefix,
              after_prefix);
  } else {
    rows.bind(query.fleet, query.since, query.until, limit);
  }
  std::vector<SharedChange> changes;
  const auto read = rows.each([&]() -> Result<void> {
    auto change = change_of(rows, query.fleet);
    if (!change) return fail(change);
    changes.push_back(std::move(*change));
    return {};
  });
  if (!read) return fail(read);
  return changes;
}

Result<std::optional<Answer>> ReadConnection::find_answer(const std::string& fleet,
                                                          const std::string& principal,
                                                          const std::string& idempotency_id,
                                                          std::int64_t now_ms) {
  std::optional<Answer> found;
  const std::int64_t oldest_ms = now_ms - answer_lifetime.count();
  const auto read = answer_.bind(fleet, principal, idempotency_id, oldest_ms).each([&] {
    found = Answer{fleet,
                   principal,
                   idempotency_id,
                   answer_.digest(0),
                   answer_.integer(1),
                   static_cast<int>(answer_.integer(2)),
                   std::string(answer_.text(3))};
    return Result<void>();
  });
  if (!read) return fail(read);
  return found;
}

Result<std::vector<StoredActionResult>> ReadConnection::read_action_results(const std::string& fleet,
                                                                            const std::string& action_id,
                                                                            std::int64_t now_ms) {
  std::vector<StoredActionResult> results;
  const std::int64_t oldest_ms = now_ms - answer_lifetime.count();
  const auto read = results_.bind(fleet, action_id, oldest_ms).each([&] {
    results.push_back({fleet, action_id, std::string(results_.text(0)), results_.integer(1),
                       results_.integer(2) != 0, std::string(results_.text(3))});
    return Result<void>();
  });
  if (!read) return fail(read);
  return results;
}

}  // namespace starling::hub::sqlite
