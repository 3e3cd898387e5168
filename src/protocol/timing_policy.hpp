// Purpose: when a device may switch to a release: the signed target `schedules/VERSION.json`, which the hub
// writes and each device reads and decides by. Owner: values. Thread: any. Lifetime: none.
//
//   {"version": "v1.2.3", "type": "scheduled", "at": "02:00", "window_minutes": 120}
//   {"version": "v1.2.4", "type": "urgent", "deadline_hours": 24}
//
// `type`: `scheduled` goes by the clock, `urgent` waits for an hour without activity. It must be there.
// `at`: the device's local time at which a window opens every day; if absent, see below.
// `window_minutes`: how long it stays open, 1 to 1440; if absent, 120.
// `not_before`: the earliest time, RFC 3339; if absent, there is none.
// `deadline_hours`: 1 to 8784 of waiting, after which nothing holds it; if absent, 24 if urgent, else none.
// `now`: nothing is waited for; if absent, false.
//
// A scheduled one without `at` waits for `not_before` alone, and for 02:00 if that is absent too.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace starling::protocol {

struct TimingPolicy {
  enum class Type { scheduled, urgent };

  std::string version;
  Type type = Type::scheduled;
  std::optional<std::chrono::minutes> at{};  // since local midnight
  std::chrono::minutes window{120};
  std::optional<WallTime> not_before{};
  std::optional<std::chrono::hours> deadline{};
  bool now = false;

  bool operator==(const TimingPolicy&) const = default;
};

std::string_view to_string(TimingPolicy::Type type);

// "02:00", and no other form.
std::optional<std::chrono::minutes> parse_time_of_day(std::string_view text);
std::string time_of_day_text(std::chrono::minutes since_midnight);

// Members that are not known are a newer hub's. Errors: invalid_argument (with pointer), too_large.
Result<TimingPolicy> parse_timing_policy(std::string_view text);
std::string to_text(const TimingPolicy& policy);  // canonical

}  // namespace starling::protocol
