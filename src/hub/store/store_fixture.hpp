// Purpose: what the tests and benchmarks of stores share: changes to store, and waiting for answers.
// Owner: the test. Thread: one. Lifetime: the test's.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/temporary_folder.hpp"
#include "hub/store/store.hpp"
#include "hub/store/turn_executor.hpp"

namespace starling::hub {

inline SharedChange make_change(std::string fleet, std::int64_t revision, std::vector<Edit> edits) {
  auto change = std::make_shared<Change>();
  change->fleet = std::move(fleet);
  change->revision = revision;
  change->at_ms = 1'700'000'000'000 + revision;
  change->principal = "key:k1";
  change->principal_name = "Ada";
  change->action = "settings.set";
  change->reason = "because";
  change->edits = std::move(edits);
  return change;
}

inline Edit set_setting(std::string key, Json after) {
  return {EntityKind::setting, "fleet " + key, nullptr, std::move(after)};
}

inline Edit register_device(std::string id) {
  return {EntityKind::device, std::move(id), nullptr, JsonObject{{"name", "lamp"}, {"timezone", "UTC"}}};
}

inline Batch batch_of(std::vector<SharedChange> changes) {
  Batch batch;
  batch.changes = std::move(changes);
  return batch;
}

// Starts a call of the store and runs turns until it has answered.
template <typename T>
Result<T> finish(TurnExecutor& executor, const std::function<void(Store::Completion<T>)>& start) {
  std::optional<Result<T>> outcome;
  start([&outcome](Result<T> result) { outcome = std::move(result); });
  if (!executor.run_until([&] { return outcome.has_value(); })) throw std::runtime_error("no answer");
  return *std::move(outcome);
}

inline Result<void> commit_now(Store& store, TurnExecutor& executor, Batch batch) {
  return finish<void>(executor,
                      [&](Store::Completion<void> done) { store.commit(std::move(batch), std::move(done)); });
}

inline Result<std::vector<SharedChange>> changes_now(Store& store, TurnExecutor& executor,
                                                     ChangeQuery query) {
  return finish<std::vector<SharedChange>>(
      executor, [&](auto done) { store.read_changes(std::move(query), std::move(done)); });
}

// "kind id" of every entity with its body and revision, for comparison.
using EntityTable = std::map<std::string, std::pair<std::string, std::int64_t>>;

inline EntityTable entity_table(const StoredFleet& fleet) {
  EntityTable table;
  for (const StoredEntity& entity : fleet.entities) {
    table[std::string(to_string(entity.kind)) + " " + entity.id] = {boost::json::serialize(entity.body),
                                                                    entity.revision};
  }
  return table;
}

// What the entities must be after these changes.
inline EntityTable replay(const std::vector<SharedChange>& changes) {
  EntityTable table;
  for (const SharedChange& change : changes) {
    for (const Edit& edit : change->edits) {
      const std::string name = std::string(to_string(edit.kind)) + " " + edit.id;
      if (edit.after.is_null()) {
        table.erase(name);
      } else {
        table[name] = {boost::json::serialize(edit.after), change->revision};
      }
    }
  }
  return table;
}

}  // namespace starling::hub
