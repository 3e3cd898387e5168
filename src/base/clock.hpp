// Purpose: the only source of time. Code that waits or stamps takes a Clock, so that tests and the fleet
// simulator can run it on a virtual one.
// Owner: main() or the test. Thread: SystemClock any; ManualClock one. Lifetime: outlives its users.
#pragma once

#include <chrono>
#include <string>

namespace starling {

using Milliseconds = std::chrono::milliseconds;
using Seconds = std::chrono::seconds;
using SteadyTime =
    std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;  // boot clock
using WallTime = std::chrono::sys_time<Milliseconds>;                              // UTC

class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime steady() const = 0;  // CLOCK_BOOTTIME: goes on during suspend, never jumps
  virtual WallTime wall() const = 0;      // UTC; may jump
};

class SystemClock final : public Clock {
 public:
  SteadyTime steady() const override;
  WallTime wall() const override;
};

class ManualClock final : public Clock {
 public:
  explicit ManualClock(WallTime start = WallTime(std::chrono::days(20'000))) : wall_(start) {}
  SteadyTime steady() const override { return steady_; }
  WallTime wall() const override { return wall_; }
  void advance(Milliseconds by) {
    steady_ += by;
    wall_ += by;
  }

 private:
  SteadyTime steady_{};
  WallTime wall_;
};

// Years have four digits.
inline constexpr WallTime first_rfc3339 = std::chrono::sys_days(std::chrono::year(0) / 1 / 1);
inline constexpr WallTime last_rfc3339 =
    std::chrono::sys_days(std::chrono::year(10'000) / 1 / 1) - Milliseconds(1);

// RFC 3339 in UTC with milliseconds: 2026-11-20T22:33:00.000Z. What lies outside becomes the first or the
// last.
std::string to_rfc3339(WallTime time);

}  // namespace starling
