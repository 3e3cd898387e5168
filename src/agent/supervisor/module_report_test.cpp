#include "agent/supervisor/module_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace starling::agent {
namespace {

TEST(ModuleReport, SaysOnlyWhatThereIsToSay) {
  const ManualClock clock;
  ModuleStatus status;
  status.settled = true;
  EXPECT_EQ(to_json(status, WallTimes(clock)),
            (JsonObject{{"enabled", false}, {"state", "disabled"}, {"cause", "none"}, {"epoch", 0}}));
}

TEST(ModuleReport, TellsDeathsByTheirKinds) {
  DeathReport crash;
  crash.death_class = DeathClass::exit_code;
  crash.text = "exited with status 3";
  crash.fingerprint = "f1";
  crash.release = "v1.0.0";
  JsonObject report;
  put_deaths(report, DeathCount{});
  EXPECT_EQ(report, JsonObject());
  put_deaths(report, DeathCount{7, {{crash, 2}}});
  EXPECT_EQ(Json(report), *parse_json(R"({"deaths":7,"deaths_by_kind":{"f1":{"deaths":2,"class":"exit-code",
      "confidence":"certain","text":"exited with status 3","release":"v1.0.0"}}})"));
  leave_out_texts(report);
  EXPECT_EQ(report, (JsonObject{{"deaths", 7}})) << "where there is no room for more";
}

TEST(ModuleReport, WithoutRoomTellsTheBeginningOfWhatIsWrong) {
  JsonObject report{{"edit_refused", std::string(4'000, 'x')}, {"detail", "x"}};
  leave_out_texts(report);
  EXPECT_EQ(report, (JsonObject{{"edit_refused", std::string(40, 'x')}}));
}

// Each reading of it takes a little while, and somebody may set it.
class RealClock final : public Clock {
 public:
  SteadyTime steady() const override { return SteadyTime(now_ += std::chrono::microseconds(311)); }
  WallTime wall() const override {
    now_ += std::chrono::microseconds(311);
    return WallTime(std::chrono::floor<Milliseconds>(now_ + set_by_));
  }
  void advance(Milliseconds by) { now_ += by; }
  void set(Milliseconds by) { set_by_ += by; }

 private:
  mutable std::chrono::nanoseconds now_{};
  Milliseconds set_by_{1'700'000'000'000};
};

TEST(ModuleReport, TellsTheSameTimeEachTime) {
  RealClock clock;
  WallTimes times(clock);
  ModuleStatus status;
  status.since = clock.steady();
  status.next_retry = clock.steady() + Seconds(30);
  const JsonObject report = to_json(status, times);
  EXPECT_NEAR(static_cast<double>(report.at("since_ms").as_int64()), 1'700'000'000'000.0, 10.0);
  for (int times_told = 0; times_told < 10'000; ++times_told) {
    clock.advance(Milliseconds(7));
    EXPECT_FALSE(times.notice_set());
    ASSERT_EQ(to_json(status, times), report) << times_told;
  }
}

TEST(ModuleReport, TellsTheTimesByAClockThatWasSet) {
  RealClock clock;
  WallTimes times(clock);
  ModuleStatus status;
  status.since = clock.steady();
  const std::int64_t before = to_json(status, times).at("since_ms").as_int64();
  clock.set(Seconds(3600));
  EXPECT_TRUE(times.notice_set());
  EXPECT_FALSE(times.notice_set());
  const std::int64_t after = to_json(status, times).at("since_ms").as_int64();
  EXPECT_NEAR(static_cast<double>(after - before), 3'600'000.0, 10.0);
}

TEST(ModuleReport, TellsACrashWithItsCauseAndNextAttempt) {
  ManualClock clock;
  ModuleStatus status;
  status.enabled = status.settled = status.wanted = true;
  status.state = ModuleState::crashed;
  status.cause = Cause::exited;
  status.detail = "killed by signal 11";
  status.attempt = 3;
  status.starts = 5;
  status.restarts = 3;
  status.pace = RetryPace::slow;
  status.next_retry = clock.steady() + Seconds(300);
  status.last_death = DeathReport{};
  status.last_death->text = status.detail;
  status.last_death->last_lines = {"about to fail"};
  const JsonObject report = to_json(status, WallTimes(clock));
  EXPECT_EQ(report.at("next_retry").as_string(), to_rfc3339(clock.wall() + Seconds(300)));
  EXPECT_EQ(report.at("restarts").as_int64(), 3);
  EXPECT_EQ(report.at("pace").as_string(), "slow");
  EXPECT_EQ(report.at("last_death").as_object().at("last_lines").as_array().size(), 1u);
  clock.advance(Seconds(100));
  EXPECT_EQ(to_json(status, WallTimes(clock)), report);  // nothing counts down
  status.wanted = false;
  EXPECT_FALSE(to_json(status, WallTimes(clock)).contains("pace")) << "nothing is tried";
}

TEST(ModuleReport, TellsWhatTheModuleSays) {
  const ManualClock clock;
  ModuleStatus status;
  status.status_text = "3 channels";
  status.reloading = true;
  status.main_pid = 815;
  status.manifest_pending = true;
  const JsonObject report = to_json(status, WallTimes(clock));
  EXPECT_EQ(report.at("status").as_string(), "3 channels");
  EXPECT_EQ(report.at("reloading").as_bool(), true);
  EXPECT_EQ(report.at("main_pid").as_int64(), 815);
  EXPECT_THAT(std::string(report.at("manifest_pending").as_string()), testing::HasSubstr("next start"));
}

TEST(ModuleReport, TellsATransition) {
  const ManualClock clock;
  Transition transition;
  transition.number = 7;
  transition.at = clock.wall();
  transition.module = "recorder";
  transition.to = ModuleState::starting;
  transition.cause = Cause::enabled;
  transition.deadline = clock.steady() + Seconds(30);
  const JsonObject json = to_json(transition, WallTimes(clock));
  EXPECT_EQ(json.at("from").as_string(), "disabled");
  EXPECT_EQ(json.at("to").as_string(), "starting");
  EXPECT_EQ(json.at("deadline").as_string(), to_rfc3339(clock.wall() + Seconds(30)));
  EXPECT_FALSE(json.contains("next_retry"));
}

}  // namespace
}  // namespace starling::agent
