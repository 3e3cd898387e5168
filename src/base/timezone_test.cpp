#include "base/timezone.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/rfc3339.hpp"
#include "base/temporary_folder.hpp"

namespace starling {
namespace {

class Timezone : public testing::Test {
 protected:
  Timezone() {
    std::filesystem::create_directories(folder / "Europe");
    std::ofstream(folder / "Europe/Berlin") << "TZif2";
    std::ofstream(folder / "EST5EDT") << "TZif2";
    std::ofstream(folder / "leapseconds") << "# not a zone";
  }

  const TemporaryFolder made;
  const std::filesystem::path folder = made.path();
};

TEST_F(Timezone, NamesAreToldFromWhatElseTzMayHold) {
  struct Case {
    const char* name;
    bool known;   // to this database
    bool formed;  // all that can be said without one
  };
  constexpr Case cases[] = {
      {"Europe/Berlin", true, true},
      {"EST5EDT", true, true},
      {"UTC", true, true},
      {"Mars/Phobos", false, true},
      {"CET-1", false, true},
      {"Europe", false, true},
      {"leapseconds", false, true},
      {"", false, false},
      {":/etc/localtime", false, false},
      {"/etc/localtime", false, false},
      {"EST5EDT,M3.2.0", false, false},
      {"../Europe/Berlin", false, false},
      {"Europe/Berlin ", false, false},
      {"A23456789012345678901234567890123456789012345678901234567890123456789", false, false},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(is_timezone(each.name, folder), each.known) << each.name;
    EXPECT_EQ(is_timezone(each.name, folder / "none"), each.formed) << each.name;
  }
}

TEST(TimeZone, KnowsWhenTheClockOnTheWallShowsATime) {
  using std::chrono::local_days;
  using std::chrono::year;
  const auto date = [](int y, unsigned m, unsigned d) {
    return local_days(year(y) / std::chrono::month(m) / std::chrono::day(d));
  };
  struct Case {
    const char* zone;
    local_days day;
    int hour, minute;
    const char* when;  // "": never
  };
  const Case cases[] = {
      {"UTC", date(2026, 11, 27), 2, 0, "2026-11-27T02:00:00Z"},
      {"Europe/Berlin", date(2026, 11, 27), 2, 0, "2026-11-27T01:00:00Z"},
      {"Europe/Berlin", date(2026, 3, 29), 1, 59, "2026-03-29T00:59:00Z"},
      {"Europe/Berlin", date(2026, 3, 29), 2, 0, "2026-03-29T01:00:00Z"},   // no such time: the gap's end
      {"Europe/Berlin", date(2026, 3, 29), 2, 30, "2026-03-29T01:00:00Z"},  // likewise
      {"Europe/Berlin", date(2026, 3, 29), 3, 0, "2026-03-29T01:00:00Z"},
      {"Europe/Berlin", date(2026, 10, 25), 2, 30, "2026-10-25T00:30:00Z"},  // the first of two
      {"Europe/Berlin", date(2026, 10, 25), 3, 0, "2026-10-25T02:00:00Z"},
      {"America/Los_Angeles", date(2026, 3, 8), 2, 30, "2026-03-08T10:00:00Z"},
      {"America/Los_Angeles", date(2026, 11, 1), 1, 30, "2026-11-01T08:30:00Z"},
      {"Australia/Lord_Howe", date(2026, 10, 4), 2, 15, "2026-10-03T15:30:00Z"},  // a gap of 30 minutes
      {"Australia/Lord_Howe", date(2026, 10, 4), 2, 45, "2026-10-03T15:45:00Z"},
      {"Australia/Lord_Howe", date(2026, 4, 5), 1, 45, "2026-04-04T14:45:00Z"},
      {"Pacific/Apia", date(2011, 12, 29), 2, 0, "2011-12-29T12:00:00Z"},
      {"Pacific/Apia", date(2011, 12, 30), 2, 0, ""},  // over the date line
      {"Pacific/Apia", date(2011, 12, 31), 2, 0, "2011-12-30T12:00:00Z"},
      {"America/Sao_Paulo", date(2018, 11, 4), 0, 0, "2018-11-04T03:00:00Z"},  // a day that begins at 1:00
      {"Europe/Berlin", date(2090, 7, 1), 2, 0, "2090-07-01T00:00:00Z"},       // beyond what zone files list
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(std::string(each.zone) + " " + each.when);
    const auto zone = TimeZone::find(each.zone);
    ASSERT_TRUE(zone) << zone.error().message;
    EXPECT_EQ(zone->name(), each.zone);
    const auto when = zone->when(each.day, std::chrono::hours(each.hour) + std::chrono::minutes(each.minute));
    EXPECT_EQ(when, parse_rfc3339(each.when));
    if (!when) continue;
    EXPECT_EQ(zone->day(*when), each.day);
  }
  EXPECT_EQ(TimeZone::find("Mars/Phobos").error().code, ErrorCode::not_found);
  EXPECT_EQ(TimeZone::find("/etc/localtime").error().code, ErrorCode::not_found);
  EXPECT_EQ(TimeZone::find("UTC").value(), TimeZone());
}

}  // namespace
}  // namespace starling
