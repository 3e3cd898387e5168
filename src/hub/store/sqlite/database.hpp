// Purpose: a SQLite connection and its prepared statements as values that clean up after themselves.
// Owner: WriteConnection, ReadConnection. Thread: one at a time. Lifetime: a Statement ends before its
// Database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/crypto.hpp"
#include "base/result.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace starling::hub::sqlite {

// Errors of everything here: unavailable (disk full, locked by another process), corrupted (with what to do),
// permission_denied, io, internal (a bug: bad SQL, a broken constraint).

class Statement {
 public:
  Statement() = default;  // may only be assigned to

  // Binds all parameters, in order. Views must stay alive until run() or each() returns.
  template <typename... Values>
  Statement& bind(const Values&... values) {
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }

  // Steps to the end and resets.
  Result<void> run();

  // Calls `row()`, which returns Result<void>, for each row; the first error ends it. Resets in any case: a
  // statement left open would hold the write-ahead log back.
  template <typename Row>
  Result<void> each(Row&& row) {
    Result<void> outcome;
    for (;;) {
      const Result<Step> stepped = step();
      if (!stepped) outcome = fail(stepped);
      if (!stepped || *stepped == Step::done) break;
      outcome = row();
      if (!outcome) break;
    }
    reset();
    return outcome;
  }

  // Columns of the current row, from 0. Views are good until the next step.
  std::int64_t integer(int column) const;
  std::string_view text(int column) const;
  Digest digest(int column) const;  // NULL and blobs of another size give none

 private:
  friend class Database;
  enum class Step { row, done };
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };

  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  Result<Step> step();
  void reset();
  void bind_one(int index, std::string_view value);
  void bind_one(int index, std::int64_t value);
  void bind_one(int index, const Digest& value);  // none binds NULL
  void note(int code) {
    if (bind_code_ == 0) bind_code_ = code;
  }

  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int bind_code_ = 0;  // of the first binding that failed since the last reset
};

class Database {
 public:
  enum class Mode { create, read_write, read_only };
  // `vfs`: the name of a registered SQLite VFS; empty for the system's.
  static Result<Database> open(const std::filesystem::path& path, Mode mode, const std::string& vfs = {});

  // One or more statements without parameters and results.
  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(std::string_view sql);
  // The first column of the only row; not_found without one.
  Result<std::int64_t> integer(std::string_view sql);
  Result<std::string> text(std::string_view sql);

  bool in_transaction() const;

  // The error to give when what was read makes no sense: says what to do about it.
  Error damage(std::string_view detail) const;

  // Frames in the write-ahead log after the last commit of this connection.
  int wal_pages() const { return *wal_pages_; }
  // Copies what readers let go of into the database file, without waiting for them.
  Result<void> checkpoint();

 private:
  struct Closer {
    void operator()(sqlite3* connection) const;
  };
  explicit Database(sqlite3* connection);

  std::unique_ptr<sqlite3, Closer> connection_;
  std::unique_ptr<int> wal_pages_;  // SQLite's hook holds its address
};

}  // namespace starling::hub::sqlite
