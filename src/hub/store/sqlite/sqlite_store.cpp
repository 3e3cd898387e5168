#include "hub/store/sqlite/sqlite_store.hpp"

#include <fmt/format.h>

#include <utility>

#include "hub/store/sqlite/generation.hpp"
#include "hub/store/sqlite/schema.hpp"

namespace starling::hub {
namespace {

constexpr int checkpoint_pages_idle = 1000;  // 4 MB: a checkpoint takes some milliseconds
constexpr int checkpoint_pages_busy = 8000;  // under load rarer, since callers wait for it
constexpr int groups_between_marks = 64;     // under load; an idle writer saves the mark at once
constexpr std::int64_t purge_every_ms = 3'600'000;

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(sqlite::DataFolder folder, Executor& executor,
                                                       const Clock& clock, Logger log) {
  auto lock = folder.lock();
  if (!lock) return fail(lock);
  auto database = folder.open_for_writing();
  if (!database) return fail(database);
  const auto origin = sqlite::prepare_schema(*database);
  if (!origin) return fail(origin, folder.database().string());
  auto mark = sqlite::settle_generation(folder, *database, *origin, log);
  if (!mark) return fail(mark);
  // The new file's name must survive as well as its content.
  if (const auto synced = fsync_folder(folder.path); !synced) return fail(synced);

  auto writer = sqlite::WriteConnection::over(std::move(*database));
  if (!writer) return fail(writer);
  auto reading = folder.open_for_reading();
  if (!reading) return fail(reading);
  auto reader = sqlite::ReadConnection::over(std::move(*reading));
  if (!reader) return fail(reader);
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(folder), std::move(*lock), std::move(*writer),
                                                      std::move(*reader), std::move(*mark), executor, clock,
                                                      log));
}

SqliteStore::SqliteStore(sqlite::DataFolder folder, FileLock lock, sqlite::WriteConnection writer,
                         sqlite::ReadConnection reader, sqlite::HighWater mark, Executor& executor,
                         const Clock& clock, Logger log)
    : folder_(std::move(folder)),
      lock_(std::move(lock)),
      executor_(executor),
      clock_(clock),
      log_(log),
      writer_(std::move(writer)),
      mark_(std::move(mark)),
      reader_(std::move(reader)) {
  write_thread_ = std::thread([this] { write_until_stopped(); });
  read_thread_ = std::thread([this] { read_until_stopped(); });
}

SqliteStore::~SqliteStore() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  writes_wait_.notify_one();
  reads_wait_.notify_one();
  write_thread_.join();
  read_thread_.join();
}

Result<StoredHub> SqliteStore::load() {
  auto database = folder_.open_for_reading();
  if (!database) return fail(database);
  auto connection = sqlite::ReadConnection::over(std::move(*database));
  if (!connection) return fail(connection);
  return connection->load();
}

void SqliteStore::commit(Batch batch, Completion<void> done) {
  enqueue(sqlite::Write{std::move(batch), {}, now_ms(), std::move(done)});
}

void SqliteStore::save_records(std::vector<DeviceRecord> records, Completion<void> done) {
  Batch batch;
  batch.records = std::move(records);
  commit(std::move(batch), std::move(done));
}

void SqliteStore::save_action_results(std::vector<StoredActionResult> results, Completion<void> done) {
  enqueue(sqlite::Write{{}, std::move(results), now_ms(), std::move(done)});
}

void SqliteStore::read_changes(ChangeQuery query, Completion<std::vector<SharedChange>> done) {
  enqueue([this, query = std::move(query), done = std::move(done)](sqlite::ReadConnection& reader) {
    answer(done, reader.read_changes(query));
  });
}

void SqliteStore::find_answer(std::string fleet, std::string principal, std::string idempotency_id,
                              Completion<std::optional<Answer>> done) {
  enqueue([this, fleet = std::move(fleet), principal = std::move(principal),
           idempotency_id = std::move(idempotency_id), now = now_ms(),
           done = std::move(done)](sqlite::ReadConnection& reader) {
    answer(done, reader.find_answer(fleet, principal, idempotency_id, now));
  });
}

