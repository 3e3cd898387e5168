#include "hub/api/rate_limit.hpp"

#include <algorithm>
#include <cmath>

namespace starling::hub {

double RateLimit::refilled(const Bucket& bucket, SteadyTime now) const {
  const std::chrono::duration<double> passed = now - bucket.at;
  return std::min(options_.burst, bucket.tokens + passed.count() * options_.per_second);
}

std::optional<Seconds> RateLimit::take(std::string_view who) {
  if (options_.per_second <= 0) return std::nullopt;
  const SteadyTime now = clock_.steady();
  auto found = buckets_.find(who);
  if (found == buckets_.end()) found = buckets_.emplace(who, Bucket{options_.burst, now}).first;
  Bucket& bucket = found->second;
  bucket.tokens = refilled(bucket, now);
  bucket.at = now;
  if (bucket.tokens >= 1) {
    bucket.tokens -= 1;
    return std::nullopt;
  }
  return Seconds(static_cast<std::int64_t>(std::ceil((1 - bucket.tokens) / options_.per_second)));
}

void RateLimit::tick() {
  const SteadyTime now = clock_.steady();
  std::erase_if(buckets_, [&](const auto& entry) { return refilled(entry.second, now) >= options_.burst; });
}

}  // namespace starling::hub
