// Purpose: names of time zones, as people and machines give them, and what the clock on the wall shows there.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cctz/time_zone.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"

namespace starling {

// An IANA name like Europe/Berlin: by its form, and by the system's tz database where there is one. A rule
// (EST5EDT,M3.2.0) or a path (:/etc/localtime), which TZ may hold as well, is none.
bool is_timezone(std::string_view name, const std::filesystem::path& zones = "/usr/share/zoneinfo");

class TimeZone {
 public:
  TimeZone() = default;  // UTC

  // Reads the machine's database, each zone once in a process. Errors: not_found.
  static Result<TimeZone> find(const std::string& name);

  std::string name() const { return rules_.name(); }
  std::chrono::local_days day(WallTime time) const;

  // When the clock on the wall shows `time_of_day` on `day`: the first time if it does so twice, the first
  // moment after the gap if it never does. Nullopt: the day does not exist there, as when Samoa went over the
  // date line.
  std::optional<WallTime> when(std::chrono::local_days day, std::chrono::minutes time_of_day) const;

  bool operator==(const TimeZone&) const = default;

 private:
  explicit TimeZone(const cctz::time_zone& rules) : rules_(rules) {}
  cctz::time_zone rules_;
};

}  // namespace starling
