#include "hub/api/rate_limit.hpp"

namespace starling::hub {

std::optional<Seconds> RateLimit::take(std::string_view who) {
  if (options_.per_second <= 0) return std::nullopt;
  const SteadyTime now = clock_.steady();
  auto found = buckets_.find(who);
  if (found == buckets_.end()) found = buckets_.emplace(who, TokenBucket(options_, now)).first;
  return found->second.take(options_, now);
}

void RateLimit::tick() {
  const SteadyTime now = clock_.steady();
  std::erase_if(buckets_, [&](const auto& entry) { return entry.second.full(options_, now); });
}

}  // namespace starling::hub
