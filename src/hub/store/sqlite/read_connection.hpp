// Purpose: reads the database beside the writer: everything at start, history and answers later.
// Owner: SqliteStore. Thread: one at a time. Lifetime: the store's.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "hub/store/sqlite/database.hpp"
#include "hub/store/store.hpp"

namespace starling::hub::sqlite {

class ReadConnection {
 public:
  static Result<ReadConnection> over(Database database);

  // Errors: Database's; corrupted if a row cannot be read or the log does not end at the head.
  Result<StoredHub> load();
  Result<std::vector<SharedChange>> read_changes(const ChangeQuery& query);
  Result<std::optional<Answer>> find_answer(const std::string& fleet, const std::string& principal,
                                            const std::string& idempotency_id, std::int64_t now_ms);
  Result<std::vector<StoredActionResult>> read_action_results(const std::string& fleet,
                                                              const std::string& action_id,
                                                              std::int64_t now_ms);

 private:
  explicit ReadConnection(Database database) : database_(std::move(database)) {}
  Result<void> load_fleets(StoredHub& hub);
  Result<void> load_entities(StoredHub& hub);
  Result<void> load_records(StoredHub& hub);

  Database database_;                           // before its statements, which end first
  std::array<Statement, 2> changes_;            // oldest first, newest first
  std::array<Statement, 2> changes_of_entity_;  // likewise
  Statement answer_;
  Statement results_;
};

}  // namespace starling::hub::sqlite
