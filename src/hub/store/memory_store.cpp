#include "hub/store/memory_store.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

namespace starling::hub {
namespace {

bool touches(const Change& change, EntityKind kind, std::string_view id_prefix) {
  return std::ranges::any_of(change.edits, [&](const Edit& edit) {
    return edit.kind == kind && std::string_view(edit.id).starts_with(id_prefix);
  });
}

}  // namespace

Result<StoredHub> MemoryStore::load() {
  StoredHub hub;
  hub.generation = disk_.generation;
  for (const auto& [name, fleet] : disk_.fleets) {
    StoredFleet stored;
    stored.name = name;
    stored.head = fleet.head();
    for (const auto& [key, kept] : fleet.entities) {
      stored.entities.push_back(
          {key.first, key.second, kept.change->edits[kept.edit].after, kept.change->revision});
    }
    for (const auto& [id, record] : fleet.records)
      stored.records.push_back(record);
    hub.fleets.push_back(std::move(stored));
  }
  return hub;
}

void MemoryStore::commit(Batch batch, Completion<void> done) {
  enqueue({std::move(batch), {}, now_ms(), std::move(done)});
}

void MemoryStore::save_records(std::vector<DeviceRecord> records, Completion<void> done) {
  Batch batch;
  batch.records = std::move(records);
  commit(std::move(batch), std::move(done));
}

void MemoryStore::save_action_results(std::vector<StoredActionResult> results, Completion<void> done) {
  enqueue({{}, std::move(results), now_ms(), std::move(done)});
}

void MemoryStore::read_changes(ChangeQuery query, Completion<std::vector<SharedChange>> done) {
  later([this, query = std::move(query), done = std::move(done)] { done(select(query)); });
}

void MemoryStore::find_answer(std::string fleet, std::string principal, std::string idempotency_id,
                              Completion<std::optional<Answer>> done) {
  later([this, names = Names(std::move(fleet), std::move(principal), std::move(idempotency_id)),
         oldest_ms = now_ms() - answer_lifetime.count(), done = std::move(done)] {
    const auto found = disk_.answers.find(names);
    std::optional<Answer> answer;
    if (found != disk_.answers.end() && found->second.at_ms >= oldest_ms) answer = found->second;
    done(std::move(answer));
  });
}

void MemoryStore::read_action_results(std::string fleet, std::string action_id,
                                      Completion<std::vector<StoredActionResult>> done) {
  later([this, first = Names(std::move(fleet), std::move(action_id), ""),
         oldest_ms = now_ms() - answer_lifetime.count(), done = std::move(done)] {
    std::vector<StoredActionResult> results;
    for (auto at = disk_.results.lower_bound(first); at != disk_.results.end(); ++at) {
      const StoredActionResult& result = at->second;
      if (result.fleet != std::get<0>(first) || result.action_id != std::get<1>(first)) break;
      if (result.at_ms >= oldest_ms) results.push_back(result);
    }
    done(std::move(results));
  });
}

void MemoryStore::crash(std::size_t reached_disk) {
  running_ = std::make_shared<bool>(true);
  for (std::size_t i = 0; i < std::min(reached_disk, writes_.size()); ++i)
    (void)store(writes_[i]);  // what does not fit is not stored, and nobody is left to be told
  writes_.clear();
  next_failure_.reset();
}

void MemoryStore::restore(Snapshot snapshot, std::string new_generation) {
  disk_ = std::move(snapshot);
  disk_.generation = std::move(new_generation);
}

void MemoryStore::later(std::function<void()> work) {
  executor_.post([running = std::weak_ptr(running_), work = std::move(work)] {
    if (!running.expired()) work();
  });
}

void MemoryStore::enqueue(Write write) {
  writes_.push_back(std::move(write));
  later([this] { finish_next_write(); });
}

void MemoryStore::finish_next_write() {
  const Write write = std::move(writes_.front());
  writes_.pop_front();
  if (next_failure_) {
    write.done(std::unexpected(*std::exchange(next_failure_, std::nullopt)));
    return;
  }
  write.done(store(write));
}

Result<void> MemoryStore::store(const Write& write) {
  if (const auto checked = check(write); !checked) return checked;
  for (const SharedChange& change : write.batch.changes)
    put(change);
  for (const Answer& answer : write.batch.answers)
    disk_.answers[{answer.fleet, answer.principal, answer.idempotency_id}] = answer;
  for (const DeviceRecord& record : write.batch.records)
    put(record);
  for (const StoredActionResult& result : write.results)
    disk_.results.try_emplace({result.fleet, result.action_id, result.device_id}, result);
  return {};
}

Result<void> MemoryStore::check(const Write& write) const {
  std::map<std::string_view, std::int64_t> heads;
  for (const SharedChange& change : write.batch.changes) {
    const auto fleet = disk_.fleets.find(change->fleet);
    const std::int64_t stored = fleet == disk_.fleets.end() ? 0 : fleet->second.head();
    std::int64_t& head = heads.try_emplace(change->fleet, stored).first->second;
    if (change->revision != head + 1) {
      return fail(ErrorCode::conflict, fmt::format("revision {} does not follow the head {} of fleet '{}'",
                                                   change->revision, head, change->fleet));
    }
    ++head;
  }
  std::set<Names> in_batch;
  for (const Answer& answer : write.batch.answers) {
    const Names names(answer.fleet, answer.principal, answer.idempotency_id);
    const auto found = disk_.answers.find(names);
    const bool stored =
        found != disk_.answers.end() && found->second.at_ms >= write.now_ms - answer_lifetime.count();
    if (stored || !in_batch.insert(names).second) {
      return fail(
          ErrorCode::already_exists,
          fmt::format("a request with the idempotency id '{}' was answered already", answer.idempotency_id));
    }
  }
  return {};
}

void MemoryStore::put(const SharedChange& change) {
  Fleet& fleet = disk_.fleets[change->fleet];
  fleet.log.push_back(change);
  for (std::size_t i = 0; i < change->edits.size(); ++i) {
    const Edit& edit = change->edits[i];
    if (!edit.after.is_null()) {
      fleet.entities[{edit.kind, edit.id}] = {change, i};
      continue;
    }
    fleet.entities.erase({edit.kind, edit.id});
    if (edit.kind == EntityKind::device) fleet.records.erase(edit.id);
  }
}

void MemoryStore::put(const DeviceRecord& record) {
  const auto fleet = disk_.fleets.find(record.fleet);
  if (fleet == disk_.fleets.end()) return;
  if (!fleet->second.entities.contains({EntityKind::device, record.device_id})) return;
  fleet->second.records[record.device_id] = record;
}

std::vector<SharedChange> MemoryStore::select(const ChangeQuery& query) const {
  std::vector<SharedChange> selected;
  const auto found = disk_.fleets.find(query.fleet);
  if (found == disk_.fleets.end()) return selected;
  const auto take = [&](const SharedChange& change) {
    if (selected.size() >= query.limit) return;
    if (change->revision <= query.since || change->revision > query.until) return;
    if (query.kind && !touches(*change, *query.kind, query.id_prefix)) return;
    selected.push_back(change);
  };
  const std::vector<SharedChange>& log = found->second.log;
  if (query.newest_first) {
    std::for_each(log.rbegin(), log.rend(), take);
  } else {
    std::for_each(log.begin(), log.end(), take);
  }
  return selected;
}

}  // namespace starling::hub
