// Purpose: how fast something may come: after each part it says how long to wait for the next.
// Owner: a transfer. Thread: one. Lifetime: the transfer's.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.hpp"

namespace starling {

class Pace {
 public:
  // 0: there is no limit.
  explicit Pace(std::uint64_t per_second) : per_second_(per_second) {}

  // What was not used of the time before is not made up for.
  Milliseconds after(std::uint64_t amount, SteadyTime now) {
    if (per_second_ == 0) return Milliseconds(0);
    const std::chrono::duration<double> takes(static_cast<double>(amount) / static_cast<double>(per_second_));
    free_ = std::max(free_, now) + std::chrono::duration_cast<SteadyTime::duration>(takes);
    return std::chrono::floor<Milliseconds>(free_ - now);
  }

 private:
  std::uint64_t per_second_;
  SteadyTime free_{};  // when the next may come
};

}  // namespace starling
