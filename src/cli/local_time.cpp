#include "cli/local_time.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <ctime>

namespace starling::cli {
namespace {

// Reads exactly `digits` digits followed by one of `ends` ('\0' stands for "nothing to check").
std::optional<int> take_number(std::string_view& text, std::size_t digits, char end) {
  int value = 0;
  if (text.size() < digits) return std::nullopt;
  const auto read = std::from_chars(text.data(), text.data() + digits, value);
  if (read.ec != std::errc() || read.ptr != text.data() + digits || value < 0) return std::nullopt;
  text.remove_prefix(digits);
  if (end == '\0') return value;
  if (text.empty() || (text[0] | 0x20) != (end | 0x20)) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

std::optional<Milliseconds> take_fraction(std::string_view& text) {
  if (text.empty() || text[0] != '.') return Milliseconds(0);
  text.remove_prefix(1);
  int value = 0;
  std::size_t digits = 0;
  for (; !text.empty() && text[0] >= '0' && text[0] <= '9'; text.remove_prefix(1), ++digits) {
    if (digits < 3) value = value * 10 + (text[0] - '0');
  }
  if (digits == 0) return std::nullopt;
  for (; digits < 3; ++digits)
    value *= 10;
  return Milliseconds(value);
}

std::optional<std::chrono::minutes> take_offset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const bool negative = text[0] == '-';
  text.remove_prefix(1);
  const auto hours = take_number(text, 2, ':');
  const auto minutes = hours ? take_number(text, 2, '\0') : std::nullopt;
  if (!minutes) return std::nullopt;
  const std::chrono::minutes offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
  return negative ? -offset : offset;
}

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  constexpr std::array<std::size_t, 6> digits{4, 2, 2, 2, 2, 2};
  constexpr std::string_view ends("--T::\0", 6);
  std::array<int, 6> parts{};
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto part = take_number(text, digits[i], ends[i]);
    if (!part) return std::nullopt;
    parts[i] = *part;
  }
  const std::chrono::year_month_day date{std::chrono::year(parts[0]),
                                         std::chrono::month(static_cast<unsigned>(parts[1])),
                                         std::chrono::day(static_cast<unsigned>(parts[2]))};
  if (!date.ok() || parts[3] > 23 || parts[4] > 59 || parts[5] > 60) return std::nullopt;
  const auto fraction = take_fraction(text);
  const auto offset = take_offset(text);
  if (!fraction || !offset) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(parts[3]) + std::chrono::minutes(parts[4]) +
         Seconds(parts[5]) + *fraction - *offset;
}

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
