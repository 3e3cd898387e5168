#include "hub/store/sqlite/schema.hpp"

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace starling::hub::sqlite {
namespace {

constexpr std::int64_t application_id = 0x53746172;  // "Star", in the file's header for file(1)

// Bodies and edits are JSON text; digests are 32-byte blobs, NULL for none; times are Unix milliseconds.
// entity is the log applied from its beginning; change_entity is the log's index by entity.
constexpr std::string_view first_schema = R"sql(
CREATE TABLE meta (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE fleet (
  name TEXT    NOT NULL PRIMARY KEY,
  head INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE change (
  fleet          TEXT    NOT NULL,
  revision       INTEGER NOT NULL,
  at_ms          INTEGER NOT NULL,
  principal      TEXT    NOT NULL,
  principal_name TEXT    NOT NULL,
  action         TEXT    NOT NULL,
  reason         TEXT    NOT NULL,
  edits          TEXT    NOT NULL,
  PRIMARY KEY (fleet, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE change_entity (
  fleet    TEXT    NOT NULL,
  kind     TEXT    NOT NULL,
  id       TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  PRIMARY KEY (fleet, kind, id, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE entity (
  fleet    TEXT    NOT NULL,
  kind     TEXT    NOT NULL,
  id       TEXT    NOT NULL,
  revision INTEGER NOT NULL,
  body     TEXT    NOT NULL,
  PRIMARY KEY (fleet, kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_record (
  fleet               TEXT    NOT NULL,
  device_id           TEXT    NOT NULL,
  token_hash          BLOB,
  previous_token_hash BLOB,
  token_issued_ms     INTEGER NOT NULL,
  epoch_start         INTEGER NOT NULL,
  epoch_connection    INTEGER NOT NULL,
  last_seen_ms        INTEGER NOT NULL,
  running_revision    INTEGER NOT NULL,
  target              BLOB,
  running             BLOB,
  refused             BLOB,
  phase               TEXT    NOT NULL,
  version             TEXT    NOT NULL,
  rest_status         TEXT    NOT NULL,
  components          TEXT    NOT NULL,
  facts               TEXT    NOT NULL,
  PRIMARY KEY (fleet, device_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE answer (
  fleet          TEXT    NOT NULL,
  principal      TEXT    NOT NULL,
  idempotency_id TEXT    NOT NULL,
  request_hash   BLOB,
  at_ms          INTEGER NOT NULL,
  status         INTEGER NOT NULL,
  body           TEXT    NOT NULL,
  PRIMARY KEY (fleet, principal, idempotency_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX answer_at ON answer (at_ms);

CREATE TABLE action_result (
  fleet     TEXT    NOT NULL,
  action_id TEXT    NOT NULL,
  device_id TEXT    NOT NULL,
  at_ms     INTEGER NOT NULL,
  ok        INTEGER NOT NULL,
  result    TEXT    NOT NULL,
  PRIMARY KEY (fleet, action_id, device_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX action_result_at ON action_result (at_ms);
)sql";

// The columns of device_record without a prefix are of the settings section. Who never had a modules section
// has applied the empty object.
constexpr std::string_view modules_section = R"sql(
ALTER TABLE device_record ADD COLUMN module_names TEXT NOT NULL DEFAULT '';
ALTER TABLE device_record ADD COLUMN modules_target BLOB;
ALTER TABLE device_record ADD COLUMN modules_running BLOB
  DEFAULT x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a';
ALTER TABLE device_record ADD COLUMN modules_refused BLOB;
ALTER TABLE device_record ADD COLUMN modules_phase TEXT NOT NULL DEFAULT 'applied';
ALTER TABLE device_record ADD COLUMN modules_revision INTEGER NOT NULL DEFAULT 0;
)sql";

// Who never had a software section takes no releases.
constexpr std::string_view software_section = R"sql(
ALTER TABLE device_record ADD COLUMN software_target BLOB;
ALTER TABLE device_record ADD COLUMN software_running BLOB;
ALTER TABLE device_record ADD COLUMN software_refused BLOB;
ALTER TABLE device_record ADD COLUMN software_phase TEXT NOT NULL DEFAULT 'applied';
ALTER TABLE device_record ADD COLUMN software_revision INTEGER NOT NULL DEFAULT 0;
)sql";

// Step n brings user_version from n to n + 1. Never edit one that has been released: append the next.
constexpr std::array migrations{first_schema, modules_section, software_section};
constexpr auto newest_version = static_cast<std::int64_t>(migrations.size());

Result<void> migrate(Database& database, std::int64_t version) {
  const auto step = static_cast<std::size_t>(version);
  return database.execute(
      fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;",
                  migrations[step], application_id, version + 1));
}

}  // namespace

Result<void> check_schema(Database& database) {
  const auto id = database.integer("PRAGMA application_id");
  if (!id) return fail(id);
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return fail(version);
  if (*id != application_id || *version < 1) {
    return fail(ErrorCode::failed_precondition, "the file is an SQLite database, but not one of Starling");
  }
  if (*version > newest_version) {
    return fail(
        ErrorCode::failed_precondition,
        fmt::format("the database is of a newer starling-hub (its schema is {}, this one knows up to {}): "
                    "run the newer starling-hub",
                    *version, newest_version));
  }
  return {};
}

Result<Origin> prepare_schema(Database& database) {
  const auto tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return fail(tables);
  if (*tables > 0) {
    if (const auto checked = check_schema(database); !checked) return fail(checked);
  }
  const auto version = database.integer("PRAGMA user_version");
  if (!version) return fail(version);
  for (std::int64_t at = *tables > 0 ? *version : 0; at < newest_version; ++at) {
    if (const auto migrated = migrate(database, at); !migrated) {
      if (database.in_transaction()) (void)database.execute("ROLLBACK");
      return fail(migrated, "preparing the tables");
    }
  }
  return *tables > 0 ? Origin::existing : Origin::created;
}

}  // namespace starling::hub::sqlite
