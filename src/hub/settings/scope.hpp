// Purpose: which devices a layer reaches.
// Owner: values. Thread: the hub's. Lifetime: none; a scope asks the state that it is given.
#pragma once

#include <cstddef>

#include "hub/state/fleet_state.hpp"

namespace starling::hub {

struct Scope {
  protocol::LayerId layer;
  protocol::Selector selector;  // of group layers

  bool contains(const FleetState& state, const Device& device) const;
  // The devices that contains() is true for, found by the state's index.
  Places places(const FleetState& state) const;
  std::size_t count(const FleetState& state) const;
};

// A group that does not exist reaches nothing.
Scope scope_of(const FleetState& state, const protocol::LayerId& layer);

// True if every device that `inner` matches is matched by `outer` too, as far as their terms show: all terms
// of `outer` are terms of `inner`.
bool within_selector(const protocol::Selector& inner, const protocol::Selector& outer);

// The device with this UUID or, if no other has it, this name.
// Errors: not_found; failed_precondition if several devices have the name.
Result<const Device*> find_device(const FleetState& state, const std::string& id_or_name);

}  // namespace starling::hub
