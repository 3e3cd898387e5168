#include <gmock/gmock.h>

#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using testing::HasSubstr;

class ReleaseSchedule : public ApplicationTest {
 protected:
  ReleaseSchedule() {
    hub().on("GET /api/v1/releases/v1.2.3", R"({"version":"v1.2.3","type":"urgent"})");
    hub().on("PUT /api/v1/releases/v1.2.3/schedule", R"({"version":"v1.2.3"})");
  }
  Json sent() {
    for (const auto& asked : hub().asked()) {
      if (asked.line == "PUT /api/v1/releases/v1.2.3/schedule") return *parse_json(asked.body);
    }
    return {};
  }
};

TEST_F(ReleaseSchedule, NowKeepsTheTypeOfTheRelease) {
  const Ran ran = run({"release", "schedule", "v1.2.3", "--now"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("at once"));
  EXPECT_EQ(sent(), *parse_json(R"({"type":"urgent","now":true})"));
}

TEST_F(ReleaseSchedule, AnHourOfItsOwn) {
  const Ran ran = run({"release", "schedule", "v1.2.3", "--type", "scheduled", "--at", "03:30", "--window",
                       "1h", "--not-before", "2030-01-31T18:00:00Z", "--deadline", "72h"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(sent(), *parse_json(R"({"type":"scheduled","now":false,"at":"03:30","window_minutes":60,
      "not_before":"2030-01-31T18:00:00Z","deadline_hours":72})"));
}

TEST_F(ReleaseSchedule, WhatIsWrongIsCalledAsItIsHere) {
  const Ran noon = run({"release", "schedule", "v1.2.3", "--at", "noon"});
  EXPECT_EQ(noon.code, 2);
  EXPECT_THAT(noon.err, HasSubstr("--at: 'noon' is no time of day, such as 03:30"));
  EXPECT_TRUE(sent().is_null());
  EXPECT_THAT(run({"release", "schedule", "--help"}).out, HasSubstr("like 03:30"));
  hub().on("PUT /api/v1/releases/v9/schedule", R"({"status":422,"code":"invalid_argument",
      "detail":"/deadline_hours must be from 1 to 8784","pointer":"/deadline_hours"})",
           422);
  EXPECT_EQ(run({"release", "schedule", "v9", "--type", "urgent", "--deadline", "0h"}).err,
            "starling: --deadline must be from 1 to 8784\n");
}

TEST_F(ReleaseSchedule, WhatContradictsItselfIsRefused) {
  EXPECT_EQ(run({"release", "schedule", "v1.2.3", "--now", "--at", "03:30"}).code, 2);
  EXPECT_THAT(run({"release", "schedule", "v1.2.3", "--type", "urgent", "--deadline", "soon"}).err,
              HasSubstr("--deadline"));
  EXPECT_TRUE(sent().is_null());
}

}  // namespace
}  // namespace starling::cli
