#include "hub/store/sqlite/write_connection.hpp"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "hub/store/sqlite/schema.hpp"

namespace starling::hub::sqlite {
namespace {

constexpr std::int64_t purge_rows = 1000;  // a turn of the writer stays short

constexpr std::string_view put_record_sql = R"sql(
INSERT INTO device_record (fleet, device_id, token_hash, previous_token_hash, token_issued_ms, epoch_start,
  epoch_connection, last_seen_ms, running_revision, target, running, refused, phase, version, rest_status, components,
  facts, module_names, modules_target, modules_running, modules_refused, modules_phase, modules_revision,
  software_target, software_running, software_refused, software_phase, software_revision)
VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)
ON CONFLICT DO UPDATE SET
  token_hash = excluded.token_hash, previous_token_hash = excluded.previous_token_hash,
  token_issued_ms = excluded.token_issued_ms, epoch_start = excluded.epoch_start,
  epoch_connection = excluded.epoch_connection, last_seen_ms = excluded.last_seen_ms,
  running_revision = excluded.running_revision, target = excluded.target, running = excluded.running,
  refused = excluded.refused, phase = excluded.phase, version = excluded.version,
  rest_status = excluded.rest_status, components = excluded.components, facts = excluded.facts,
  module_names = excluded.module_names, modules_target = excluded.modules_target,
  modules_running = excluded.modules_running, modules_refused = excluded.modules_refused,
  modules_phase = excluded.modules_phase, modules_revision = excluded.modules_revision,
  software_target = excluded.software_target, software_running = excluded.software_running,
  software_refused = excluded.software_refused, software_phase = excluded.software_phase,
  software_revision = excluded.software_revision
)sql";

bool of_its_own(const Error& error) {
  return error.code == ErrorCode::conflict || error.code == ErrorCode::already_exists;
}

std::string_view stored_components(const DeviceRecord& record) {
  if (!record.components) return {};
  return record.components->empty() ? declared_none : std::string_view(*record.components);
}

}  // namespace

Result<WriteConnection> WriteConnection::over(Database database) {
  WriteConnection connection(std::move(database));
  if (const auto prepared = connection.prepare(); !prepared) return fail(prepared);
  return connection;
}

Result<void> WriteConnection::prepare() {
  const std::pair<Statement*, std::string_view> all[] = {
      {&sql_.begin, "BEGIN IMMEDIATE"},
      {&sql_.commit, "COMMIT"},
      {&sql_.rollback, "ROLLBACK"},
      {&sql_.head, "SELECT head FROM fleet WHERE name = ?"},
      {&sql_.set_head,
       "INSERT INTO fleet (name, head) VALUES (?, ?) ON CONFLICT DO UPDATE SET head = excluded.head"},
      {&sql_.add_change,
       "INSERT INTO change (fleet, revision, at_ms, principal, principal_name, action, reason, edits) "
       "VALUES (?,?,?,?,?,?,?,?)"},
      {&sql_.index_change,
       "INSERT OR IGNORE INTO change_entity (fleet, kind, id, revision) VALUES (?,?,?,?)"},
      {&sql_.put_entity,
       "INSERT INTO entity (fleet, kind, id, revision, body) VALUES (?,?,?,?,?) "
       "ON CONFLICT DO UPDATE SET revision = excluded.revision, body = excluded.body"},
      {&sql_.remove_entity, "DELETE FROM entity WHERE fleet = ? AND kind = ? AND id = ?"},
      {&sql_.has_device, "SELECT 1 FROM entity WHERE fleet = ? AND kind = 'device' AND id = ?"},
      {&sql_.put_record, put_record_sql},
      {&sql_.remove_record, "DELETE FROM device_record WHERE fleet = ? AND device_id = ?"},
      {&sql_.answer_time,
       "SELECT at_ms FROM answer WHERE fleet = ? AND principal = ? AND idempotency_id = ?"},
      {&sql_.put_answer,
       "INSERT OR REPLACE INTO answer (fleet, principal, idempotency_id, request_hash, at_ms, status, body) "
       "VALUES (?,?,?,?,?,?,?)"},
      {&sql_.put_result,
       "INSERT OR IGNORE INTO action_result (fleet, action_id, device_id, at_ms, ok, result) VALUES "
       "(?,?,?,?,?,?)"},
      {&sql_.purge_answers,
       "DELETE FROM answer WHERE (fleet, principal, idempotency_id) IN "
       "(SELECT fleet, principal, idempotency_id FROM answer WHERE at_ms < ? LIMIT ?) RETURNING 1"},
      // The log keeps them; the state at any revision is made from it.
      {&sql_.purge_actions,
       "DELETE FROM entity WHERE kind = 'action' AND (fleet, id) IN "
       "(SELECT fleet, id FROM entity WHERE fleet IN (SELECT name FROM fleet) AND kind = 'action' "
       "AND json_extract(body, '$.expires_at') < ? LIMIT ?) RETURNING 1"},
      {&sql_.purge_results,
       "DELETE FROM action_result WHERE (fleet, action_id, device_id) IN "
       "(SELECT fleet, action_id, device_id FROM action_result WHERE at_ms < ? LIMIT ?) RETURNING 1"},
  };
  for (const auto& [statement, sql] : all) {
    auto prepared = database_.prepare(sql);
    if (!prepared) return fail(prepared);
    *statement = std::move(*prepared);
  }
  return {};
}

