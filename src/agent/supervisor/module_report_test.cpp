#include "agent/supervisor/module_report.hpp"

#include <gtest/gtest.h>

namespace starling::agent {
namespace {

TEST(ModuleReport, SaysOnlyWhatThereIsToSay) {
  const ManualClock clock;
  ModuleStatus status;
  status.settled = true;
  EXPECT_EQ(to_json(status, clock),
            (JsonObject{{"enabled", false}, {"state", "disabled"}, {"cause", "none"}, {"epoch", 0}}));
}

TEST(ModuleReport, TellsSinceWhenWhateverBecomesOfTheClock) {
  ManualClock clock;
  ModuleStatus status;
  status.since = clock.steady();
  const JsonObject report = to_json(status, clock);
  EXPECT_EQ(report.at("since_ms"), Json(clock.wall().time_since_epoch().count()));
  clock.advance(Seconds(100));
  EXPECT_EQ(to_json(status, clock), report);
}

TEST(ModuleReport, TellsACrashWithItsCauseAndNextAttempt) {
  ManualClock clock;
  ModuleStatus status;
  status.enabled = status.settled = status.wanted = true;
  status.state = ModuleState::crashed;
  status.cause = Cause::exited;
  status.detail = "killed by signal 11";
  status.attempt = 3;
  status.starts = 4;
  status.pace = RetryPace::slow;
  status.next_retry = clock.steady() + Seconds(300);
  status.last_death = DeathReport{};
  status.last_death->text = status.detail;
  status.last_death->last_lines = {"about to fail"};
  const JsonObject report = to_json(status, clock);
  EXPECT_EQ(report.at("next_retry").as_string(), to_rfc3339(clock.wall() + Seconds(300)));
  EXPECT_EQ(report.at("restarts").as_int64(), 3);
  EXPECT_EQ(report.at("pace").as_string(), "slow");
  EXPECT_EQ(report.at("last_death").as_object().at("last_lines").as_array().size(), 1u);
  clock.advance(Seconds(100));
  EXPECT_EQ(to_json(status, clock), report);  // nothing counts down
  status.wanted = false;
  EXPECT_FALSE(to_json(status, clock).contains("pace")) << "nothing is tried";
}

TEST(ModuleReport, TellsWhatTheModuleSays) {
  ModuleStatus status;
  status.status_text = "3 channels";
  status.reloading = true;
  status.main_pid = 815;
  const JsonObject report = to_json(status, ManualClock());
  EXPECT_EQ(report.at("status").as_string(), "3 channels");
  EXPECT_EQ(report.at("reloading").as_bool(), true);
  EXPECT_EQ(report.at("main_pid").as_int64(), 815);
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
  const JsonObject json = to_json(transition, clock);
  EXPECT_EQ(json.at("from").as_string(), "disabled");
  EXPECT_EQ(json.at("to").as_string(), "starting");
  EXPECT_EQ(json.at("deadline").as_string(), to_rfc3339(clock.wall() + Seconds(30)));
  EXPECT_FALSE(json.contains("next_retry"));
}

}  // namespace
}  // namespace starling::agent
