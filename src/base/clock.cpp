#include "base/clock.hpp"

#include <algorithm>
#include <ctime>

namespace starling {
namespace {

// Writes the digits of `value` so that they end where `field`, given by its position and width, ends.
void put_digits(std::string& text, std::size_t position, std::size_t width, long long value) {
  for (std::size_t at = position + width; at > position; value /= 10)
    text[--at] = static_cast<char>('0' + value % 10);
}

}  // namespace

SteadyTime SystemClock::steady() const {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return SteadyTime(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

WallTime SystemClock::wall() const {
  return std::chrono::floor<Milliseconds>(std::chrono::system_clock::now());
}

std::string to_rfc3339(WallTime time) {
  time = std::clamp(time, first_rfc3339, last_rfc3339);
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  std::string text = "0000-00-00T00:00:00.000Z";
  put_digits(text, 0, 4, static_cast<int>(date.year()));
  put_digits(text, 5, 2, static_cast<unsigned>(date.month()));
  put_digits(text, 8, 2, static_cast<unsigned>(date.day()));
  put_digits(text, 11, 2, clock.hours().count());
  put_digits(text, 14, 2, clock.minutes().count());
  put_digits(text, 17, 2, clock.seconds().count());
  put_digits(text, 20, 3, clock.subseconds().count());
  return text;
}

}  // namespace starling