std::vector<Result<void>> WriteConnection::store(const std::vector<Write>& group) {
  std::vector<Result<void>> outcomes(group.size());
  Result<void> transaction = sql_.begin.run();
  for (std::size_t i = 0; i < group.size() && transaction; ++i) {
    outcomes[i] = check(group[i].batch, group[i].now_ms);
    if (outcomes[i]) {
      transaction = put(group[i]);
    } else if (!of_its_own(outcomes[i].error())) {
      transaction = outcomes[i];
    }
  }
  if (transaction) transaction = sql_.commit.run();
  if (transaction) return outcomes;
  if (database_.in_transaction()) (void)sql_.rollback.run();  // SQLite may have rolled back already
  for (auto& outcome : outcomes) {
    if (outcome) outcome = transaction;
  }
  return outcomes;
}

Result<void> WriteConnection::check(const Batch& batch, std::int64_t now_ms) {
  if (const auto checked = check_revisions(batch); !checked) return checked;
  return check_answers(batch, now_ms);
}

Result<void> WriteConnection::check_revisions(const Batch& batch) {
  std::map<std::string_view, std::int64_t> heads;
  for (const SharedChange& change : batch.changes) {
    auto at = heads.find(change->fleet);
    if (at == heads.end()) {
      const auto head = head_of(change->fleet);
      if (!head) return fail(head);
      at = heads.emplace(change->fleet, *head).first;
    }
    if (change->revision != at->second + 1) {
      return fail(ErrorCode::conflict, fmt::format("revision {} does not follow the head {} of fleet '{}'",
                                                   change->revision, at->second, change->fleet));
    }
    at->second = change->revision;
  }
  return {};
}

Result<void> WriteConnection::check_answers(const Batch& batch, std::int64_t now_ms) {
  std::set<std::tuple<std::string_view, std::string_view, std::string_view>> in_batch;
  for (const Answer& answer : batch.answers) {
    bool stored = !in_batch.emplace(answer.fleet, answer.principal, answer.idempotency_id).second;
    const auto looked =
        sql_.answer_time.bind(answer.fleet, answer.principal, answer.idempotency_id).each([&] {
          if (sql_.answer_time.integer(0) >= now_ms - answer_lifetime.count()) stored = true;
          return Result<void>();
        });
    if (!looked) return looked;
    if (stored) {
      return fail(
          ErrorCode::already_exists,
          fmt::format("a request with the idempotency id '{}' was answered already", answer.idempotency_id));
    }
  }
  return {};
}

Result<void> WriteConnection::put(const Write& write) {
  for (const SharedChange& change : write.batch.changes) {
    if (const auto put = put_change(*change); !put) return put;
  }
  if (const auto put = put_heads(write.batch); !put) return put;
  for (const Answer& answer : write.batch.answers) {
    if (const auto put = put_answer(answer); !put) return put;
  }
  for (const DeviceRecord& record : write.batch.records) {
    if (const auto put = put_record(record); !put) return put;
  }
  for (const StoredActionResult& result : write.results) {
    if (const auto put = put_result(result); !put) return put;
  }
  return {};
}

