#include "cli/local_time.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace starling::cli {
namespace {

TEST(LocalTime, ReadsRfc3339) {
  const struct {
    std::string_view text;
    std::int64_t milliseconds;  // -1: no time
  } cases[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"2026-11-20T22:33:05.123Z", 1'795'213'985'123},
      {"2026-11-20T22:33:05.1239999Z", 1'795'213'985'123},
      {"2026-11-20T23:33:05.5+01:00", 1'795'213'985'500},
      {"2026-11-20t22:33:05z", 1'795'213'985'000},
      {"2026-11-20 22:33:05Z", -1},
      {"2026-02-30T00:00:00Z", -1},
      {"2026-11-20T24:00:00Z", -1},
      {"2026-11-20T22:33:05", -1},
      {"2026-11-20T22:33:05.Z", -1},
      {"2026-11-20T22:33:05+0100", -1},
      {"", -1},
      {"now", -1},
  };
  for (const auto& c : cases) {
    const auto time = parse_rfc3339(c.text);
    EXPECT_EQ(time ? time->time_since_epoch().count() : -1, c.milliseconds) << c.text;
  }
}

TEST(LocalTime, ReadsWhatTheClockWrites) {
  const WallTime time{Milliseconds(1'795'213'985'042)};
  EXPECT_EQ(parse_rfc3339(to_rfc3339(time)), time);
}

TEST(LocalTime, ShowsDatesInTheLocalZone) {
  setenv("TZ", "CET-1", 1);
  tzset();
  EXPECT_EQ(local_date("2026-11-20T23:33:05.999Z"), "2026-11-21 00:33:05");
  EXPECT_EQ(local_date("yesterday"), "yesterday");
  unsetenv("TZ");
  tzset();
}

TEST(LocalTime, AgesAreShort) {
  const WallTime now{std::chrono::days(20'000)};
  const struct {
    Seconds before;
    std::string_view age;
  } cases[] = {{Seconds(0), "just now"},        {Seconds(42), "42 s ago"},        {Seconds(200), "3 m ago"},
               {Seconds(7'300), "2 h ago"},     {Seconds(5 * 86'400), "5 d ago"}, {Seconds(-90), "in 1 m"},
               {Seconds(-9 * 86'400), "in 9 d"}};
  for (const auto& c : cases)
    EXPECT_EQ(age(now - c.before, now), c.age);
}

}  // namespace
}  // namespace starling::cli
