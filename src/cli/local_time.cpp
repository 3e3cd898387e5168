#include "cli/local_time.hpp"

#include <fmt/format.h>

#include <ctime>

#include "base/rfc3339.hpp"

namespace starling::cli {

std::string local_date(WallTime time) {
  const std::time_t seconds =
      std::chrono::duration_cast<Seconds>(std::chrono::floor<Seconds>(time).time_since_epoch()).count();
  std::tm parts{};
  if (localtime_r(&seconds, &parts) == nullptr) return to_rfc3339(time);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string local_date(std::string_view rfc3339) {
  const auto time = parse_rfc3339(rfc3339);
  return time ? local_date(*time) : std::string(rfc3339);
}

std::string age(WallTime time, WallTime now) {
  const bool past = time <= now;
  const std::int64_t seconds = std::chrono::floor<Seconds>(past ? now - time : time - now).count();
  std::string span;
  if (seconds < 5) return past ? "just now" : "now";
  if (seconds < 60) {
    span = fmt::format("{} s", seconds);
  } else if (seconds < 60 * 60) {
    span = fmt::format("{} m", seconds / 60);
  } else if (seconds < 48 * 60 * 60) {
    span = fmt::format("{} h", seconds / 3600);
  } else {
    span = fmt::format("{} d", seconds / 86400);
  }
  return past ? span + " ago" : "in " + span;
}

std::string age(std::string_view rfc3339, WallTime now) {
  const auto time = parse_rfc3339(rfc3339);
  return time ? age(*time, now) : std::string(rfc3339);
}

}  // namespace starling::cli
