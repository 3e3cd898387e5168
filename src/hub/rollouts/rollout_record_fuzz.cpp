// Whatever is read as a rollout keeps its limits, and reads back as itself.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hub/rollouts/rollout_record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  using namespace starling::hub;
  const auto json = parse_json(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!json) return 0;
  const auto record = RolloutRecord::from_json("r1", *json);
  if (!record) return 0;
  if (record->plan.values.empty() || record->plan.stages.empty()) std::abort();
  if (record->open > record->plan.stages.size()) std::abort();
  if (!record->plan.stages.back().share) std::abort();
  const auto again = RolloutRecord::from_json("r1", record->to_json());
  if (!again || again->to_json() != record->to_json()) std::abort();
  (void)record->gate().admits("device", {});
  return 0;
}
