// Purpose: a Store for tests, which keeps each commit waiting until the test says how it ends.
// Owner: the test. Thread: one. Lifetime: that of the test.
#pragma once

#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "hub/executor.hpp"
#include "hub/store/store.hpp"

namespace starling::hub {

class ScriptedStore final : public Store {
 public:
  explicit ScriptedStore(Executor& executor) : executor_(executor) {}

  StoredHub contents{"0193-test", {StoredFleet{"default", 0, {}, {}}}};
  bool automatic = true;  // commits succeed at the next turn
  std::vector<SharedChange> stored;
  std::vector<DeviceRecord> saved;
  std::vector<StoredActionResult> action_results;

  // Ends the oldest waiting commit.
  void finish(Result<void> outcome) {
    auto [batch, done] = std::move(waiting_.front());
    waiting_.pop_front();
    if (outcome) keep(batch);
    done(std::move(outcome));
  }
  std::size_t waiting() const { return waiting_.size(); }

  Result<StoredHub> load() override { return contents; }
  void commit(Batch batch, Completion<void> done) override {
    if (!automatic) {
      waiting_.emplace_back(std::move(batch), std::move(done));
      return;
    }
    keep(batch);
    executor_.post([done = std::move(done)] { done({}); });
  }
  void save_records(std::vector<DeviceRecord> records, Completion<void> done) override {
    saved.insert(saved.end(), records.begin(), records.end());
    executor_.post([done = std::move(done)] { done({}); });
  }
  void save_action_results(std::vector<StoredActionResult> results, Completion<void> done) override {
    action_results.insert(action_results.end(), results.begin(), results.end());
    executor_.post([done = std::move(done)] { done({}); });
  }
  void read_changes(ChangeQuery, Completion<std::vector<SharedChange>> done) override {
    executor_.post([done = std::move(done), changes = stored] { done(changes); });
  }
  void find_answer(std::string, std::string, std::string, Completion<std::optional<Answer>> done) override {
    executor_.post([done = std::move(done)] { done(std::optional<Answer>()); });
  }
  void read_action_results(std::string, std::string,
                           Completion<std::vector<StoredActionResult>> done) override {
    executor_.post([done = std::move(done), results = action_results] { done(results); });
  }

 private:
  void keep(const Batch& batch) {
    stored.insert(stored.end(), batch.changes.begin(), batch.changes.end());
    saved.insert(saved.end(), batch.records.begin(), batch.records.end());
  }

  Executor& executor_;
  std::deque<std::pair<Batch, Completion<void>>> waiting_;
};

}  // namespace starling::hub
