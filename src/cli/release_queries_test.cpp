#include "cli/release_queries.hpp"

#include <gmock/gmock.h>

#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using testing::HasSubstr;

constexpr auto release =
    R"({"version":"v1.2.3","state":"published","type":"scheduled","devices":{"running":4,"wanted":5},
        "schedule":{"type":"scheduled","at":"03:30","window_minutes":60},"architectures":{"all":{"length":2048}},
        "changes":[{"revision":42,"by":"alice","action":"release.schedule","reason":"quiet then",
                    "schedule":{"type":"scheduled","now":true}}]})";

TEST(ScheduleText, IsAsPeopleSayIt) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", ""},
      {R"({"type":"scheduled"})", "at 02:00 of the device's time, for 2 h"},
      {R"({"type":"scheduled","now":true,"at":"02:00"})", "at once"},
      {R"({"type":"scheduled","at":"03:30","window_minutes":90,"deadline_hours":72})",
       "at 03:30 of the device's time, for 90 min, after 72 h in any case"},
      {R"({"type":"urgent","deadline_hours":24})", "after an hour without use, after 24 h in any case"},
      {R"({"type":"scheduled","not_before":"later"})", "not before later"},
  };
  for (const auto& [json, text] : cases)
    EXPECT_EQ(schedule_text(parse_json(json)->as_object()), text);
}

class ReleaseQueries : public ApplicationTest {};

TEST_F(ReleaseQueries, ListSaysHowManyRunAndShallRunEach) {
  hub().on("GET /api/v1/releases", std::string(R"({"items":[)") + release + R"(],"next":null})");
  EXPECT_THAT(run({"release", "list"}).out, HasSubstr("RUNS ON  WANTED ON"));
  EXPECT_THAT(run({"release", "list"}).out, HasSubstr("v1.2.3   published        4          5  scheduled"));
}

TEST_F(ReleaseQueries, ShowSaysWhenItIsTakenAndWhoRunsIt) {
  hub().on("GET /api/v1/releases/v1.2.3", release);
  hub().on("GET /api/v1/devices", R"({"items":[{"device_name":"bear"},{"device_name":"owl"}],"next":null})");
  const Ran ran = run({"release", "show", "v1.2.3"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const char* part : {"at 03:30 of the device's time, for 1 h", "4 devices: bear, owl and 2 more",
                           "5 devices\n", "alice", "at once", "quiet then"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
  EXPECT_THAT(hub().asked().back().line, HasSubstr("release=v1.2.3"));
}

TEST_F(ReleaseQueries, ChangesTellOfSchedules) {
  hub().on("GET /api/v1/changes",
           R"({"items":[{"revision":42,"principal_name":"alice","action":"release.schedule",
      "reason":"","edits":[{"kind":"release","id":"v1.2.3","before":{"schedule":{"type":"urgent"}},
      "after":{"schedule":{"type":"urgent","now":true}}}]}],"next":null})");
  EXPECT_THAT(run({"changes"}).out, HasSubstr("alice: release v1.2.3 is taken at once"));
}

}  // namespace
}  // namespace starling::cli
