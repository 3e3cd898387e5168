// Purpose: what of a fleet's layers and log a principal may see: nothing that is about a single device
// outside its reach. Owner: none. Thread: the hub's. Lifetime: none.
#pragma once

#include <optional>

#include "hub/api/call.hpp"
#include "hub/state/change.hpp"

namespace starling::hub {

bool is_device_layer(const protocol::LayerId& layer);
bool layer_visible(const FleetState& state, const Reach& reach, const protocol::LayerId& layer);

// The change as this principal may see it; empty if nothing of it is left.
std::optional<Json> visible_change(const FleetState& state, const Reach& reach, const Change& change);

}  // namespace starling::hub
