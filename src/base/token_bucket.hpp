// Purpose: how often something may happen, or how much of it: a burst at once, then so much a second.
// Owner: whoever is limited. Thread: one. Lifetime: that of its owner.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <optional>

#include "base/clock.hpp"

namespace starling {

struct Rate {
  double per_second = 0;  // 0: no limit
  double burst = 0;
};

// Two numbers: the hub has one for each connected device.
class TokenBucket {
 public:
  TokenBucket(const Rate& rate, SteadyTime now) : tokens_(rate.burst), at_(now) {}

  // nullopt: go on, one token is taken. Else how long to wait for the next one.
  std::optional<Seconds> take(const Rate& rate, SteadyTime now) {
    if (rate.per_second <= 0 || take_all(rate, now, 1)) return std::nullopt;
    return Seconds(static_cast<std::int64_t>(std::ceil((1 - tokens_) / rate.per_second)));
  }
  // Takes so many, or none. The rate is a limit.
  bool take_all(const Rate& rate, SteadyTime now, double wanted) {
    tokens_ = left(rate, now);
    at_ = now;
    if (tokens_ < wanted) return false;
    tokens_ -= wanted;
    return true;
  }
  // What was asked for is not held against who answers, nor what was not used; also beyond the burst.
  void earn(double tokens) { tokens_ += tokens; }

  double left(const Rate& rate, SteadyTime now) const {
    const std::chrono::duration<double> passed = now - at_;
    return std::max(tokens_, std::min(rate.burst, tokens_ + passed.count() * rate.per_second));
  }
  bool full(const Rate& rate, SteadyTime now) const { return left(rate, now) >= rate.burst; }

 private:
  double tokens_;
  SteadyTime at_;
};

}  // namespace starling
