// Purpose: what the log keeps of a rollout: what was asked for, and how far it went. The body of its entity.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <vector>

#include "base/json.hpp"
#include "hub/rollouts/gate.hpp"
#include "hub/rollouts/maintenance_window.hpp"
#include "hub/rollouts/rollout_progress.hpp"
#include "hub/rollouts/rollout_state.hpp"
#include "hub/state/entity.hpp"

namespace starling::hub {

// One of the values that a rollout brings. All of them come to a device together, or none.
struct RolloutValue {
  SettingId setting;
  Json value;  // null: what the layer says is taken away
};

struct RolloutPlan {
  std::string author;  // a principal
  std::vector<RolloutValue> values;
  std::vector<Stage> stages;  // the last one is the whole
  Milliseconds soak{std::chrono::minutes(30)};
  // Stops when more than this share of the devices that were heard of has failed, but at least so many.
  int max_failures = 200;  // hundredths of a percent
  std::size_t min_failures = 1;
  bool waits_for_absent =
      false;  // or a stage passes without those that are away, if one at least has done it
  std::vector<MaintenanceWindow> windows;
};

// What it brings of software.release, if it brings something else as well: that comes to a device together
// with the release, and goes with it. Empty: it does not.
std::vector<std::string> tied_releases(const RolloutPlan& plan);

struct Approval {
  std::size_t stage = 0;
  std::string principal;
  WallTime at{};
};

struct RolloutRecord {
  static constexpr std::size_t max_failure_groups = 20;
  std::string id;
  RolloutPlan plan;
  std::int64_t started = 0;  // revision
  KeptRolloutState state = KeptRolloutState::awaiting;
  std::size_t open = 0;  // stages
  WallTime opened_at{};  // the newest of them
  std::vector<Approval> approvals;
  std::string why;        // it ended, or is held: said by whoever did it
  std::string heir;       // the rollout that superseded this one
  bool was_held = false;  // by hand, when that came: so it stays if it goes on
  // How its devices stood when it ended, stage by stage; empty before, and if nobody knew.
  std::vector<StageCounts> counts;
  std::vector<FailureGroup> failures;  // the largest first, at most max_failure_groups

  // Whether some devices may see the new values by it: it is on its way, or waits for its heir's end.
  bool has_gate() const { return !has_ended(started_from(state)) && open > 0; }
  Gate gate() const { return {id, plan.stages, has_gate() ? open : 0}; }

  Json to_json() const;
  // Reads what to_json() wrote; a request has the plan's members only. Errors: invalid_argument with pointer.
  static Result<RolloutRecord> from_json(std::string_view id, const Json& body);
};

// Errors: invalid_argument with pointer: no values, a setting named twice, no stages or too many, shares that
// do not grow, a last stage that is not the whole.
Result<void> check_plan(const RolloutPlan& plan);

}  // namespace starling::hub
