// Purpose: everything that says something about one setting of one device, highest first; and what differs
// between two devices or two moments.
// Owner: none; pure. Thread: the hub's. Lifetime: results hold copies.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hub/settings/documents.hpp"
#include "hub/settings/writes.hpp"
#include "hub/store/store.hpp"

namespace starling::hub {

struct StackedValue {
  protocol::LayerId layer;  // defaults: of the component's schema
  Json value;
  std::int64_t revision = 0;  // 0: default
  bool in_force = false;
  std::string rollout;  // that brings it, and has not written it yet; else empty
};

struct Explanation {
  std::string key;
  std::string alias;
  Json effective;  // null: nothing says anything (persona.active or a module)
  protocol::LayerId winner{protocol::LayerKind::defaults, ""};
  std::vector<StackedValue> stack;  // highest first
};

// `key` may be an alias. Errors: invalid_argument (unknown key).
Result<Explanation> explain(const FleetState& state, const Device& device, const std::string& key);

struct Difference {
  std::string key;
  Json left;  // null: absent there
  Json right;
  std::string left_layer;  // text; empty if absent
  std::string right_layer;
};

// One side of a comparison: a device as a state has it, with what it declares.
struct DeviceView {
  const FleetState& state;
  const Device& device;
  Declared declared;
};
std::vector<Difference> diff_devices(const DeviceView& left, const DeviceView& right);
// Every layer, value by value.
std::vector<Difference> diff_layers(const FleetState& left, const FleetState& right);

// The one rule: what a device declared, be it nothing, or all components of the fleet and no module if it
// never has (nullptr: nothing is known of it).
Declared declared_by(const FleetState& state, const DeviceRecord* record);

}  // namespace starling::hub
