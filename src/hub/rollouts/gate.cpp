#include "hub/rollouts/gate.hpp"

#include <cstdint>

#include "base/crypto.hpp"

namespace starling::hub {

int place_in_rollout(std::string_view rollout, std::string_view device) {
  std::string both(rollout);
  both += '\n';
  both += device;
  const Digest digest = sha256(both);
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < sizeof number; ++i)
    number = number << 8 | digest.bytes[i];
  return static_cast<int>(number % static_cast<std::uint32_t>(Stage::whole));
}

std::optional<std::size_t> Gate::stage_of(std::string_view device, const protocol::Labels& labels) const {
  const int place = place_in_rollout(rollout, device);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    if (stage.share ? place < *stage.share : stage.selector.matches(labels)) return i;
  }
  return {};
}

bool Gate::admits(std::string_view device, const protocol::Labels& labels) const {
  if (open == 0) return false;
  const auto stage = stage_of(device, labels);
  return stage && *stage < open;
}

}  // namespace starling::hub
