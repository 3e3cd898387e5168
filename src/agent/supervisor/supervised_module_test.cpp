#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "agent/supervisor/supervisor_bench.hpp"

namespace starling::agent {
namespace {

using enum ModuleState;
using enum ModuleCommand;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct SupervisedModuleTest : testing::Test, SupervisorBench {
  void TearDown() override { EXPECT_THAT(board.violations, IsEmpty()); }
  // One module, enabled and ready.
  void start_ready(Milliseconds watchdog = Milliseconds(0)) {
    module("recorder", true).watchdog = watchdog;
    start_agent();
    up("recorder");
  }
  std::vector<std::string> path() const {  // of states, since the agent's start
    std::vector<std::string> states;
    for (const Transition& transition : core->journal().after(0).transitions)
      states.emplace_back(to_string(transition.to));
    return states;
  }
};

TEST_F(SupervisedModuleTest, WalksTheDiagram) {
  module("recorder");
  start_agent();
  command("recorder", enable);
  make("recorder");
  ready("recorder");
  record("recorder", true);
  EXPECT_EQ(status("recorder").cause, Cause::recording);
  record("recorder", false);
  EXPECT_EQ(status("recorder").cause, Cause::paused);
  command("recorder", disable);
  EXPECT_EQ(state("recorder"), stopping);
  EXPECT_EQ(board.signals.back().number, SIGTERM);
  exit("recorder", 0);
  EXPECT_THAT(path(), ElementsAre("starting", "idle", "recording", "idle", "stopping", "disabled"));
  EXPECT_THAT(answers, ElementsAre("recorder: idle", "recorder: disabled"));
  EXPECT_THAT(deaths, IsEmpty());
}

TEST_F(SupervisedModuleTest, IsEndingWhileWhatWasDisabledStillLives) {
  start_ready();
  command("recorder", stop);
  EXPECT_FALSE(core->is_ending("recorder")) << "it is still enabled";
  command("recorder", disable);
  EXPECT_TRUE(core->is_ending("recorder"));
  board.leftovers.insert("recorder");
  exit("recorder", 0);
  EXPECT_TRUE(core->is_ending("recorder"));
  const int before = changes;
  pass(Seconds(10));
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_FALSE(core->is_ending("recorder"));
  EXPECT_GT(changes, before) << "told";
}

TEST_F(SupervisedModuleTest, IsEndingNoLongerOnceItIsEnabledAgain) {
  start_ready();
  command("recorder", disable);
  command("recorder", enable);
  EXPECT_FALSE(core->is_ending("recorder"));
  exit("recorder", 0);
  command("recorder", disable);
  EXPECT_TRUE(core->is_ending("recorder"));
}

TEST_F(SupervisedModuleTest, KnowsSinceWhenItIsAsItIs) {
  start_ready();
  EXPECT_EQ(status("recorder").since, clock.steady());
  const SteadyTime ready_at = clock.steady();
  pass(Seconds(10));
  EXPECT_EQ(status("recorder").since, ready_at);
  record("recorder", true);
  EXPECT_EQ(status("recorder").since, clock.steady());
}

TEST_F(SupervisedModuleTest, OneThatRanOnIsAsItIsSinceItsProcessBegan) {
  clock.advance(Seconds(1'000));
  start_ready();
  pass(Seconds(10));
  kill_agent();
  clock.advance(Seconds(10));
  start_agent();
  EXPECT_EQ(state("recorder"), idle);
  const std::uint64_t ticks = status("recorder").start_time;
  EXPECT_EQ(status("recorder").since, SteadyTime(Milliseconds(ticks * 1'000 / 100)));
  kill_agent();
  board.children.begin()->second.pid = 1'000'000;  // began later than now: not to be believed
  start_agent();
  EXPECT_EQ(status("recorder").since, clock.steady());
}

TEST_F(SupervisedModuleTest, WhoStartsOneThatCrashesHearsThatItCrashed) {
  module("recorder");
  start_agent();
  std::string said;
  const auto hear = [&said](const Result<ModuleState>& settled) { said = settled.error().message; };
  core->command("recorder", start, hear);
  make("recorder");
  exit("recorder", 3);
  EXPECT_EQ(said, "module 'recorder' was started, and crashed: exit status 3");
  command("recorder", stop);

  core->command("recorder", enable, [](const Result<ModuleState>&) {});
  core->command("recorder", start, hear);
  make("recorder");
  exit("recorder", 78);
  EXPECT_EQ(said,
            "module 'recorder' was started, and crashed: exit status 78; so it could not be enabled, and is "
            "disabled again");

  board.last_lines["recorder"] = "no sound card";
  core->command("recorder", start, hear);
  make("recorder");
  exit("recorder", 3);
  EXPECT_EQ(said,
            "module 'recorder' was started, and crashed: exit status 3; its last line: 'no sound card'");

  core->command("recorder", start, hear);
  refuse("recorder", ENOENT);
  EXPECT_THAT(said, HasSubstr("module 'recorder' could not be started: "));
}

TEST_F(SupervisedModuleTest, AReadyModuleIsRestartedWithinAQuarterOfASecond) {
  start_ready();
  die("recorder");
  EXPECT_EQ(state("recorder"), crashed);
  EXPECT_EQ(status("recorder").detail, "killed by signal 11");
  EXPECT_THAT(deaths, ElementsAre("recorder"));
  pass(Milliseconds(240));
  EXPECT_EQ(state("recorder"), starting);
  EXPECT_EQ(status("recorder").attempt, 2);
}

TEST_F(SupervisedModuleTest, ReadinessExecIsLivingForAWhile) {
  module("nginx", true).readiness = Readiness::exec;
  start_agent();
  make("nginx");
  pass(Milliseconds(999));
  EXPECT_EQ(state("nginx"), starting);
  pass(Milliseconds(1));
  EXPECT_EQ(state("nginx"), idle);
}

TEST_F(SupervisedModuleTest, ReadinessModuleIsAHello) {
  module("voice", true).readiness = Readiness::module;
  start_agent();
  make("voice");
  ready("voice");  // its notify socket does not count
  EXPECT_EQ(state("voice"), starting);
  core->said_hello("voice");
  core->said_recording("voice", true, "listening");
  EXPECT_EQ(state("voice"), recording);
  EXPECT_EQ(status("voice").status_text, "listening");
}

TEST_F(SupervisedModuleTest, StartTimeoutEndsTheProcess) {
  module("recorder", true);
  start_agent();
  make("recorder");
  pass(Seconds(30));
  EXPECT_EQ(state("recorder"), error);
  EXPECT_THAT(status("recorder").detail, HasSubstr("READY=1"));
  EXPECT_EQ(board.signals.back().number, SIGTERM);
  pass(Seconds(9));
  EXPECT_EQ(state("recorder"), error);  // its process lives still: no second one
  pass(Seconds(1));
  EXPECT_EQ(board.signals.back().number, SIGKILL);
  EXPECT_EQ(state("recorder"), starting);
}

TEST_F(SupervisedModuleTest, AKeeperThatNeverAnswersIsNoDeadEnd) {
  module("recorder", true);
  start_agent();
  board.children.clear();
  pass(Seconds(60));
  EXPECT_EQ(state("recorder"), starting);
  EXPECT_EQ(status("recorder").attempt, 2);
}

TEST_F(SupervisedModuleTest, AStartIsExtendedButNotForEver) {
  module("recorder", true);
  start_agent();
  make("recorder");
  NotifyMessage more;
  more.extend_timeout = Seconds(60);
  for (int i = 0; i < 6; ++i) {
    pass(Seconds(29));
    EXPECT_EQ(state("recorder"), starting) << i;
    say("recorder", more);
  }
  more.extend_timeout = Seconds(10'000);
  say("recorder", more);
  EXPECT_EQ(*status("recorder").deadline, SteadyTime{} + Seconds(300));
}

TEST_F(SupervisedModuleTest, SilenceIsAbortedThenKilled) {
  start_ready(Seconds(2));
  NotifyMessage alive;
  alive.watchdog = NotifyWatchdog::alive;
  for (int i = 0; i < 3; ++i) {
    pass(Milliseconds(1'900));
    say("recorder", alive);
  }
  EXPECT_EQ(state("recorder"), idle);
  pass(Seconds(2));
  EXPECT_EQ(state("recorder"), crashed);
  EXPECT_EQ(status("recorder").cause, Cause::watchdog);
  EXPECT_EQ(board.signals.back().number, SIGABRT);
  pass(Seconds(5));
  EXPECT_EQ(board.signals.back().number, SIGKILL);
  EXPECT_EQ(board.examined.end_signal, SIGABRT);
  EXPECT_EQ(board.examined.unheeded, SupervisedModule::abort_grace);
  EXPECT_TRUE(state("recorder") == starting);
  EXPECT_THAT(deaths, ElementsAre("recorder")) << "it counts like any other";
}

TEST_F(SupervisedModuleTest, AModuleMayCallItselfBroken) {
  start_ready(Seconds(60));
  NotifyMessage broken;
  broken.watchdog = NotifyWatchdog::trigger;
  say("recorder", broken);
  EXPECT_EQ(state("recorder"), crashed);
}

TEST_F(SupervisedModuleTest, ALimitThatIsNotInForceIsShownWhileItRuns) {
  board.unmet["recorder"] = "limit not in force: memory (no controller)";
  module("recorder", true);
  start_agent();
  EXPECT_EQ(status("recorder").limits_note, "");
  up("recorder");
  EXPECT_EQ(status("recorder").limits_note, board.unmet["recorder"]);
  kill_agent();
  start_agent();
  EXPECT_EQ(status("recorder").limits_note, board.unmet["recorder"]) << "of the one that was taken over, too";
  board.unmet.clear();
  command("recorder", restart);
  exit("recorder", 0);
  EXPECT_EQ(status("recorder").limits_note, "");
  up("recorder");
  EXPECT_EQ(status("recorder").limits_note, "");
}

// ---- what it says of itself

TEST_F(SupervisedModuleTest, WhatItSaysWronglyIsShownUntilItsNextStart) {
  module("neighbour", true);
  start_ready();
  up("neighbour");
  const int before = changes;
  core->said_wrongly("recorder", "no \x1b[31mhello\n" + std::string(1'000, 'x'));
  EXPECT_GT(changes, before);
  EXPECT_THAT(status("recorder").problem, testing::StartsWith("no "));
  EXPECT_EQ(status("recorder").problem.find_first_of("\n\x1b"), std::string::npos);
  EXPECT_LE(status("recorder").problem.size(), SupervisedModule::max_problem_bytes);
  EXPECT_EQ(status("neighbour").problem, "");
  core->said_wrongly("recorder", "the last counts");
  core->said_wrongly("nobody", "is nothing");
  die("recorder");
  EXPECT_EQ(status("recorder").problem, "the last counts");
  pass_until("recorder", starting);
  EXPECT_EQ(status("recorder").problem, "");
}

TEST_F(SupervisedModuleTest, AReloadIsShownUntilItIsReadyAgain) {
  start_ready();
  NotifyMessage reloading;
  reloading.reloading = true;
  const int before = changes;
  say("recorder", reloading);
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_TRUE(status("recorder").reloading);
  EXPECT_EQ(changes, before + 1);
  ready("recorder");
  EXPECT_FALSE(status("recorder").reloading);
  EXPECT_EQ(changes, before + 2);
}

TEST_F(SupervisedModuleTest, AReloadHasADeadlineAndMayAskForMoreTime) {
  start_ready();
  NotifyMessage reloading, longer;
  reloading.reloading = true;
  longer.extend_timeout = Seconds(100'000);
  say("recorder", reloading);
  pass(Seconds(29));
  say("recorder", reloading);  // saying it again is no way around
  EXPECT_TRUE(status("recorder").reloading);
  pass(Seconds(1));
  EXPECT_FALSE(status("recorder").reloading);
  EXPECT_THAT(status("recorder").problem, HasSubstr("RELOADING=1"));
  EXPECT_EQ(state("recorder"), idle);
  say("recorder", reloading);
  say("recorder", longer);
  pass(longest_start_timeout - Seconds(1));
  EXPECT_TRUE(status("recorder").reloading);
  pass(Seconds(1));
  EXPECT_FALSE(status("recorder").reloading);
}

TEST_F(SupervisedModuleTest, AReloadEndsWithTheProcess) {
  start_ready();
  NotifyMessage reloading;
  reloading.reloading = true;
  say("recorder", reloading);
  die("recorder");
  EXPECT_FALSE(status("recorder").reloading);
  pass_until("recorder", starting);
  make("recorder");
  say("recorder", reloading);  // it has never been ready
  EXPECT_FALSE(status("recorder").reloading);
}

TEST_F(SupervisedModuleTest, WhatItSaidOfItsEndIsForTheExaminer) {
  start_ready();
  NotifyMessage last;
  last.error_number = ENOENT;
  last.exit_status = 42;
  last.status = "no microphone";
  say("recorder", last);
  EXPECT_EQ(status("recorder").status_text, "no microphone");
  exit("recorder", 1);
  EXPECT_EQ(status("recorder").status_text, "") << "it says nothing any more";
  EXPECT_EQ(board.examined.said_text, "no microphone");
  EXPECT_EQ(board.examined.said_error, ENOENT);
  EXPECT_EQ(board.examined.said_status, 42);
  pass_until("recorder", starting);
  make("recorder");
  exit("recorder", 1);
  EXPECT_EQ(board.examined.said_error, 0) << "that was another run";
}

TEST_F(SupervisedModuleTest, AStopThatSomebodyAskedForHidesNoCrash) {
  start_ready();
  command("recorder", restart);
  exit("recorder", 0);
  EXPECT_FALSE(status("recorder").last_death);
  up("recorder");
  die("recorder");
  pass_until("recorder", starting);
  up("recorder");
  command("recorder", stop);
  exit("recorder", 0);
  ASSERT_EQ(state("recorder"), disabled);
  ASSERT_TRUE(status("recorder").last_death);
  EXPECT_EQ(status("recorder").last_death->text, "killed by signal 11");
}

TEST_F(SupervisedModuleTest, AStubbornModuleIsKilledWithItsWholeTree) {
  start_ready();
  board.leftovers.insert("recorder");
  board.unkillable.insert("recorder");
  command("recorder", disable);
  pass(Seconds(10));  // it ignores SIGTERM
  EXPECT_EQ(board.living("recorder"), 0);
  EXPECT_EQ(state("recorder"), stopping);
  EXPECT_TRUE(status("recorder").deadline);
  pass(Seconds(60));
  EXPECT_EQ(state("recorder"), stopping);
  board.unkillable.clear();
  pass(Seconds(6));
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_TRUE(status("recorder").forced);
}

TEST_F(SupervisedModuleTest, GrandchildrenEndBeforeTheNextStart) {
  start_ready();
  board.leftovers.insert("recorder");
  board.unkillable.insert("recorder");
  die("recorder");
  pass(Seconds(20));
  EXPECT_EQ(state("recorder"), crashed);
  board.unkillable.clear();
  pass(Seconds(6));
  EXPECT_EQ(state("recorder"), starting);
}

TEST_F(SupervisedModuleTest, WhatCannotGetBetterIsNotTriedAgain) {
  module("recorder", true);
  start_agent();
  refuse("recorder", ENOENT);
  EXPECT_EQ(state("recorder"), error);
  EXPECT_FALSE(status("recorder").next_retry);
  EXPECT_THAT(status("recorder").detail, HasSubstr("/modules/recorder/run cannot be started: No such file"));
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].kind, SupervisorAlert::Kind::needs_help);
  pass(Seconds(3'600));
  EXPECT_EQ(state("recorder"), error);
  command("recorder", start);
  up("recorder");
  exit("recorder", 78);
  EXPECT_FALSE(status("recorder").next_retry);
}

TEST_F(SupervisedModuleTest, ABrokenManifestIsAVisibleModule) {
  manifests.insert_or_assign("broken", fail(ErrorCode::invalid_argument, "module.toml:3: exec is missing"));
  enabled["broken"] = true;
  start_agent();
  EXPECT_EQ(state("broken"), error);
  EXPECT_THAT(status("broken").detail, HasSubstr("module.toml:3"));
  command("broken", enable);
  EXPECT_THAT(answers, ElementsAre("broken: failed_precondition"));
  core->replace_manifest("broken", module("mended"));
  EXPECT_EQ(state("broken"), starting);
}

TEST_F(SupervisedModuleTest, AManifestChangedWhileRunningIsForTheNextStart) {
  start_ready();
  core->replace_manifest("recorder", fail(ErrorCode::invalid_argument, "module.toml:1: not TOML"));
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_THAT(status("recorder").manifest_problem, HasSubstr("not TOML"));
  die("recorder");
  pass_until("recorder", error);
  EXPECT_THAT(status("recorder").detail, HasSubstr("not TOML"));
}

TEST_F(SupervisedModuleTest, WhatIsEnabledWhileItRunsIsStartedAgainForItsDeathAndForNothingElse) {
  module("recorder");
  start_agent();
  command("recorder", ModuleCommand::start);
  up("recorder");
  command("recorder", enable);
  die("recorder");
  pass_until("recorder", starting);
  EXPECT_EQ(status("recorder").cause, Cause::retry);
  EXPECT_EQ(status("recorder").restarts, 1);
}

struct EndedWell {
  const char* title;
  Retry retry;
  int status;
  ModuleState after;
};
void PrintTo(const EndedWell& ended, std::ostream* out) {
  *out << ended.title;
}
class RetryField : public SupervisedModuleTest, public testing::WithParamInterface<EndedWell> {};
TEST_P(RetryField, SaysWhatFollowsAnExit) {
  module("job", true).retry = GetParam().retry;
  start_agent();
  up("job");
  exit("job", GetParam().status);
  pass(Seconds(1));
  EXPECT_EQ(state("job"), GetParam().after);
  EXPECT_TRUE(status("job").enabled);
  const bool good = GetParam().after == disabled;
  EXPECT_EQ(deaths.empty(), good) << "a good end is no death";
  EXPECT_EQ(!status("job").last_death, good);
}
INSTANTIATE_TEST_SUITE_P(All, RetryField,
                         testing::Values(EndedWell{"always_well", Retry::always, 0, starting},
                                         EndedWell{"always_badly", Retry::always, 1, starting},
                                         EndedWell{"on_failure_well", Retry::on_failure, 0, disabled},
                                         EndedWell{"on_failure_badly", Retry::on_failure, 1, starting},
                                         EndedWell{"never_well", Retry::never, 0, disabled},
                                         EndedWell{"never_badly", Retry::never, 1, crashed}),
                         [](const auto& suite) { return suite.param.title; });

TEST_F(SupervisedModuleTest, SettingsReachItAsItsManifestSays) {
  module("a", true).on_change = OnChange::signal;
  module("b", true).on_change = OnChange::restart;
  module("c", true).on_change = OnChange::notify;
  start_agent();
  for (const char* name : {"a", "b", "c"})
    up(name);
  for (const char* name : {"a", "b", "c"})
    core->settings_changed(name);
  EXPECT_EQ(board.signals.at(0).number, SIGHUP);
  EXPECT_EQ(state("b"), stopping);
  EXPECT_EQ(state("c"), idle);
  exit("b", 0);
  EXPECT_EQ(state("b"), starting);
  EXPECT_EQ(status("b").cause, Cause::settings);
  EXPECT_EQ(status("b").attempt, 1);  // a deliberate stop is no failure
}

// ---- provisional enable

TEST_F(SupervisedModuleTest, AnEnableIsConfirmedByReadiness) {
  module("recorder");
  start_agent();
  command("recorder", enable);
  EXPECT_TRUE(status("recorder").provisional);
  EXPECT_FALSE(board.config.contains("recorder") && board.config["recorder"]);
  up("recorder");
  pass(Seconds(1));
  EXPECT_FALSE(status("recorder").provisional);
  EXPECT_TRUE(board.config["recorder"]);
}

TEST_F(SupervisedModuleTest, ThreeFailedAttemptsRevertAnEnable) {
  module("recorder");
  start_agent();
  command("recorder", enable);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(state("recorder"), starting) << attempt;
    make("recorder");
    exit("recorder", 1);
    pass(Milliseconds(500));
  }
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_FALSE(status("recorder").enabled);
  EXPECT_EQ(status("recorder").quarantine, "exit status 1");
  EXPECT_THAT(reverts, ElementsAre("recorder: exit status 1"));
  EXPECT_THAT(answers, ElementsAre("recorder: failed_precondition"));
  EXPECT_FALSE(board.config["recorder"]);
}

TEST_F(SupervisedModuleTest, ASlowEnableIsRevertedAfterThirtySeconds) {
  module("recorder");
  start_agent();
  command("recorder", enable);
  make("recorder");
  pass(Seconds(30));
  EXPECT_EQ(state("recorder"), stopping);
  EXPECT_THAT(answers, IsEmpty());  // the answer is the settled state
  exit("recorder", 0);
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_THAT(answers, ElementsAre("recorder: failed_precondition"));
  EXPECT_THAT(reverts, ElementsAre(HasSubstr("not ready within 30 s")));
}

TEST_F(SupervisedModuleTest, AHopelessEnableIsRevertedAtOnce) {
  module("recorder");
  start_agent();
  command("recorder", enable);
  refuse("recorder", EACCES);
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_EQ(reverts.size(), 1u);
  command("recorder", enable);  // an operator retries
  EXPECT_EQ(status("recorder").quarantine, "");
  up("recorder");
  EXPECT_TRUE(status("recorder").enabled);
}

TEST_F(SupervisedModuleTest, QuarantineEndsWithADisableAndThatIsTold) {
  module("recorder");
  start_agent();
  command("recorder", enable);
  refuse("recorder", EACCES);
  const int before = changes;
  command("recorder", disable);
  EXPECT_EQ(status("recorder").quarantine, "");
  EXPECT_GT(changes, before) << "the hub has been told of the quarantine";
}

TEST_F(SupervisedModuleTest, AConfirmedEnableIsNeverReverted) {
  start_ready();
  for (int i = 0; i < 20; ++i) {
    die("recorder");
    pass_until("recorder", starting);
    make("recorder");
  }
  EXPECT_TRUE(status("recorder").enabled);
  EXPECT_THAT(reverts, IsEmpty());
}

TEST_F(SupervisedModuleTest, EnablingWhatRunsAlreadySettlesAtOnce) {
  module("recorder");
  start_agent();
  command("recorder", ModuleCommand::start);
  up("recorder");
  command("recorder", enable);
  EXPECT_THAT(answers, ElementsAre("recorder: idle", "recorder: idle"));
  pass(Seconds(1));
  EXPECT_TRUE(board.config["recorder"]);
}

}  // namespace
}  // namespace starling::agent
