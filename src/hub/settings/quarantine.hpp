// Purpose: what one device keeps of its former settings because it refuses what changes made of them, so that
// everything else reaches it all the same. It is state that a device has brought about, no layer.
// Owner: values; DeviceFacts keeps them, Declared carries them. Thread: the hub's. Lifetime: immutable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "hub/state/fleet_state.hpp"
#include "protocol/messages.hpp"

namespace starling::hub {

struct KeptSetting {
  std::string key;            // persona.active: a switch is refused whole
  std::int64_t revision = 0;  // of the change that is refused: where another one decides, this is over
  Json value;                 // that the device keeps; null: it had none (the default, no persona)
  std::string why;            // as the device said

  bool operator==(const KeptSetting&) const = default;
};
using KeptSettings = std::vector<KeptSetting>;
using SharedQuarantine = std::shared_ptr<const KeptSettings>;  // nullptr: empty

// Nothing longer is ever kept: such a device runs its last accepted document whole.
inline constexpr std::size_t max_quarantine_bytes = 32 * 1024;

JsonArray to_json(const KeptSettings& kept);
KeptSettings kept_from_json(const Json* json);  // what cannot be read is left out

// The switch of the persona that is refused, for FleetState::stack().
std::optional<KeptPersona> kept_persona(const KeptSettings& kept);

// Puts what is kept in the place of what is refused. Gives what of it stands there now, against the layers;
// `stack` and `effective` are of the device, and values in `effective` point into `kept` then.
KeptSettings lay_over(const KeptSettings& kept, const FleetState::Stack& stack,
                      const protocol::Catalog& catalog, std::vector<protocol::EffectiveSetting>& effective);

struct DesiredSection;

// What joins the quarantine when a device that has `running` refuses the document of `effective`: everything
// that the changes brought which gave it the settings that it names. If it names only what it has already,
// that does not go with something new, and all that is new joins. Empty: nothing that it names came by a
// change.
KeptSettings refused_with(std::span<const protocol::KeyError> errors, const DesiredSection& running,
                          const FleetState::Stack& stack,
                          std::span<const protocol::EffectiveSetting> effective);

}  // namespace starling::hub
