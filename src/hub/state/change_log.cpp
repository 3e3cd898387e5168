#include "hub/state/change_log.hpp"

#include <algorithm>
#include <utility>

namespace starling::hub {

struct ChangeLog::Fleet {
  explicit Fleet(const std::string& name) : head(name), published(name) {}
  FleetState head;
  FleetState published;
};

struct ChangeLog::Waiting {
  std::string fleet;
  Plan plan;
  Completion done;
  SharedChange change;  // nullptr: no edits
  std::vector<DeviceRecord> records;
  std::optional<Answer> answer;
};

ChangeLog::ChangeLog(Store& store, Executor& executor, const Clock& clock, Logger log)
    : store_(store), executor_(executor), clock_(clock), log_(log) {}

ChangeLog::~ChangeLog() = default;

// In the order of their changes: who had an alias first keeps it. A log in which two components have the same
// alias must not keep the hub from starting, since only a hub that runs can be repaired; the one that came
// later is left out.
Result<void> ChangeLog::load_components(const StoredFleet& fleet, FleetState& state) const {
  std::vector<const StoredEntity*> components;
  for (const StoredEntity& entity : fleet.entities) {
    if (entity.kind == EntityKind::component) components.push_back(&entity);
  }
  std::ranges::stable_sort(components, {}, &StoredEntity::revision);
  for (const StoredEntity* entity : components) {
    auto loaded = state.load(entity->kind, entity->id, entity->body, entity->revision);
    if (loaded) continue;
    if (loaded.error().code != ErrorCode::already_exists) return loaded;
    log_.error(
        "two components of a fleet have the same alias: the later one is not in force; give its setting "
        "another x-alias and put it again",
        {{"fleet", fleet.name}, {"component", entity->id}, {"error", loaded.error().message}});
  }
  return {};
}

Result<void> ChangeLog::load(const StoredHub& stored) {
  generation_ = stored.generation;
  for (const StoredFleet& fleet : stored.fleets) {
    auto entry = std::make_unique<Fleet>(fleet.name);
    if (auto loaded = load_components(fleet, entry->head); !loaded)
      return fail(loaded, "loading fleet '" + fleet.name + "'");
    for (const StoredEntity& entity : fleet.entities) {
      if (entity.kind == EntityKind::component) continue;
      auto loaded = entry->head.load(entity.kind, entity.id, entity.body, entity.revision);
      if (!loaded) return fail(loaded, "loading fleet '" + fleet.name + "'");
    }
    entry->head.drop_old_actions(clock_.wall().time_since_epoch().count());
    entry->head.set_revision(fleet.head);
    entry->published = entry->head;
    fleets_[fleet.name] = std::move(entry);
  }
  return {};
}

const FleetState* ChangeLog::published(std::string_view fleet) const {
  const auto found = fleets_.find(fleet);
  return found == fleets_.end() ? nullptr : &found->second->published;
}

std::vector<std::string> ChangeLog::fleets() const {
  std::vector<std::string> names;
  for (const auto& [name, fleet] : fleets_)
    names.push_back(name);
  return names;
}

void ChangeLog::add_fleet(const std::string& fleet) {
  if (!fleets_.contains(fleet)) fleets_[fleet] = std::make_unique<Fleet>(fleet);
}

void ChangeLog::append(const std::string& fleet, Plan plan, Completion done) {
  if (planned_.size() >= max_planned) {
    executor_.post([done = std::move(done)] {
      done(fail(ErrorCode::unavailable, "more changes wait than the hub can store: try again later"));
    });
    return;
  }
  Waiting waiting;
  waiting.fleet = fleet;
  waiting.plan = std::move(plan);
  waiting.done = std::move(done);
  add_planned(std::move(waiting));
  if (committing_.empty()) commit_next();
}

// Plans on the head; what succeeds becomes part of the head and waits for the store.
void ChangeLog::add_planned(Waiting waiting) {
  const auto refuse = [&](Error error) {
    executor_.post([done = std::move(waiting.done), error = std::move(error)]() mutable {
      done(std::unexpected(std::move(error)));
    });
  };
  const auto found = fleets_.find(waiting.fleet);
  if (found == fleets_.end()) {
    return refuse({ErrorCode::not_found, "there is no fleet called '" + waiting.fleet + "'", {}});
  }
  FleetState& head = found->second->head;
  const std::int64_t revision = head.revision() + 1;
  auto draft = waiting.plan(head, revision);
  if (!draft) return refuse(draft.error());
  waiting.records = std::move(draft->records);
  waiting.answer = std::move(draft->answer);
  waiting.change = nullptr;
  if (!draft->edits.empty()) {
    auto change = std::make_shared<Change>();
    change->fleet = waiting.fleet;
    change->revision = revision;
    change->at_ms = clock_.wall().time_since_epoch().count();
    change->principal = std::move(draft->actor.principal);
    change->principal_name = std::move(draft->actor.principal_name);
    change->action = std::move(draft->action);
    change->reason = std::move(draft->reason);
    change->edits = std::move(draft->edits);
    if (auto applied = head.apply(*change); !applied) {
      log_.error("a change was refused by its own fleet", {{"error", applied.error().message}});
      // Components that cannot be together are the caller's mistake, and nothing was applied.
      if (applied.error().code == ErrorCode::already_exists) return refuse(applied.error());
      // A plan made a body that cannot be read back. Nothing of it may stay in the head.
      refuse({ErrorCode::internal, applied.error().message, {}});
      return reset_heads();
    }
    waiting.change = std::move(change);
  }
  planned_.push_back(std::move(waiting));
}

void ChangeLog::commit_next() {
  if (planned_.empty()) return;
  committing_ = std::exchange(planned_, {});
  Batch batch;
  for (Waiting& waiting : committing_) {
    if (waiting.change) batch.changes.push_back(waiting.change);
    if (waiting.answer) batch.answers.push_back(*waiting.answer);
    batch.records.insert(batch.records.end(), waiting.records.begin(), waiting.records.end());
  }
  if (batch.changes.empty() && batch.answers.empty() && batch.records.empty()) {
    executor_.post([this] { on_committed({}); });
    return;
  }
  store_.commit(std::move(batch), [this](Result<void> outcome) { on_committed(std::move(outcome)); });
}

// A line for each change, or for all that one commit stored together: under load they are many.
void ChangeLog::say_committed(const std::vector<Waiting>& finished) const {
  const Change* last = nullptr;
  std::size_t count = 0;
  for (const Waiting& waiting : finished) {
    if (!waiting.change) continue;
    last = waiting.change.get();
    ++count;
  }
  if (count == 1) {
    log_.info("change", {{"revision", last->revision},
                         {"action", last->action},
                         {"by", last->principal_name.empty() ? last->principal : last->principal_name},
                         {"edits", last->edits.size()},
                         {"fleet", last->fleet}});
  } else if (count > 1) {
    log_.info("changes", {{"count", count}, {"last_revision", last->revision}, {"fleet", last->fleet}});
  }
}

void ChangeLog::on_committed(Result<void> outcome) {
  std::vector<Waiting> finished = std::exchange(committing_, {});
  if (!outcome) {
    log_.error("changes could not be stored; their callers were told",
               {{"changes", finished.size()}, {"error", outcome.error().message}});
    reset_heads();
  }
  commit_next();
  if (outcome) say_committed(finished);
  for (Waiting& waiting : finished) {
    if (!outcome) {
      waiting.done(fail(outcome));
      continue;
    }
    if (waiting.change) {
      FleetState& published = fleets_.at(waiting.fleet)->published;
      if (auto applied = published.apply(*waiting.change); !applied) {
        log_.error("a stored change cannot be applied", {{"error", applied.error().message}});
      }
      // A copy, because an observer may stop observing while it is told.
      for (ChangeObserver* observer : std::vector(observers_))
        observer->on_change(waiting.change, published);
    }
    waiting.done(waiting.change);
  }
}

// After a failure the head may hold what will never be on disk. It starts again from what is published and
// from what is being committed; changes that wait are planned anew, because they were planned on the wrong
// head.
void ChangeLog::reset_heads() {
  for (auto& [name, fleet] : fleets_)
    fleet->head = fleet->published;
  for (const Waiting& waiting : committing_) {
    if (!waiting.change) continue;
    if (auto applied = fleets_.at(waiting.fleet)->head.apply(*waiting.change); !applied) {
      log_.error("a planned change cannot be applied", {{"error", applied.error().message}});
    }
  }
  for (Waiting& waiting : std::exchange(planned_, {}))
    add_planned(std::move(waiting));
}

void ChangeLog::observe(ChangeObserver& observer) {
  observers_.push_back(&observer);
}

void ChangeLog::stop_observing(ChangeObserver& observer) {
  std::erase(observers_, &observer);
}

}  // namespace starling::hub
