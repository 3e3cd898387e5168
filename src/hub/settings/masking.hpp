// Purpose: tells the author of a write on which devices a higher layer hides it.
// Owner: none; pure. Thread: the hub's. Lifetime: none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "hub/settings/scope.hpp"

namespace starling::hub {

struct RolloutValue;

struct MaskedValue {
  std::string key;
  const Device* device = nullptr;
  protocol::LayerId layer;  // the one that wins there
};

struct Masking {
  std::vector<MaskedValue> first;  // at most `limit`
  std::size_t count = 0;
};

// Devices in `scope` on which one of `keys` (full) gets its value from a layer above scope.layer. Looks at
// devices only for layers that hold such a key. Of two groups of equal priority, the written one is the
// newest and so wins.
Masking find_masked(const FleetState& state, const Scope& scope, const std::vector<std::string>& keys,
                    std::size_t limit);

// Whether a device has what a rollout that admits it brings there: no layer above says otherwise, and no
// rollout that came after it.
bool is_in_force(const FleetState& state, const FleetState::Stack& stack, const RolloutValue& value,
                 std::string_view rollout);

}  // namespace starling::hub
