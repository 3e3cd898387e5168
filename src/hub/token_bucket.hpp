// Purpose: how often something may happen: a burst at once, then so many a second.
// Owner: whoever is limited. Thread: one. Lifetime: that of its owner.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"

namespace starling::hub {

struct Rate {
  double per_second = 0;  // 0: no limit
  double burst = 0;
};

// Two numbers: there is one for each connected device.
class TokenBucket {
 public:
  TokenBucket(const Rate& rate, SteadyTime now) : tokens_(rate.burst), at_(now) {}

  // nullopt: go on, one token is taken. Else how long to wait for the next one.
  std::optional<Seconds> take(const Rate& rate, SteadyTime now) {
    if (rate.per_second <= 0) return std::nullopt;
    tokens_ = filled(rate, now);
    at_ = now;
    if (tokens_ < 1) return Seconds(static_cast<std::int64_t>(std::ceil((1 - tokens_) / rate.per_second)));
    tokens_ -= 1;
    return std::nullopt;
  }
  // What was asked for is not held against who answers; also beyond the burst.
  void earn(double tokens) { tokens_ += tokens; }

  bool full(const Rate& rate, SteadyTime now) const { return filled(rate, now) >= rate.burst; }

 private:
  double filled(const Rate& rate, SteadyTime now) const {
    const std::chrono::duration<double> passed = now - at_;
    return std::max(tokens_, std::min(rate.burst, tokens_ + passed.count() * rate.per_second));
  }

  double tokens_;
  SteadyTime at_;
};

}  // namespace starling::hub
