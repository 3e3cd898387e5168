// Purpose: the only connection that writes: stores a group of batches in one transaction.
// Owner: SqliteStore. Thread: its writer thread, after open(). Lifetime: the store's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "hub/store/sqlite/database.hpp"
#include "hub/store/sqlite/edits_text.hpp"
#include "hub/store/store.hpp"

namespace starling::hub::sqlite {

// One call of the store that writes, with its answer.
struct Write {
  Batch batch;
  std::vector<StoredActionResult> results;
  std::int64_t now_ms = 0;  // Unix time of the call
  Store::Completion<void> done;
};

class WriteConnection {
 public:
  // `database` has its tables.
  static Result<WriteConnection> over(Database database);

  // Group commit: one transaction, one wait for the disk. Gives the outcome of each write: one that does not
  // fit (conflict, already_exists) is left out, while any other error leaves out the whole group.
  std::vector<Result<void>> store(const std::vector<Write>& group);

  // Deletes a bounded number of answers and results older than their lifetime; says whether there are more.
  enum class Purged { all, some };
  Result<Purged> purge(std::int64_t now_ms);

  Database& database() { return database_; }

 private:
  explicit WriteConnection(Database database) : database_(std::move(database)) {}
  Result<void> prepare();

  // Looks only, so that a batch that does not fit needs no way back.
  Result<void> check(const Batch& batch, std::int64_t now_ms);
  Result<void> check_revisions(const Batch& batch);
  Result<void> check_answers(const Batch& batch, std::int64_t now_ms);
  Result<void> put(const Write& write);
  Result<void> put_change(const Change& change);
  Result<void> put_entity(const Change& change, const Edit& edit, std::string_view body);
  Result<void> put_heads(const Batch& batch);
  Result<void> put_answer(const Answer& answer);
  Result<void> put_record(const DeviceRecord& record);
  Result<void> put_result(const StoredActionResult& result);
  Result<std::int64_t> head_of(std::string_view fleet);

  Database database_;  // before its statements, which end first
  struct Statements {
    Statement begin, commit, rollback;
    Statement head, set_head, add_change, index_change, put_entity, remove_entity;
    Statement has_device, put_record, remove_record;
    Statement answer_time, put_answer, put_result, purge_answers, purge_results, purge_actions;
  };
  Statements sql_;
  EditsEncoder encoder_;
};

}  // namespace starling::hub::sqlite
