#include "cli/rollout_view.hpp"

#include <gmock/gmock.h>

#include "base/rfc3339.hpp"

namespace starling::cli {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

TEST(RolloutPlanText, SpansOfTime) {
  EXPECT_EQ(parse_span("30m").value(), minutes(30));
  EXPECT_EQ(parse_span("90s").value(), seconds(90));
  EXPECT_EQ(parse_span("2h").value(), hours(2));
  EXPECT_EQ(parse_span("1d").value(), hours(24));
  EXPECT_EQ(parse_span("0s").value(), seconds(0));
  for (const char* bad : {"", "m", "30", "-1m", "1.5h", "30 m", "9999999999d", "m30", "30ms"})
    EXPECT_FALSE(parse_span(bad)) << bad;
}

TEST(RolloutPlanText, Percentages) {
  EXPECT_EQ(parse_percent("5%").value(), 500);
  EXPECT_EQ(parse_percent("2.5%").value(), 250);
  EXPECT_EQ(parse_percent("0.05%").value(), 5);
  EXPECT_EQ(parse_percent("100%").value(), 10'000);
  for (const char* bad : {"", "%", "5", "5 %", "-5%", "101%", "100.01%", "5.%", ".5%", "5.123%", "x%"})
    EXPECT_FALSE(parse_percent(bad)) << bad;
  EXPECT_EQ(percent_text(500), "5%");
  EXPECT_EQ(percent_text(250), "2.5%");
}

TEST(RolloutPlanText, Stages) {
  EXPECT_EQ(Json(parse_stages("5%,25%,100%", false).value()),
            *parse_json(R"([{"share":500},{"share":2500},{"share":10000}])"));
  EXPECT_EQ(Json(parse_stages("room=lab,100%", true).value()),
            *parse_json(R"([{"selector":"room=lab","needs_approval":true},
                            {"share":10000,"needs_approval":true}])"));
  for (const char* bad :
       {"", "5%", "100%,room=lab", "5%,,100%", "0%,100%", "5%,200%", "room=lab,tier=canary,100%"})
    EXPECT_FALSE(parse_stages(bad, false)) << bad;
  EXPECT_THAT(parse_stages("room=lab,tier=canary,100%", false).error().message,
              HasSubstr("a stage is one label"));
  EXPECT_TRUE(parse_stages("room=lab,5%,tier=canary,100%", false));
}

JsonObject rollout(const std::string& state, const std::string& more = "") {
  return parse_json(R"({"id":"r42","author":"key:k1","open":1,
      "values":[{"layer":"group:room=lab","key":"software.release","value":"v1.2.3"},
                {"layer":"group:room=lab","key":"audio.volume","value":null}],
      "stages":[{"share":500,"needs_approval":true,"approved_by":"key:k2","open":true,
                 "devices":20,"done":10,"failed":5,"pending":3,"absent":2},
                {"share":10000,"needs_approval":true,"approved_by":null,"open":false,"devices":380}],
      "failures":[{"devices":5,"example":"disk \u001b[2J full","device_name":"bear-1"}],
      "state":")" + state +
                    "\"" + more + "}")
      ->as_object();
}

const WallTime now = parse_rfc3339("2026-11-28T01:00:00Z").value();

TEST(RolloutText, HasABarForEachStageAndWhyDevicesFailed) {
  const std::string text = rollout_text(rollout("settling"), now, {});
  EXPECT_THAT(text, HasSubstr("software.release = v1.2.3, audio.volume unset on group:room=lab"));
  EXPECT_THAT(text, HasSubstr("[##########xxxxx.....]"));
  EXPECT_THAT(text, HasSubstr("10/20 done, 5 failed, 3 under way, 2 away"));
  EXPECT_THAT(text, HasSubstr("approved by key:k2"));
  EXPECT_THAT(text, HasSubstr("380 devices, not open yet"));
  EXPECT_THAT(text, HasSubstr("needs approval"));
  EXPECT_THAT(text, HasSubstr("3 devices must answer"));
  EXPECT_THAT(text, HasSubstr("bear-1"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos) << "nothing of a device acts on the terminal";
}

TEST(RolloutText, SaysWhatComesNext) {
  const auto next = [](const std::string& state, const std::string& more = "") {
    return rollout_text(rollout(state, more), now, {});
  };
  EXPECT_THAT(next("awaiting"), HasSubstr("starling rollout approve r42"));
  JsonObject approved = rollout("awaiting");
  approved.at("stages").at(1).as_object()["approved_by"] = "key:k2";
  EXPECT_THAT(rollout_text(approved, now, {}), HasSubstr("the next stage opens in a moment"));
  approved.at("stages").at(1).as_object()["needs_approval"] = false;
  EXPECT_THAT(rollout_text(approved, now, {}), HasSubstr("the next stage opens in a moment"));
  EXPECT_THAT(next("ready"), HasSubstr("the next stage opens when its window does"));
  EXPECT_THAT(next("soaking", R"(,"soaked_at":"2026-11-28T01:10:00Z")"), HasSubstr("in 10 m"));
  EXPECT_THAT(next("paused"), HasSubstr("starling rollout resume r42"));
  EXPECT_THAT(next("yielding", R"(,"heir":"r50")"), HasSubstr("rollout r50 takes its place"));
  EXPECT_THAT(next("stopped", R"(,"why":"5 of 20 devices failed")"), HasSubstr("5 of 20 devices failed"));
}

TEST(RolloutText, CountsOfAStageAndOfAllAreToldApart) {
  JsonObject shown = rollout("settling");
  shown["open"] = 2;
  JsonObject& second = shown.at("stages").at(1).as_object();
  second["open"] = true;
  second["done"] = 7;
  EXPECT_EQ(stage_line(shown), "stage 2 of 2: 17/400 done in stages 1 to 2, 5 failed");
  const std::string text = rollout_text(shown, now, {});
  EXPECT_THAT(text, HasSubstr("progress  " + stage_line(shown) + "\n"));
  EXPECT_THAT(text, HasSubstr("7/380 done"));
}

TEST(RolloutText, PeopleHaveTheirNames) {
  JsonObject shown = rollout("settling");
  EXPECT_THAT(rollout_text(shown, now, {}), HasSubstr("author    key:k1\n")) << "of an older hub";
  shown["author_name"] = "ann";
  shown.at("stages").at(0).as_object()["approved_by_name"] = "bob";
  EXPECT_THAT(rollout_text(shown, now, {}), HasSubstr("author    ann\n"));
  EXPECT_THAT(rollout_text(shown, now, {}), HasSubstr("approved by bob"));
}

TEST(RolloutText, SaysWhoHasNoPartInIt) {
  JsonObject shown = rollout("settling");
  JsonObject& stage = shown.at("stages").at(0).as_object();
  stage["masked"] = 1;
  stage["lacking"] = 2;
  stage["hindered"] = 4;
  EXPECT_THAT(rollout_text(shown, now, {}),
              HasSubstr("1 masked by a higher layer, 2 without such settings, 4 held"));
}

TEST(RolloutText, SaysWhenDevicesWillHaveAnswered) {
  const auto next = [](const std::string& under_way) {
    return rollout_text(rollout("settling", R"(,"under_way":)" + under_way), now, {});
  };
  EXPECT_THAT(next(R"({"on_trial":2,"waiting":0,"first_switch":null,"last_switch":null})"),
              HasSubstr("3 devices must answer; 2 on trial"));
  EXPECT_THAT(next(R"({"on_trial":0,"waiting":1,"first_switch":"2026-11-28T02:00:00Z",
                       "last_switch":"2026-11-28T02:00:00Z"})"),
              HasSubstr("3 devices must answer; 1 switch in 1 h"));
  EXPECT_THAT(next(R"({"on_trial":0,"waiting":2,"first_switch":"2026-11-28T01:10:00Z",
                       "last_switch":"2026-11-28T01:40:00Z"})"),
              HasSubstr("2 switch in 10 m to in 40 m"));
}

TEST(RolloutText, AHubThatSaysLittleIsShownAllTheSame) {
  EXPECT_EQ(rollout_text({}, now, {}), "progress  stage 0 of 0\n\n");
  EXPECT_EQ(stage_line({}), "stage 0 of 0");
}

}  // namespace
}  // namespace starling::cli
