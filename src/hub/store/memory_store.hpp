// Purpose: the store of the fleet simulator: the same contract in memory, on a virtual clock, with the faults
// that a disk and a killed process have. It stands for the disk, so it outlives each hub that runs on it.
// Owner: the simulator or a test. Thread: one. Lifetime: the Executor and the Clock outlive it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.hpp"
#include "hub/executor.hpp"
#include "hub/store/store.hpp"

namespace starling::hub {

class MemoryStore final : public Store {
 private:
  // The edit that left an entity as it is.
  struct Kept {
    SharedChange change;
    std::size_t edit = 0;
  };
  struct Fleet {
    std::vector<SharedChange> log;  // revision n at n - 1
    std::map<std::pair<EntityKind, std::string>, Kept> entities;
    std::map<std::string, DeviceRecord> records;
    std::int64_t head() const { return static_cast<std::int64_t>(log.size()); }
  };
  using Names = std::tuple<std::string, std::string, std::string>;
  struct Disk {
    std::string generation;
    std::map<std::string, Fleet> fleets;
    std::map<Names, Answer> answers;              // fleet, principal, idempotency id
    std::map<Names, StoredActionResult> results;  // fleet, action, device
  };

 public:
  MemoryStore(Executor& executor, const Clock& clock, std::string generation)
      : executor_(executor), clock_(clock) {
    disk_.generation = std::move(generation);
  }

  Result<StoredHub> load() override;
  // Everything takes effect and completes at one later turn of the Executor.
  void commit(Batch batch, Completion<void> done) override;
  void save_records(std::vector<DeviceRecord> records, Completion<void> done) override;
  void save_action_results(std::vector<StoredActionResult> results, Completion<void> done) override;
  void read_changes(ChangeQuery query, Completion<std::vector<SharedChange>> done) override;
  void find_answer(std::string fleet, std::string principal, std::string idempotency_id,
                   Completion<std::optional<Answer>> done) override;
  void read_action_results(std::string fleet, std::string action_id,
                           Completion<std::vector<StoredActionResult>> done) override;

  // The write that takes effect next is not stored and completes with this.
  void fail_next_write(Error error) { next_failure_ = std::move(error); }

  std::size_t writes_in_flight() const { return writes_.size(); }

  // The hub is gone: nothing that is under way completes. The first `reached_disk` writes in flight are
  // stored all the same, as when the process dies after the disk's answer and before its own.
  void crash(std::size_t reached_disk = 0);

  // A backup of everything stored, for restore() into this or another store.
  using Snapshot = Disk;
  Snapshot snapshot() const { return disk_; }
  // As `starling-hub restore` does it, while no hub runs.
  void restore(Snapshot snapshot, std::string new_generation);

 private:
  struct Write {
    Batch batch;
    std::vector<StoredActionResult> results;
    std::int64_t now_ms = 0;
    Completion<void> done;
  };

  std::int64_t now_ms() const { return clock_.wall().time_since_epoch().count(); }
  void later(std::function<void()> work);
  void enqueue(Write write);
  void finish_next_write();
  Result<void> store(const Write& write);
  Result<void> check(const Write& write) const;
  void put(const SharedChange& change);
  void put(const DeviceRecord& record);
  std::vector<SharedChange> select(const ChangeQuery& query) const;

  Executor& executor_;
  const Clock& clock_;
  Disk disk_;
  std::deque<Write> writes_;
  std::optional<Error> next_failure_;
  // Turns asked for by a hub that has crashed, or of a store that is gone, find it expired.
  std::shared_ptr<bool> running_ = std::make_shared<bool>(true);
};

}  // namespace starling::hub
