// Purpose: what became of a rollout's values on one device, by the keys that it brings: what else is new
// there, or was refused before, is no answer to it. Owner: none; pure. Thread: the hub's. Lifetime: none.
#pragma once

#include "hub/rollouts/rollout_record.hpp"
#include "hub/settings/documents.hpp"
#include "hub/settings/written_names.hpp"

namespace starling::hub {

// A device that the rollout reaches.
struct JudgedDevice {
  const FleetState& state;
  const Device& device;
  const DeviceRecord& record;
  const Outcome& before;  // stands until the device says otherwise, whatever others change there meanwhile
};

// `names`: those of the rollout. The outcome's time is left open.
Outcome judge(const RolloutRecord& rollout, const WrittenNames& names, const JudgedDevice& judged,
              Documents& documents);

}  // namespace starling::hub
