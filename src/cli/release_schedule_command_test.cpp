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

TEST_F(ReleaseSchedule, WhatContradictsItselfIsRefused) {
  EXPECT_EQ(run({"release", "schedule", "v1.2.3", "--now", "--at", "03:30"}).code, 2);
  EXPECT_THAT(run({"release", "schedule", "v1.2.3", "--type", "urgent", "--deadline", "soon"}).err,
              HasSubstr("--deadline"));
  EXPECT_TRUE(sent().is_null());
}

}  // namespace
}  // namespace starling::cli
