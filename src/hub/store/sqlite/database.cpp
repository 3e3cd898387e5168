#include "hub/store/sqlite/database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstring>

namespace starling::hub::sqlite {
namespace {

constexpr int busy_timeout_ms = 2000;

std::string file_of(sqlite3* connection) {
  const char* name = sqlite3_db_filename(connection, "main");
  return name != nullptr && *name != '\0' ? name : "the database";
}

std::unexpected<Error> full(const std::string& file) {
  return fail(ErrorCode::unavailable,
              fmt::format("nothing was stored: the disk that holds {} is full; free some space there", file));
}

Error damaged(const std::string& file, std::string_view detail) {
  return {ErrorCode::corrupted,
          fmt::format("{} is damaged ({}): stop the hub, keep a copy of the file and bring the last backup "
                      "back with 'starling-hub restore BACKUP'",
                      file, detail),
          {}};
}

std::unexpected<Error> failure(sqlite3* connection, int code) {
  const std::string file = file_of(connection);
  const char* detail = sqlite3_errmsg(connection);
  const int system_error = sqlite3_system_errno(connection);
  switch (code & 0xff) {
    case SQLITE_FULL: return full(file);
    case SQLITE_IOERR:
      if (system_error == ENOSPC || system_error == EDQUOT) return full(file);
      return fail(ErrorCode::io, fmt::format("{}: {} ({})", file, detail, std::strerror(system_error)));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fail(ErrorCode::unavailable,
                  fmt::format("{} is locked by another process ({}); end that one", file, detail));
    case SQLITE_NOMEM: return fail(ErrorCode::unavailable, fmt::format("{}: out of memory", file));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return std::unexpected(damaged(file, detail));
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return fail(ErrorCode::permission_denied,
                  fmt::format("{} cannot be written ({}); make it and its folder writable for the hub's user",
                              file, detail));
    case SQLITE_CANTOPEN:
      return fail(ErrorCode::io,
                  fmt::format("{} cannot be opened ({}): {}", file, detail, std::strerror(system_error)));
    default: return fail(ErrorCode::internal, fmt::format("{}: {} (SQLite {})", file, detail, code));
  }
}

int note_wal_pages(void* pages, sqlite3*, const char*, int in_wal) {
  *static_cast<int*>(pages) = in_wal;
  return SQLITE_OK;
}

int open_flags(Database::Mode mode) {
  switch (mode) {
    case Database::Mode::create: return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    case Database::Mode::read_write: return SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    case Database::Mode::read_only: break;
  }
  return SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX;
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Result<Statement::Step> Statement::step() {
  if (bind_code_ != SQLITE_OK) return failure(sqlite3_db_handle(statement_.get()), bind_code_);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return Step::row;
  if (code == SQLITE_DONE) return Step::done;
  return failure(sqlite3_db_handle(statement_.get()), code);
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  bind_code_ = SQLITE_OK;
}

Result<void> Statement::run() {
  return each([] { return Result<void>(); });
}

void Statement::bind_one(int index, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();  // a null pointer would bind NULL
  note(sqlite3_bind_text64(statement_.get(), index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void Statement::bind_one(int index, std::int64_t value) {
  note(sqlite3_bind_int64(statement_.get(), index, value));
}

void Statement::bind_one(int index, const Digest& value) {
  if (!value) {
    note(sqlite3_bind_null(statement_.get(), index));
    return;
  }
  note(sqlite3_bind_blob64(statement_.get(), index, value.bytes.data(), value.bytes.size(), SQLITE_STATIC));
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Digest Statement::digest(int column) const {
  Digest digest;
  const void* data = sqlite3_column_blob(statement_.get(), column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  if (data != nullptr && size == digest.bytes.size()) std::memcpy(digest.bytes.data(), data, size);
  return digest;
}

void Database::Closer::operator()(sqlite3* connection) const {
  sqlite3_close_v2(connection);
}

Database::Database(sqlite3* connection) : connection_(connection), wal_pages_(std::make_unique<int>(0)) {}

Result<Database> Database::open(const std::filesystem::path& path, Mode mode, const std::string& vfs) {
  sqlite3* connection = nullptr;
  const int code =
      sqlite3_open_v2(path.c_str(), &connection, open_flags(mode), vfs.empty() ? nullptr : vfs.c_str());
  if (connection == nullptr) return fail(ErrorCode::unavailable, "out of memory");
  Database database(connection);
  if (code != SQLITE_OK) {
    const int system_error = sqlite3_system_errno(connection);
    return fail(system_error == EACCES ? ErrorCode::permission_denied : ErrorCode::io,
                fmt::format("{} cannot be opened: {}", path.string(),
                            system_error == 0 ? sqlite3_errmsg(connection) : std::strerror(system_error)));
  }
  sqlite3_extended_result_codes(connection, 1);
  sqlite3_busy_timeout(connection, busy_timeout_ms);
  sqlite3_wal_hook(connection, note_wal_pages, database.wal_pages_.get());
  return database;
}

Result<void> Database::execute(const std::string& sql) {
  const int code = sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(connection_.get(), code);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return failure(connection_.get(), code);
  return Statement(statement);
}

Result<std::int64_t> Database::integer(std::string_view sql) {
  const auto value = text(sql);
  if (!value) return fail(value);
  return std::strtoll(value->c_str(), nullptr, 10);
}

Result<std::string> Database::text(std::string_view sql) {
  auto statement = prepare(sql);
  if (!statement) return fail(statement);
  Result<std::string> value = fail(ErrorCode::not_found, fmt::format("no row for {}", sql));
  const auto read = statement->each([&] {
    value = std::string(statement->text(0));
    return Result<void>();
  });
  if (!read) return fail(read);
  return value;
}

Error Database::damage(std::string_view detail) const {
  return damaged(file_of(connection_.get()), detail);
}

bool Database::in_transaction() const {
  return sqlite3_get_autocommit(connection_.get()) == 0;
}

Result<void> Database::checkpoint() {
  int in_wal = 0;
  int copied = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(connection_.get(), "main", SQLITE_CHECKPOINT_PASSIVE, &in_wal, &copied);
  // What a reader still needs stays until the next one.
  if (code != SQLITE_OK && (code & 0xff) != SQLITE_BUSY) return failure(connection_.get(), code);
  if (in_wal == copied) *wal_pages_ = 0;
  return {};
}

}  // namespace starling::hub::sqlite
