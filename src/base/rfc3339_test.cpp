#include "base/rfc3339.hpp"

#include <gtest/gtest.h>

namespace starling {
namespace {

TEST(Rfc3339, ReadsTimes) {
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

TEST(Rfc3339, ReadsWhatTheClockWrites) {
  const WallTime time{Milliseconds(1'795'213'985'042)};
  EXPECT_EQ(parse_rfc3339(to_rfc3339(time)), time);
}

TEST(Rfc3339, YearsOfMoreDigitsAreNotWritten) {
  EXPECT_EQ(to_rfc3339(last_rfc3339), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(last_rfc3339 + Milliseconds(1)), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(WallTime::max()), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(WallTime::min()), "0000-01-01T00:00:00.000Z");
}

}  // namespace
}  // namespace starling
