#include <gmock/gmock.h>

#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using testing::HasSubstr;

class RolloutCommands : public ApplicationTest {
 protected:
  RolloutCommands() {
    hub().on("GET /api/v1/components", R"({"items":[{"x-component":"audio","properties":
        {"volume":{"type":"integer","x-alias":"VOLUME"}}}],"next":null})");
    hub().on("POST /api/v1/rollouts", R"({"revision":42,"id":"r42","targeted":3})", 201);
  }
  Json started() {
    for (const auto& asked : hub().asked()) {
      if (asked.line == "POST /api/v1/rollouts") return *parse_json(asked.body);
    }
    return {};
  }
  static std::string rollout(const std::string& state, int done) {
    const bool ended = state == "finished" || state == "stopped";
    return R"({"id":"r42","state":")" + state + R"(","ended":)" + (ended ? "true" : "false") +
           R"(,"open":1,"values":[{"layer":"fleet","key":"audio.volume","value":20}],"stages":[{"share":10000,
           "open":true,"devices":3,"failed":0,"done":)" +
           std::to_string(done) + R"(}],"failures":[]})";
  }
};

TEST_F(RolloutCommands, StartSendsTheWholePlan) {
  const Ran ran = run({"rollout",
                       "start",
                       "v1.2.3",
                       "--set",
                       "VOLUME=20",
                       "--on",
                       "room=lab",
                       "--stages",
                       "5%,25%,100%",
                       "--soak",
                       "30m",
                       "--max-failures",
                       "2%",
                       "--supersede",
                       "--needs-approval",
                       "--wait-for-absent",
                       "--window",
                       "Sat 22:00-02:00 Europe/Berlin",
                       "--window",
                       "Sun 01:00-02:00",
                       "--reason",
                       "new voice"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("revision 42: rollout r42 on room=lab has started (3 devices)"));
  EXPECT_THAT(ran.err, HasSubstr("starling rollout status r42 --watch"));
  EXPECT_EQ(started(), *parse_json(R"({"values":{"audio.volume":20,"software.release":"v1.2.3"},
      "target":{"selector":"room=lab"},"soak_ms":1800000,"max_failures":200,"supersede":true,
      "waits_for_absent":true,"reason":"new voice",
      "windows":[{"days":["sat"],"at":"22:00","minutes":240,"timezone":"Europe/Berlin"},
                 {"days":["sun"],"at":"01:00","minutes":60,"timezone":"UTC"}],
      "stages":[{"share":500,"needs_approval":true},{"share":2500,"needs_approval":true},
                {"share":10000,"needs_approval":true}]})"));
}

TEST_F(RolloutCommands, StartSaysWhenDevicesTakeIt) {
  const struct {
    std::string schedule, said;
  } cases[] = {
      {R"({"type":"scheduled"})",
       "note: devices take v1.2.3 at 02:00 of the device's time, for 2 h; at once instead: starling release "
       "schedule v1.2.3 --now\n"},
      {R"({"type":"urgent","deadline_hours":24})",
       "v1.2.3 after an hour without use, after 24 h in any case;"},
      {R"({"type":"urgent","now":true})", "note: devices take v1.2.3 at once\n"},
  };
  for (const auto& [schedule, said] : cases) {
    FakeHub fake;
    environment_["STARLING_HUB"] = fake.address();
    fake.on("POST /api/v1/rollouts", R"({"revision":42,"id":"r42","targeted":3})", 201);
    fake.on("GET /api/v1/releases/v1.2.3", R"({"version":"v1.2.3","schedule":)" + schedule + "}");
    EXPECT_THAT(run({"rollout", "start", "v1.2.3"}).err, HasSubstr(said));
  }
}

TEST_F(RolloutCommands, StartSaysWhomItDoesNotReach) {
  hub().on("POST /api/v1/rollouts", R"({"revision":43,"id":"r43","targeted":3,"masked_count":1,
      "masked":[{"key":"audio.volume","device":"d1","device_name":"bear","layer":"device:d1"}],
      "notes":["stage 1: no device of the target has room=lba now; did you mean room=lab?"]})",
           201);
  const std::vector<std::string> start{"rollout",         "start",    "--set",
                                       "audio.volume=20", "--stages", "room=lba,100%"};
  EXPECT_EQ(run(start).err.find("not in force"), std::string::npos) << "of r42 there is nothing to say";
  const Ran ran = run(start);
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("did you mean room=lab?"));
  EXPECT_THAT(ran.err, HasSubstr("1 written value not in force"));
  EXPECT_THAT(ran.err, HasSubstr("bear"));
}

