// Commands that overtake one another: the newest wins, and what an older one still brings is dropped.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/supervisor/supervisor_bench.hpp"

namespace starling::agent {
namespace {

using enum ModuleState;
using testing::ElementsAreArray;
using testing::IsEmpty;

enum class Step {
  enable,
  disable,
  start,
  stop,
  restart,
  made,       // the keeper has spawned the newest run
  made_late,  // the same, of the first run
  ready,
  ready_late,  // of the first run
  dies,
  dies_late,
  ends,  // as asked, or because its work is done
  not_made,
  removed,  // its folder
  second,   // passes
  a_while,
};

struct Overtaking {
  const char* title;
  std::vector<Step> steps;
  ModuleState state;
  bool enabled;
  std::vector<std::string> answers;  // in the order in which they came
  int living;                        // processes
};

void PrintTo(const Overtaking& overtaking, std::ostream* out) {
  *out << overtaking.title;
}

class OvertakingTest : public testing::TestWithParam<Overtaking>, public SupervisorBench {
 protected:
  static constexpr const char* name = "m";

  void take(Step step) {
    switch (step) {
      case Step::enable: return command(name, ModuleCommand::enable);
      case Step::disable: return command(name, ModuleCommand::disable);
      case Step::start: return command(name, ModuleCommand::start);
      case Step::stop: return command(name, ModuleCommand::stop);
      case Step::restart: return command(name, ModuleCommand::restart);
      case Step::made: return make(name);
      case Step::ready: return ready(name);
      case Step::dies: return die(name);
      case Step::ends: return exit(name, 0);
      case Step::not_made: return refuse(name, EAGAIN);
      case Step::removed: core->remove(name); return deliver();
      case Step::second: return pass(Seconds(1));
      case Step::a_while: return pass(Seconds(15));
      case Step::made_late:
      case Step::ready_late:
      case Step::dies_late: return take_late(step);
    }
  }
  void take_late(Step step) {
    NotifyMessage message;
    message.ready = true;
    KeptChild child;
    child.id = "m:2";  // the first command began epoch 1, its start 2
    child.pid = 99;
    ChildExit killed;
    killed.kind = ChildExit::Kind::killed;
    killed.status = SIGSEGV;
    if (step == Step::made_late) core->spawned(child);
    if (step == Step::ready_late) core->notified(child.id, message);
    if (step == Step::dies_late) core->exited(child.id, killed);
  }
};

TEST_P(OvertakingTest, TheNewestCommandWins) {
  module(name).retry = Retry::on_failure;
  start_agent();
  for (const Step step : GetParam().steps)
    take(step);
  const ModuleStatus now = core->status(name).value_or(ModuleStatus());  // it may be gone
  EXPECT_EQ(to_string(now.state), to_string(GetParam().state));
  EXPECT_EQ(now.enabled, GetParam().enabled);
  std::vector<std::string> expected;
  for (const std::string& answer : GetParam().answers)
    expected.push_back("m: " + answer);
  EXPECT_THAT(answers, ElementsAreArray(expected));
  EXPECT_EQ(board.living(name), GetParam().living);
  EXPECT_THAT(board.violations, IsEmpty());
}

using enum Step;
// clang-format off
const std::vector<Overtaking> table{
    // while starting
    {"disable_before_it_is_made", {enable, disable, made}, stopping, false, {"conflict"}, 1},
    {"disable_before_it_is_made_then_ends", {enable, disable, made, ends}, disabled, false, {"conflict", "disabled"}, 0},
    {"disable_before_it_fails", {enable, disable, not_made}, disabled, false, {"conflict", "disabled"}, 0},
    {"disable_while_starting", {enable, made, disable, ends}, disabled, false, {"conflict", "disabled"}, 0},
    {"ready_after_disable", {enable, made, disable, ready}, stopping, false, {"conflict"}, 1},
    {"dies_after_disable", {enable, made, disable, dies}, disabled, false, {"conflict", "disabled"}, 0},
    {"off_on_while_starting", {enable, made, disable, enable}, stopping, true, {"conflict", "conflict"}, 1},
    {"off_on_starts_when_gone", {enable, made, disable, enable, ends}, starting, true, {"conflict", "conflict"}, 1},
    {"off_on_is_ready", {enable, made, disable, enable, ends, made, ready}, idle, true, {"conflict", "conflict", "idle"}, 1},
    {"off_on_off", {enable, made, disable, enable, disable, ends}, disabled, false, {"conflict", "conflict", "conflict", "disabled"}, 0},
    {"old_ready_does_not_confirm", {enable, made, disable, enable, ends, made, ready_late}, starting, true, {"conflict", "conflict"}, 1},
    {"old_exit_does_not_crash", {enable, made, disable, enable, ends, made, ready, dies_late}, idle, true, {"conflict", "conflict", "idle"}, 1},
    {"old_spawn_is_no_process", {enable, made, disable, enable, ends, made_late}, starting, true, {"conflict", "conflict"}, 1},
    {"restart_while_starting", {enable, made, restart, ends, made, ready}, idle, true, {"conflict", "idle"}, 1},
    // while ready
    {"toggle_twice", {enable, made, ready, disable, enable, ends, made, ready}, idle, true, {"idle", "conflict", "idle"}, 1},
    {"restart_overtaken_by_stop", {enable, made, ready, restart, stop, ends}, disabled, true, {"idle", "conflict", "disabled"}, 0},
    {"restart_overtaken_by_disable", {enable, made, ready, restart, disable, ends}, disabled, false, {"idle", "conflict", "disabled"}, 0},
    {"stop_overtaken_by_start", {enable, made, ready, stop, start, ends, made, ready}, idle, true, {"idle", "conflict", "idle"}, 1},
    {"restart_twice", {enable, made, ready, restart, restart, ends, made, ready}, idle, true, {"idle", "conflict", "idle"}, 1},
    {"restart_killed_when_it_ignores", {enable, made, ready, restart, a_while}, starting, true, {"idle"}, 1},
    {"start_of_what_runs", {enable, made, ready, start}, idle, true, {"idle", "idle"}, 1},
    // while it waits for its next attempt
    {"disable_during_backoff", {enable, made, ready, dies, disable}, disabled, false, {"idle", "disabled"}, 0},
    {"disable_during_backoff_stays", {enable, made, ready, dies, disable, a_while}, disabled, false, {"idle", "disabled"}, 0},
    {"start_during_backoff_is_at_once", {enable, made, ready, dies, start}, starting, true, {"idle"}, 1},
    {"restart_during_backoff_is_at_once", {enable, made, ready, dies, restart}, starting, true, {"idle"}, 1},
    {"enable_during_backoff_is_no_trial", {enable, made, ready, dies, enable, made, dies}, crashed, true, {"idle", "failed_precondition"}, 0},
    {"stop_keeps_enabled", {enable, made, ready, dies, stop, a_while}, disabled, true, {"idle", "disabled"}, 0},
    {"disable_during_a_trial_backoff", {enable, made, dies, disable, a_while}, disabled, false, {"conflict", "disabled"}, 0},
    {"stop_ends_a_trial", {enable, made, stop, ends, a_while, a_while, a_while}, disabled, true, {"conflict", "disabled"}, 0},
    {"restart_goes_on_with_the_trial", {enable, made, restart, ends, made, dies, second, made, dies}, disabled, false, {"conflict", "failed_precondition"}, 0},
    {"enable_again_is_a_new_trial", {enable, made, dies, second, made, dies, enable, made, dies, second}, starting, true, {"conflict"}, 1},
    // what is disabled
    {"disable_of_disabled", {disable}, disabled, false, {"disabled"}, 0},
    {"start_once_of_disabled", {start, made, ready}, idle, false, {"idle"}, 1},
    {"start_fails", {start, made, dies}, crashed, false, {"failed_precondition"}, 0},
    {"start_then_stop", {start, made, ready, stop, ends}, disabled, false, {"idle", "disabled"}, 0},
    // what has just come to its end
    {"enable_of_what_has_just_been_enabled", {enable, made, ready, enable}, idle, true, {"idle", "idle"}, 1},
    {"disable_of_what_has_just_been_taken_back", {enable, made, dies, second, made, dies, second, made, dies, disable}, disabled, false, {"failed_precondition", "disabled"}, 0},
    {"enable_of_what_has_just_been_taken_back", {enable, made, dies, second, made, dies, second, made, dies, enable, made, ready}, idle, true, {"failed_precondition", "idle"}, 1},
    {"start_overtakes_what_is_being_taken_back", {enable, made, a_while, a_while, start, ends, made, ready}, idle, false, {"conflict", "idle"}, 1},
    {"stop_of_what_has_just_stopped", {enable, made, ready, stop, ends, stop}, disabled, true, {"idle", "disabled", "disabled"}, 0},
    {"start_of_what_has_just_finished", {enable, made, ready, ends, start, made, ready}, idle, true, {"idle", "idle"}, 1},
    {"stop_of_what_has_just_finished", {enable, made, ready, ends, stop}, disabled, true, {"idle", "disabled"}, 0},
    {"restart_of_what_has_just_died", {enable, made, ready, dies, restart, made, ready}, idle, true, {"idle", "idle"}, 1},
    // its folder goes away
    {"removed_while_starting", {enable, made, removed, ends}, disabled, false, {"not_found"}, 0},
    {"removed_before_it_is_made", {enable, removed, not_made}, disabled, false, {"not_found"}, 0},
    {"removed_during_a_trial_backoff", {enable, made, dies, removed}, disabled, false, {"not_found"}, 0},
    {"removed_while_stopping", {enable, made, ready, stop, removed, ends}, disabled, false, {"idle", "disabled"}, 0},
    {"removed_while_restarting", {enable, made, ready, restart, removed, ends}, disabled, false, {"idle", "not_found"}, 0},
    {"removed_and_still_there_when_asked", {enable, made, removed, disable, ends}, disabled, false, {"not_found", "not_found"}, 0},
    {"removed_and_gone_when_asked", {enable, made, removed, ends, start}, disabled, false, {"not_found", "not_found"}, 0},
};
// clang-format on
INSTANTIATE_TEST_SUITE_P(Table, OvertakingTest, testing::ValuesIn(table),
                         [](const auto& suite) { return suite.param.title; });

}  // namespace
}  // namespace starling::agent