void SqliteStore::read_action_results(std::string fleet, std::string action_id,
                                      Completion<std::vector<StoredActionResult>> done) {
  enqueue([this, fleet = std::move(fleet), action_id = std::move(action_id), now = now_ms(),
           done = std::move(done)](sqlite::ReadConnection& reader) {
    answer(done, reader.read_action_results(fleet, action_id, now));
  });
}

template <typename T>
void SqliteStore::answer(Completion<T> done, Result<T> result) {
  if (!result) log_.error("the database could not be read", {{"error", result.error().message}});
  executor_.post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
}

void SqliteStore::enqueue(sqlite::Write write) {
  {
    const std::lock_guard guard(mutex_);
    writes_.push_back(std::move(write));
  }
  writes_wait_.notify_one();
}

void SqliteStore::enqueue(Read read) {
  {
    const std::lock_guard guard(mutex_);
    reads_.push_back(std::move(read));
  }
  reads_wait_.notify_one();
}

void SqliteStore::write_until_stopped() {
  for (;;) {
    std::vector<sqlite::Write> group = take_writes();
    if (group.empty()) break;
    store(std::move(group));
  }
  save_mark();
}

// Empty: the store stops and nothing is left.
std::vector<sqlite::Write> SqliteStore::take_writes() {
  std::unique_lock guard(mutex_);
  writes_wait_.wait(guard, [this] { return stopping_ || !writes_.empty(); });
  return std::exchange(writes_, {});
}

void SqliteStore::store(std::vector<sqlite::Write> group) {
  std::vector<Result<void>> outcomes = writer_.store(group);
  note_heads(group, outcomes);
  const std::int64_t now = group.back().now_ms;

  struct Answered {
    Completion<void> done;
    Result<void> outcome;
  };
  auto answered = std::make_shared<std::vector<Answered>>();
  answered->reserve(group.size());
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (!outcomes[i]) log_.error("nothing was stored", {{"error", outcomes[i].error().message}});
    answered->push_back({std::move(group[i].done), std::move(outcomes[i])});
  }
  executor_.post([answered] {
    for (Answered& each : *answered)
      each.done(std::move(each.outcome));
  });
  group.clear();
  keep_house(now);
}

// What nobody waits for: done after the answers are out.
void SqliteStore::keep_house(std::int64_t now_ms) {
  bool idle = false;
  {
    const std::lock_guard guard(mutex_);
    idle = writes_.empty();
  }
  if (writer_.database().wal_pages() >= (idle ? checkpoint_pages_idle : checkpoint_pages_busy)) {
    const auto done = writer_.database().checkpoint();
    if (!done) log_.warning("the write-ahead log grows", {{"error", done.error().message}});
  }
  if (!mark_saved_ && (idle || ++groups_since_mark_ >= groups_between_marks)) save_mark();
  if (now_ms >= next_purge_ms_) {
    const auto purged = writer_.purge(now_ms);
    if (!purged) log_.warning("old answers could not be deleted", {{"error", purged.error().message}});
    const bool more = purged && *purged == sqlite::WriteConnection::Purged::some;
    next_purge_ms_ = more ? now_ms : now_ms + purge_every_ms;
  }
}

void SqliteStore::note_heads(const std::vector<sqlite::Write>& group,
                             const std::vector<Result<void>>& outcomes) {
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (!outcomes[i]) continue;
    for (const SharedChange& change : group[i].batch.changes) {
      mark_.heads[change->fleet] = change->revision;
      mark_saved_ = false;
    }
  }
}

void SqliteStore::save_mark() {
  const auto saved = sqlite::write_high_water(folder_.high_water(), mark_, sqlite::Durability::buffered);
  if (!saved) log_.warning("the high-water mark could not be written", {{"error", saved.error().message}});
  mark_saved_ = true;
  groups_since_mark_ = 0;
}

void SqliteStore::read_until_stopped() {
  for (;;) {
    Read read;
    {
      std::unique_lock guard(mutex_);
      reads_wait_.wait(guard, [this] { return stopping_ || !reads_.empty(); });
      if (reads_.empty()) return;
      read = std::move(reads_.front());
      reads_.pop_front();
    }
    read(reader_);
  }
}

}  // namespace starling::hub
