// A process that SIGKILL does not end: nobody waits for ever to be told, and it is killed on and on.
#include "agent/supervisor/supervisor_bench_test.hpp"

namespace starling::agent {
namespace {

struct Unkillable : SupervisorBenchTest {
  void start_ready() {
    module("recorder", true);
    start_agent();
    up("recorder");
    board.leftovers.insert("recorder");
    board.unkillable.insert("recorder");
  }
  // The agent dies while it ends a module, whose main process alone ends meanwhile.
  void leave_child_of_disabled() {
    start_ready();
    command("recorder", disable);
    kill_agent();
    FakeBoard::end(board.children.begin()->second, SIGTERM);
    changes = 0;
    start_agent();
  }
  static constexpr Milliseconds told_after =
      Seconds(10) + ModuleProcess::long_killed;  // with its stop_timeout
};

TEST_F(Unkillable, AStopIsAnsweredAllTheSame) {
  start_ready();
  std::optional<Error> error;
  core->command("recorder", disable,
                [&error](const Result<ModuleState>& settled) { error = settled.error(); });
  pass(told_after - Milliseconds(1));
  EXPECT_FALSE(error);
  EXPECT_THAT(alerts, IsEmpty());
  EXPECT_TRUE(core->is_ending("recorder"));
  const int before = changes;
  pass(Milliseconds(1));
  EXPECT_FALSE(core->is_ending("recorder")) << "nobody at the hub waits for it any longer";
  EXPECT_GT(changes, before);
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::unavailable);
  EXPECT_THAT(error->message, HasSubstr("module 'recorder' does not end"));
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].kind, SupervisorAlert::Kind::needs_help);
  EXPECT_THAT(alerts[0].modules, ElementsAre("recorder"));
  EXPECT_EQ(state("recorder"), stopping);
  EXPECT_THAT(status("recorder").problem, HasSubstr("start the device anew"));
}

TEST_F(Unkillable, IsEndingAlsoWhenAnEarlierAgentDisabledIt) {
  leave_child_of_disabled();
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_TRUE(core->is_ending("recorder"));
  const int before = changes;
  EXPECT_GT(before, 0) << "told";
  board.unkillable.clear();
  pass(2 * ModuleProcess::longest_sweep);
  EXPECT_FALSE(core->is_ending("recorder"));
  EXPECT_GT(changes, before) << "told";
}

TEST_F(Unkillable, ThenNobodyWaitsForItForEverEither) {
  leave_child_of_disabled();
  const int before = changes;
  pass(ModuleProcess::long_killed);
  EXPECT_FALSE(core->is_ending("recorder"));
  EXPECT_GT(changes, before) << "told";
}

TEST_F(Unkillable, ThatItHasEndedAfterAllIsTold) {
  leave_child_of_disabled();
  pass(ModuleProcess::long_killed);
  ASSERT_EQ(status("recorder").problem, SupervisedModule::unkillable_text);
  const int before = changes;
  board.unkillable.clear();
  pass(2 * ModuleProcess::longest_sweep);
  EXPECT_EQ(status("recorder").problem, "");
  EXPECT_GT(changes, before);
}

TEST_F(Unkillable, IsKilledOnAndOnAndToldOnce) {
  start_ready();
  command("recorder", disable);
  pass(Seconds(3'600));
  EXPECT_THAT(answers, ElementsAre("recorder: unavailable"));
  EXPECT_EQ(alerts.size(), 1u);
  board.unkillable.clear();
  pass(2 * ModuleProcess::longest_sweep);
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_EQ(status("recorder").problem, "");
  EXPECT_THAT(answers, ElementsAre("recorder: unavailable"));
  command("recorder", enable);
  up("recorder");
  EXPECT_EQ(answers.back(), "recorder: idle");
}

TEST_F(Unkillable, WhatIsAskedOfItMeanwhileIsAnsweredAtOnceAndDoneLater) {
  start_ready();
  command("recorder", disable);
  pass(told_after);
  command("recorder", enable);
  EXPECT_THAT(answers, ElementsAre("recorder: unavailable", "recorder: unavailable"));
  board.unkillable.clear();
  pass(2 * ModuleProcess::longest_sweep);
  EXPECT_EQ(state("recorder"), starting);
}

TEST_F(Unkillable, AStartThatWaitsForWhatACrashLeftIsAnswered) {
  start_ready();
  die("recorder");
  command("recorder", start);
  pass(ModuleProcess::long_killed);
  EXPECT_EQ(state("recorder"), crashed);
  EXPECT_THAT(answers, ElementsAre("recorder: unavailable"));
}

TEST_F(Unkillable, AStopWithoutAKeeperIsAnswered) {
  start_ready();
  core->lost();
  board.keeper_away = true;
  command("recorder", stop);
  pass(told_after);
  EXPECT_THAT(answers, ElementsAre("recorder: unavailable"));
}

}  // namespace
}  // namespace starling::agent