Result<void> WriteConnection::put_change(const Change& change) {
  encoder_.encode(change.edits);
  const auto added = sql_.add_change
                         .bind(change.fleet, change.revision, change.at_ms, change.principal,
                               change.principal_name, change.action, change.reason, encoder_.text())
                         .run();
  if (!added) return added;
  for (std::size_t i = 0; i < change.edits.size(); ++i) {
    const auto put = put_entity(change, change.edits[i], encoder_.after(i));
    if (!put) return put;
  }
  return {};
}

Result<void> WriteConnection::put_entity(const Change& change, const Edit& edit, std::string_view body) {
  const std::string_view kind = to_string(edit.kind);
  const auto indexed = sql_.index_change.bind(change.fleet, kind, edit.id, change.revision).run();
  if (!indexed) return indexed;
  if (!body.empty()) return sql_.put_entity.bind(change.fleet, kind, edit.id, change.revision, body).run();
  if (edit.kind == EntityKind::device) {
    const auto removed = sql_.remove_record.bind(change.fleet, edit.id).run();
    if (!removed) return removed;
  }
  return sql_.remove_entity.bind(change.fleet, kind, edit.id).run();
}

Result<void> WriteConnection::put_heads(const Batch& batch) {
  for (std::size_t i = 0; i < batch.changes.size(); ++i) {
    const Change& change = *batch.changes[i];
    const bool last_of_its_run = i + 1 == batch.changes.size() || batch.changes[i + 1]->fleet != change.fleet;
    if (!last_of_its_run) continue;
    if (const auto set = sql_.set_head.bind(change.fleet, change.revision).run(); !set) return set;
  }
  return {};
}

Result<void> WriteConnection::put_answer(const Answer& answer) {
  return sql_.put_answer
      .bind(answer.fleet, answer.principal, answer.idempotency_id, answer.request_hash, answer.at_ms,
            std::int64_t{answer.status}, answer.body)
      .run();
}

Result<void> WriteConnection::put_record(const DeviceRecord& record) {
  bool registered = false;
  const auto looked = sql_.has_device.bind(record.fleet, record.device_id).each([&] {
    registered = true;
    return Result<void>();
  });
  if (!looked || !registered) return looked;
  return sql_.put_record
      .bind(record.fleet, record.device_id, record.token_hash, record.previous_token_hash,
            record.token_issued_ms, record.epoch.start, record.epoch.connection, record.last_seen_ms,
            record.settings.running_revision, record.settings.target, record.settings.running,
            record.settings.refused, protocol::to_string(record.settings.phase), record.version,
            record.rest_status, stored_components(record), record.facts, record.module_names,
            record.modules.target, record.modules.running, record.modules.refused,
            protocol::to_string(record.modules.phase), record.modules.running_revision,
            record.software.target, record.software.running, record.software.refused,
            protocol::to_string(record.software.phase), record.software.running_revision)
      .run();
}

Result<void> WriteConnection::put_result(const StoredActionResult& result) {
  return sql_.put_result
      .bind(result.fleet, result.action_id, result.device_id, result.at_ms, std::int64_t{result.ok},
            result.result)
      .run();
}

Result<std::int64_t> WriteConnection::head_of(std::string_view fleet) {
  std::int64_t head = 0;
  const auto looked = sql_.head.bind(fleet).each([&] {
    head = sql_.head.integer(0);
    return Result<void>();
  });
  if (!looked) return fail(looked);
  return head;
}

Result<WriteConnection::Purged> WriteConnection::purge(std::int64_t now_ms) {
  const std::int64_t expired_before = now_ms - answer_lifetime.count();
  Purged purged = Purged::all;
  for (Statement* statement : {&sql_.purge_answers, &sql_.purge_results, &sql_.purge_actions}) {
    std::int64_t rows = 0;
    const auto deleted = statement->bind(expired_before, purge_rows).each([&] {
      ++rows;
      return Result<void>();
    });
    if (!deleted) return fail(deleted);
    if (rows == purge_rows) purged = Purged::some;
  }
  return purged;
}

}  // namespace starling::hub::sqlite
