// Purpose: from what a device says of a document that it refuses to what it keeps of the one that it runs.
// Owner: none; pure. Thread: the hub's. Lifetime: none.
#pragma once

#include <span>

#include "hub/settings/documents.hpp"

namespace starling::hub {

struct DocumentRefusal {
  const DesiredSection& running;
  std::int64_t ran = 0;      // revision of that
  std::int64_t offered = 0;  // and of what it refuses
  std::span<const protocol::KeyError> errors;
};

// What joins the quarantine: everything that the changes brought which gave the device the settings that it
// names. If it names only what it has already, that does not go with something new, and all that is new
// joins. Empty: nothing that it names came by a change. `stack` and `effective` are of the refused document.
Quarantine quarantined_by(const DocumentRefusal& refusal, const FleetState& state,
                          const FleetState::Stack& stack,
                          std::span<const protocol::EffectiveSetting> effective);

}  // namespace starling::hub
