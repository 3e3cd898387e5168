#include "cli/local_time.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

namespace starling::cli {
namespace {

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
