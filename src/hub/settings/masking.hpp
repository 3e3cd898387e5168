// Purpose: tells the author of a write on which devices a higher layer hides it, and who asks how a change
// goes where it is not in force. Owner: none; pure. Thread: the hub's. Lifetime: none.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
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

// Devices in `scope` on which a layer above scope.layer gives one of `values` (by full key) another value.
// Looks at devices only for layers that hold such a key. Of two groups of equal priority, the written one is
// the newest and so wins.
Masking find_masked(const FleetState& state, const Scope& scope, const std::map<std::string, Json>& values,
                    std::size_t limit);

// Whether a device has what a rollout that admits it brings there: no layer above says otherwise, and no
// rollout that came after it.
bool is_in_force(const FleetState& state, const FleetState::Stack& stack, const RolloutValue& value,
                 std::string_view rollout);

// A device on which something else is in force than a change has set.
struct Overruled {
  // As the progress of the change names it: by a layer above, or by a newer change of the same layer or of a
  // group of equal priority.
  static constexpr std::string_view masked = "masked";
  static constexpr std::string_view overtaken = "overtaken";
  std::string_view how;
  std::string key;  // the first one
  protocol::LayerId layer;
  bool wholly = false;  // nothing of the change is in force there
};

// The settings that a change has set, asked about device by device, at a state that the devices are of.
class SetByChange {
 public:
  SetByChange(const FleetState& state, const Change& change);
  bool takes_away(std::string_view key) const;
  bool sets_only() const { return settings_only_; }  // else whatever it says of devices, groups, ... counts
  // Whether something else could be in force there.
  bool is_contested(Place place) const;
  // Of a device that is there. Nothing: all of it is in force, or the same is by another layer.
  std::optional<Overruled> overruled_on(const FleetState& state, Place place) const;

 private:
  struct Written {
    SettingId setting;
    Json value;  // null: taken away
    Scope scope;
  };
  std::vector<Written> written_;
  std::vector<bool> contested_;  // by place
  bool settings_only_ = false;   // nothing else is in the change
};

}  // namespace starling::hub
