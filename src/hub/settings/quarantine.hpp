// Purpose: what one device keeps of its former settings because it refuses what changes made of them, so that
// everything else reaches it all the same. It is state that a device has brought about, no layer.
// Owner: values; DeviceFacts keeps them, Declared carries them. Thread: the hub's. Lifetime: immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hub/state/fleet_state.hpp"
#include "protocol/messages.hpp"

namespace starling::hub {

struct QuarantinedSetting {
  std::string key;            // persona.active: a switch is refused whole
  std::int64_t revision = 0;  // of what is refused: where something newer decides, this is over
  Json value;                 // that the device keeps; null: it had none (the default, no persona)
  std::string why;            // as the device said
  std::string with;           // it came with this one, and is over with it; empty: it is refused itself
  // The changes between these have brought it: the revision that the device ran, and the one that it refused.
  std::int64_t ran = 0;
  std::int64_t offered = 0;

  bool operator==(const QuarantinedSetting&) const = default;
};
using Quarantine = std::vector<QuarantinedSetting>;          // one of a key
using SharedQuarantine = std::shared_ptr<const Quarantine>;  // nullptr: empty

// Nothing longer is ever kept: such a device runs its last accepted document whole.
inline constexpr std::size_t max_quarantine_bytes = 32 * 1024;
std::size_t bytes_of(const Quarantine& quarantine);

JsonArray to_json(const Quarantine& quarantine);
Quarantine quarantine_from_json(const Json* json);  // what cannot be read is left out
const QuarantinedSetting* find(const Quarantine& quarantine, std::string_view key);

// The switch of the persona that is refused, for FleetState::stack().
std::optional<KeptPersona> kept_persona(const Quarantine& quarantine);

// Puts what is kept in the place of what is refused. Gives the keys of what stands there now, against the
// layers; `stack` and `effective` are of the device, and values in `effective` point into `quarantine` then.
std::vector<std::string> lay_over(const Quarantine& quarantine, const FleetState& state,
                                  const FleetState::Stack& stack,
                                  std::vector<protocol::EffectiveSetting>& effective);

// Why these are not as the layers have them.
std::vector<protocol::KeyError> reasons_of(const Quarantine& quarantine,
                                           const std::vector<std::string>& keys);

}  // namespace starling::hub
