// Purpose: a device-side edit as a change to the device's layer, or the conflict that keeps it out.
// Owner: none. Thread: the hub's. Lifetime: the plan holds copies.
#pragma once

#include <string>

#include "hub/state/change_log.hpp"
#include "protocol/messages.hpp"

namespace starling::hub {

// The desired value of a setting on a device: of the highest layer, else the default; null if unknown.
Json effective_value(const FleetState& state, const Device& device, const std::string& key);

// Accepted if the hub still wants what the edit started from, or already wants what it leads to.
// Errors of the plan: not_found (device), invalid_argument (key or value), permission_denied (the hub owns the
// setting), conflict (the hub wants another value), failed_precondition (a policy stands above).
ChangeLog::Plan plan_proposal(std::string device_id, protocol::PendingEdit edit);

}  // namespace starling::hub
