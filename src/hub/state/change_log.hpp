// Purpose: append() is the only write to desired state: plan on the speculative head, commit in groups, then
// publish to every observer in order, then answer.
// Owner: Hub. Thread: the hub's. Lifetime: outlives its observers' subscriptions; the Store outlives it.
//
//   head       what planned changes see: published plus what is being committed
//   published  what everybody else sees: only what is on disk
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "hub/executor.hpp"
#include "hub/state/fleet_state.hpp"
#include "hub/store/store.hpp"

namespace starling::hub {

// Who asks for a change.
struct Actor {
  std::string principal;  // as in Change
  std::string principal_name;
};

// What a plan wants to happen. No edits: nothing changes and no row is written; records and the answer are
// still saved.
struct Draft {
  Actor actor;
  std::string action;
  std::string reason;
  std::vector<Edit> edits;
  std::vector<DeviceRecord> records;  // saved in the same transaction
  std::optional<Answer> answer;       // likewise
};

class ChangeObserver {
 public:
  virtual ~ChangeObserver() = default;
  // Called once for each change, in revision order, after it is durable. `state` already contains it.
  virtual void on_change(const SharedChange& change, const FleetState& state) = 0;
};

class ChangeLog {
 public:
  ChangeLog(Store& store, Executor& executor, const Clock& clock, Logger log);

  // Takes over what the store held. A component with an alias of another one is left out, with an error in
  // the log. Errors: corrupted.
  Result<void> load(const StoredHub& stored);
  const std::string& generation() const { return generation_; }

  // nullptr if there is no such fleet.
  const FleetState* published(std::string_view fleet) const;
  std::vector<std::string> fleets() const;
  // A fleet exists on disk from its first change on; this makes room for it in memory.
  void add_fleet(const std::string& fleet);

  // Looks at the head and says what to do; must be pure, since after a failed commit it is asked again.
  // `revision` is the one that the change will get if the draft has edits (for the stored answer).
  using Plan = std::function<Result<Draft>(const FleetState& head, std::int64_t revision)>;
  // nullptr: the draft had no edits.
  using Completion = std::function<void(Result<SharedChange>)>;

  // Changes that wait for the commit before theirs. Ten thousand devices may come with an edit at once.
  static constexpr std::size_t max_planned = 32'768;

  // Errors: not_found (fleet), unavailable (max_planned), already_exists (two components would have one
  // alias), whatever the plan says, whatever Store::commit says. `done` is called once, on a later turn,
  // after the observers.
  void append(const std::string& fleet, Plan plan, Completion done);

  void observe(ChangeObserver& observer);
  void stop_observing(ChangeObserver& observer);

  Store& store() { return store_; }

 private:
  struct Waiting;
  struct Fleet;

  Result<void> load_components(const StoredFleet& fleet, FleetState& state) const;
  void add_planned(Waiting waiting);
  void commit_next();
  void on_committed(Result<void> outcome);
  void say_committed(const std::vector<Waiting>& finished) const;
  void reset_heads();

  Store& store_;
  Executor& executor_;
  const Clock& clock_;
  Logger log_;
  std::string generation_;
  std::map<std::string, std::unique_ptr<Fleet>, std::less<>> fleets_;
  std::vector<ChangeObserver*> observers_;
  std::vector<Waiting> planned_;  // on the head, not yet given to the store
  std::vector<Waiting> committing_;

 public:
  ~ChangeLog();
};

}  // namespace starling::hub
