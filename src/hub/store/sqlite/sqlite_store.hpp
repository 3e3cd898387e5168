// Purpose: the store in an SQLite file (write-ahead log), safe against SIGKILL and power cuts.
// Owner: main(). Thread: calls from the hub's; one thread of its own writes, one reads; completions are
// posted to the Executor. Lifetime: the destructor stores and answers what was accepted; the Executor
// outlives it.
//
// All batches that wait when the writer comes back from the disk are stored in one transaction, so that the
// price of a durable commit is shared by everyone who waits (group commit).
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.hpp"
#include "base/files.hpp"
#include "base/log.hpp"
#include "hub/executor.hpp"
#include "hub/store/sqlite/data_folder.hpp"
#include "hub/store/sqlite/high_water.hpp"
#include "hub/store/sqlite/read_connection.hpp"
#include "hub/store/sqlite/write_connection.hpp"
#include "hub/store/store.hpp"

namespace starling::hub {

class SqliteStore final : public Store {
 public:
  // Creates what is missing. Mints a new generation for a new database and for one that is behind the
  // high-water mark. Errors: failed_precondition (another hub has the folder, the database is missing or of a
  // newer hub), corrupted, permission_denied, unavailable, io.
  static Result<std::unique_ptr<SqliteStore>> open(sqlite::DataFolder folder, Executor& executor,
                                                   const Clock& clock, Logger log);
  ~SqliteStore() override;

  Result<StoredHub> load() override;
  void commit(Batch batch, Completion<void> done) override;
  void save_records(std::vector<DeviceRecord> records, Completion<void> done) override;
  void save_action_results(std::vector<StoredActionResult> results, Completion<void> done) override;
  void read_changes(ChangeQuery query, Completion<std::vector<SharedChange>> done) override;
  void find_answer(std::string fleet, std::string principal, std::string idempotency_id,
                   Completion<std::optional<Answer>> done) override;
  void read_action_results(std::string fleet, std::string action_id,
                           Completion<std::vector<StoredActionResult>> done) override;

 private:
  using Read = std::function<void(sqlite::ReadConnection&)>;

  SqliteStore(sqlite::DataFolder folder, FileLock lock, sqlite::WriteConnection writer,
              sqlite::ReadConnection reader, sqlite::HighWater mark, Executor& executor, const Clock& clock,
              Logger log);

  std::int64_t now_ms() const { return clock_.wall().time_since_epoch().count(); }
  void enqueue(sqlite::Write write);
  void enqueue(Read read);
  template <typename T>
  void answer(Completion<T> done, Result<T> result);

  // On the writer's thread.
  void write_until_stopped();
  std::vector<sqlite::Write> take_writes();
  void store(std::vector<sqlite::Write> group);
  void keep_house(std::int64_t now_ms);
  void note_heads(const std::vector<sqlite::Write>& group, const std::vector<Result<void>>& outcomes);
  void save_mark();
  // On the reader's thread.
  void read_until_stopped();

  const sqlite::DataFolder folder_;
  const FileLock lock_;
  Executor& executor_;
  const Clock& clock_;
  const Logger log_;

  // The writer's thread only.
  sqlite::WriteConnection writer_;
  sqlite::HighWater mark_;
  bool mark_saved_ = true;
  int groups_since_mark_ = 0;
  std::int64_t next_purge_ms_ = 0;
  // The reader's thread only.
  sqlite::ReadConnection reader_;

  std::mutex mutex_;  // of the members below
  std::condition_variable writes_wait_;
  std::condition_variable reads_wait_;
  std::vector<sqlite::Write> writes_;
  std::deque<Read> reads_;
  bool stopping_ = false;

  std::thread write_thread_;
  std::thread read_thread_;
};

}  // namespace starling::hub
