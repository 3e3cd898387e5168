// Purpose: from what shall become of a rollout to the edits that make it so, in one change.
// Owner: none; pure functions of a state, made to be called from a ChangeLog plan. Thread: the hub's.
// Lifetime: none.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "hub/state/fleet_state.hpp"

namespace starling::hub {

// A new rollout, whose id nobody has. `revision` is the one that the change will get. Those that bring one of
// its settings are superseded, or else are in its way.
// Errors: those of check_value and check_plan; failed_precondition (another rollout is in the way, or a
// setting belongs to the device), already_exists.
Result<std::vector<Edit>> plan_rollout(const FleetState& head, RolloutRecord rollout, std::int64_t revision,
                                       bool supersede);

// From `former` to `next`, as the engine gave it. With its end its values are written if it has finished, and
// those rollouts that waited for it end, or go on if it was taken back. Errors: not_found; conflict (it is
// not at `former` any more).
Result<std::vector<Edit>> plan_rollout_step(const FleetState& head, const RolloutRecord& former,
                                            const RolloutRecord& next);

// One that has not ended and brings something to this layer; nullptr if there is none.
const RolloutRecord* rollout_to(const FleetState& head, const protocol::LayerId& layer);

// Whether settings can be written now, and what is removed is no rollout's. Errors: failed_precondition (a
// rollout brings one of them, or is on its way to what would be removed), naming that.
Result<void> check_not_rolled_out(const FleetState& head, const SettingId& setting);
Result<void> check_not_rolled_out(const FleetState& head, std::span<const Edit> edits);

}  // namespace starling::hub
