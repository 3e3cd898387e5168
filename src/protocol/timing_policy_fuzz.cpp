// Whatever is read as a timing policy keeps its limits, and reads back as itself from its own text.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/timing_policy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::protocol;
  const auto policy = parse_timing_policy(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!policy) return 0;
  if (policy->window < std::chrono::minutes(1) || policy->window > std::chrono::days(1)) std::abort();
  if (policy->at && (policy->at->count() < 0 || *policy->at >= std::chrono::days(1))) std::abort();
  if (policy->type == TimingPolicy::Type::scheduled && !policy->at && !policy->not_before) std::abort();
  const auto again = parse_timing_policy(to_text(*policy));
  if (!again || *again != *policy) std::abort();
  return 0;
}