TEST_F(RolloutCommands, SettingsAloneAreEnough) {
  EXPECT_EQ(run({"rollout", "start", "--set", "audio.volume=20"}).code, 0);
  EXPECT_EQ(started(), *parse_json(R"({"values":{"audio.volume":20},"soak_ms":1800000,"max_failures":200,
      "stages":[{"share":500},{"share":2500},{"share":10000}]})"));
}

TEST_F(RolloutCommands, WhatIsWrongIsSaidBeforeTheHubIsAsked) {
  EXPECT_EQ(run({"rollout", "start"}).code, 2);
  EXPECT_THAT(run({"rollout", "start", "v1.2.3", "--stages", "5%"}).err, HasSubstr("end with 100%"));
  EXPECT_THAT(run({"rollout", "start", "v1.2.3", "--soak", "soon"}).err, HasSubstr("such as 30m"));
  EXPECT_THAT(run({"rollout", "start", "v1.2.3", "--max-failures", "2"}).err, HasSubstr("such as 5%"));
  EXPECT_THAT(run({"rollout", "start", "v1.2.3", "--window", "at night"}).err, HasSubstr("--window"));
  EXPECT_EQ(run({"rollout", "start", "--set", "volume"}).code, 2);
  EXPECT_EQ(run({"rollout", "pause"}).code, 2);
  EXPECT_TRUE(started().is_null());
}

TEST_F(RolloutCommands, StatusTakesTheNewestThatGoesOn) {
  hub().on("GET /api/v1/rollouts",
           R"({"items":[{"id":"r50","ended":true},{"id":"r42","ended":false},{"id":"r41","ended":false}],
               "next":null})");
  hub().on("GET /api/v1/rollouts/r42", rollout("settling", 2));
  const Ran ran = run({"rollout", "status"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("audio.volume = 20 on the fleet"));
  EXPECT_THAT(ran.out, HasSubstr("2/3 done"));
}

TEST_F(RolloutCommands, StatusSaysWhenThereIsNone) {
  hub().on("GET /api/v1/rollouts", R"({"items":[],"next":null})");
  EXPECT_THAT(run({"rollout", "status"}).err, HasSubstr("starling rollout start --help"));
  EXPECT_THAT(run({"rollout", "list"}).err, HasSubstr("no rollouts"));
}

TEST_F(RolloutCommands, WatchGoesOnUntilItHasEnded) {
  hub().on("GET /api/v1/rollouts/r42", rollout("settling", 1));
  hub().on("GET /api/v1/rollouts/r42", rollout("soaking", 3));
  hub().on("GET /api/v1/rollouts/r42", rollout("finished", 3));
  const Ran ran = run({"rollout", "status", "r42", "--watch"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("r42: settling, stage 1 of 1: 1/3 done"));
  EXPECT_THAT(ran.out, HasSubstr("r42: soaking, stage 1 of 1: 3/3 done"));
  EXPECT_THAT(ran.out, HasSubstr("r42: finished"));
}

TEST_F(RolloutCommands, WatchTellsScriptsThatItWasTakenBack) {
  hub().on("GET /api/v1/rollouts/r42", rollout("stopped", 1));
  EXPECT_EQ(run({"rollout", "status", "r42", "--watch"}).code, 3);
  EXPECT_EQ(run({"rollout", "status", "r42"}).code, 0);
}

TEST_F(RolloutCommands, ListShowsEachInALine) {
  hub().on("GET /api/v1/rollouts", R"({"items":[)" + rollout("settling", 2) + R"(],"next":null})");
  const Ran ran = run({"rollout", "list"});
  EXPECT_THAT(ran.out, HasSubstr("r42"));
  EXPECT_THAT(ran.out, HasSubstr("stage 1 of 1: 2/3 done"));
}

TEST_F(RolloutCommands, PeopleActOnOne) {
  for (const auto& [verb, words] : {std::pair("approve", "is approved"), std::pair("pause", "is paused"),
                                    std::pair("resume", "goes on"), std::pair("abort", "is aborted")}) {
    hub().on("POST /api/v1/rollouts/r42/" + std::string(verb),
             std::string(R"({"revision":43,"id":"r42","state":")") +
                 (verb == std::string("abort") ? "aborted" : "paused") + "\"}");
    const Ran ran = run({"rollout", verb, "r42", "--reason", "noise"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out, "revision 43: rollout r42 " + std::string(words) + "\n");
    EXPECT_EQ(hub().asked().back().body, R"({"reason":"noise"})");
  }
}

}  // namespace
}  // namespace starling::cli
