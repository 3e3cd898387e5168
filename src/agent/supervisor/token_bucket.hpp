// Purpose: how much of something a module may have in a while. Owner: values. Thread: one. Lifetime: none.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.hpp"

namespace starling::agent {

class TokenBucket {
 public:
  TokenBucket(std::uint32_t per_second, std::uint32_t most)
      : per_second_(per_second), most_(most), left_(most) {}

  // What is left at a time that never goes back.
  std::uint32_t left(SteadyTime now) {
    const auto passed = std::chrono::duration_cast<Milliseconds>(now - refilled_).count();
    // Longer than a full refill is not told apart, so that nothing overflows.
    const std::int64_t counted =
        std::clamp<std::int64_t>(passed, 0, std::int64_t{1000} * most_ / per_second_ + 1);
    const std::int64_t refill = counted * per_second_ / 1000;
    if (refill > 0) {
      left_ = static_cast<std::uint32_t>(std::min<std::int64_t>(most_, left_ + refill));
      refilled_ = now;
    }
    return left_;
  }
  // Takes as much as is there.
  std::uint32_t take(SteadyTime now, std::uint32_t wanted) {
    const std::uint32_t taken = std::min(left(now), wanted);
    left_ -= taken;
    return taken;
  }
  void give_back(std::uint32_t untouched) { left_ = std::min(most_, left_ + untouched); }

 private:
  std::uint32_t per_second_, most_, left_;
  SteadyTime refilled_{};
};

}  // namespace starling::agent
