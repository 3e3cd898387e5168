#include "agent/supervisor/supervisor_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/supervisor/supervisor_bench.hpp"

namespace starling::agent {
namespace {

using enum ModuleState;
using enum ModuleCommand;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

struct SupervisorCoreTest : testing::Test, SupervisorBench {
  void TearDown() override { EXPECT_THAT(board.violations, IsEmpty()); }
  std::vector<ModuleState> states(const std::vector<std::string>& names) const {
    std::vector<ModuleState> all;
    for (const std::string& name : names)
      all.push_back(state(name));
    return all;
  }
};

// ---- order

TEST_F(SupervisorCoreTest, StartsInWavesAsParallelAsAllowed) {
  module("bus", true);
  module("camera", true).requirements = {"bus"};
  module("microphone", true).requirements = {"bus"};
  module("web", true).after = {"camera"};
  module("alone", true);
  start_agent();
  EXPECT_THAT(states({"bus", "camera", "microphone", "web", "alone"}),
              ElementsAre(starting, disabled, disabled, disabled, starting));
  EXPECT_THAT(status("camera").waits_for, HasSubstr("'bus', which is starting"));
  up("bus");
  EXPECT_THAT(states({"camera", "microphone", "web"}), ElementsAre(starting, starting, disabled));
  make("camera");
  die("camera");  // `after` waits for the start to be over, however it ended
  EXPECT_EQ(state("web"), starting);
}

TEST_F(SupervisorCoreTest, ARequirementThatDoesNotExistIsNamed) {
  module("camera", true).requirements = {"bus"};
  start_agent();
  EXPECT_THAT(status("camera").waits_for, HasSubstr("'bus', which does not exist"));
  command("camera", start);
  EXPECT_THAT(answers, ElementsAre("camera: unavailable"));
}

TEST_F(SupervisorCoreTest, WhatRequiresAStoppedModuleStopsAndComesBackWithIt) {
  module("bus", true);
  module("camera", true).requirements = {"bus"};
  start_agent();
  up("bus");
  up("camera");
  command("bus", disable);
  EXPECT_EQ(state("camera"), stopping);
  exit("camera", 0);
  exit("bus", 0);
  EXPECT_TRUE(status("camera").enabled);
  command("bus", enable);
  up("bus");
  EXPECT_EQ(state("camera"), starting);
}

TEST_F(SupervisorCoreTest, WhatRequiresACrashedModuleRunsOn) {
  module("bus", true);
  module("camera", true).requirements = {"bus"};
  start_agent();
  up("bus");
  up("camera");
  die("bus");
  EXPECT_EQ(state("camera"), idle);
}

TEST_F(SupervisorCoreTest, ARequirementComingBackRetriesAtOnce) {
  module("bus", true);
  module("camera", true).requirements = {"bus"};
  start_agent();
  up("bus");
  for (int i = 0; i < 6; ++i) {  // until the camera is tried slowly
    pass_until("camera", starting);
    make("camera");
    die("camera");
  }
  EXPECT_EQ(status("camera").pace, RetryPace::slow);
  command("bus", restart);
  exit("bus", 0);
  up("bus");
  EXPECT_EQ(state("camera"), starting);
  EXPECT_EQ(status("camera").cause, Cause::requirement);
}

TEST_F(SupervisorCoreTest, ACycleIsRefusedAndNamed) {
  module("a", true).after = {"b"};
  module("b", true).requirements = {"a"};
  module("c", true);
  start_agent();
  EXPECT_EQ(state("a"), error);
  EXPECT_THAT(status("a").detail, HasSubstr("a -> b -> a"));
  EXPECT_NE(state("b"), starting);
  EXPECT_EQ(state("c"), starting);
  ModuleManifest mended = *manifests.at("a");
  mended.after.clear();
  core->replace_manifest("a", mended);
  up("a");
  EXPECT_EQ(state("b"), starting);
}

// ---- together

// Those that start together are late together, each time, though each for a reason of its own: nobody would
// ever try them slower.
TEST_F(SupervisorCoreTest, ThreeThatAreNotReadyInTimeAreEachTriedSlower) {
  const std::vector<std::string> names{"a", "b", "c"};
  for (const std::string& name : names)
    module(name, true);
  start_agent();
  pass(Seconds(600));
  for (const std::string& name : names)
    EXPECT_GT(status(name).attempt, 3) << name;
  for (const SupervisorAlert& alert : alerts)
    EXPECT_NE(alert.kind, SupervisorAlert::Kind::died_together) << "the agent ended them itself";
}

TEST_F(SupervisorCoreTest, OneModuleDyingOftenIsNoSystemEvent) {
  for (const char* name : {"a", "b"})
    module(name, true);
  start_agent();
  for (int i = 0; i < 3; ++i) {
    up("a");
    die("a");
    command("a", start);
  }
  up("b");
  die("b");
  EXPECT_THAT(alerts, IsEmpty());
}

TEST_F(SupervisorCoreTest, ACrashLoopIsToldOnceAndTriedForEver) {
  module("a", true);
  start_agent();
  for (int i = 0; i < 30; ++i) {
    make("a");
    die("a");
    pass_until("a", starting);
  }
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].kind, SupervisorAlert::Kind::crash_loop);
  EXPECT_EQ(status("a").pace, RetryPace::slow);
  die("a");
  core->settings_changed("a");  // might well be what it needs
  EXPECT_EQ(state("a"), starting);
  EXPECT_EQ(status("a").attempt, 1);
}

TEST_F(SupervisorCoreTest, OutOfMemoryThreeTimesIsHeld) {
  module("a", true);
  board.out_of_memory.insert("a");
  start_agent();
  for (int i = 0; i < 3; ++i) {
    pass_until("a", starting);
    make("a");
    die("a", SIGKILL);
  }
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].kind, SupervisorAlert::Kind::memory_hold);
  EXPECT_EQ(*status("a").next_retry - clock.steady(), RestartPolicy::memory_hold);
}

TEST_F(SupervisorCoreTest, StartsWaitWhileMemoryIsShort) {
  module("a", true);
  module("b", true).requirements = {"a"};
  start_agent(false);
  core->set_memory_short(true);
  attach();
  EXPECT_THAT(status("a").waits_for, HasSubstr("short of memory"));
  EXPECT_THAT(status("b").waits_for, HasSubstr("waits for 'a', which waits because the device is short"));
  core->set_memory_short(false);
  EXPECT_EQ(state("a"), starting);
}

// ---- the keeper and the agent come and go

TEST_F(SupervisorCoreTest, ANewAgentTakesOverWhatLives) {
  for (const char* name : {"ready", "recording", "starting", "waiting"})
    module(name, true);
  start_agent();
  for (const char* name : {"ready", "recording"})
    up(name);
  record("recording", true);
  make("starting");
  make("waiting");
  clock.advance(SupervisorCore::file_pause);
  die("waiting");
  const auto before = board.children.size();
  kill_agent();
  start_agent();
  EXPECT_THAT(states({"ready", "recording", "starting"}), ElementsAre(idle, recording, starting));
  EXPECT_EQ(status("ready").cause, Cause::adopted);
  EXPECT_EQ(board.children.size(), before + 1);  // only what waited for its next attempt
  EXPECT_THAT(board.signals, IsEmpty());
  ready("starting");  // was in the socket all the time
  EXPECT_EQ(state("starting"), idle);
}

TEST_F(SupervisorCoreTest, ADeathThatNoAgentSawIsNotLost) {
  module("a", true);
  start_agent();
  up("a");
  pass(Seconds(1));
  kill_agent();
  FakeBoard::end(board.children.begin()->second, SIGSEGV);
  start_agent();
  EXPECT_THAT(deaths, ElementsAre("a"));
  EXPECT_EQ(state("a"), crashed);
  pass(Seconds(1));
  EXPECT_EQ(state("a"), starting);
  EXPECT_EQ(board.children.size(), 1u);  // the old one was forgotten
}

TEST_F(SupervisorCoreTest, WhatWasDisabledMeanwhileIsStopped) {
  module("a", true);
  start_agent();
  up("a");
  kill_agent();
  enabled["a"] = false;
  start_agent();
  EXPECT_EQ(state("a"), stopping);
  exit("a", 0);
  EXPECT_EQ(state("a"), disabled);
}

TEST_F(SupervisorCoreTest, AProcessWithoutAModuleIsEndedWithItsWholeTree) {
  module("a", true);
  start_agent();
  up("a");
  kill_agent();
  board.leftovers = {"a"};  // what it set free
  board.unkillable = {"a"};
  manifests.clear();
  start_agent();
  EXPECT_EQ(state("a"), stopping);
  EXPECT_EQ(status("a").cause, Cause::removed);
  exit("a", 0);
  EXPECT_THAT(board.children, IsEmpty());
  EXPECT_THAT(deaths, IsEmpty());
  EXPECT_TRUE(core->status("a")) << "something of it lives";
  board.unkillable.clear();
  pass(Seconds(2));
  EXPECT_THAT(board.leftovers, IsEmpty());
  EXPECT_FALSE(core->status("a"));
}

TEST_F(SupervisorCoreTest, WhatADeadModuleWithoutAFolderLeftBehindIsEnded) {
  module("a", true);
  module("b", true);
  start_agent();
  up("a");
  up("b");
  kill_agent();
  for (auto& [id, child] : board.children)
    FakeBoard::end(child, SIGSEGV);
  board.leftovers = {"a", "b"};
  manifests.erase("a");
  enabled["b"] = false;
  start_agent();
  EXPECT_THAT(board.children, IsEmpty());
  EXPECT_THAT(board.leftovers, IsEmpty());
  pass(Seconds(1));
  EXPECT_FALSE(core->status("a"));
  EXPECT_EQ(state("b"), disabled);
}

TEST_F(SupervisorCoreTest, AKilledKeeperCostsNobodyAnAttempt) {
  module("a", true);
  module("b", true);
  start_agent();
  up("a");
  up("b");
  core->lost();
  board.children.clear();
  board.leftovers = {"a", "b"};  // orphans
  attach();
  EXPECT_THAT(states({"a", "b"}), ElementsAre(crashed, crashed));
  EXPECT_EQ(status("a").cause, Cause::keeper_lost);
  pass(Milliseconds(60));
  EXPECT_THAT(states({"a", "b"}), ElementsAre(starting, starting));
  EXPECT_EQ(status("a").attempt, 1);
  EXPECT_THAT(alerts, IsEmpty());
}

TEST_F(SupervisorCoreTest, LeftoversOfAnEarlierKeeperEndAlsoIfNobodyWantsTheirModule) {
  module("a");
  board.leftovers = {"a", "gone"};
  board.unkillable = {"a", "gone"};
  start_agent();
  EXPECT_TRUE(core->is_ending("a"));
  EXPECT_TRUE(core->status("gone")) << "something of it lives";
  board.unkillable.clear();
  pass(Seconds(2));
  EXPECT_THAT(board.leftovers, IsEmpty());
  EXPECT_FALSE(core->is_ending("a"));
  EXPECT_FALSE(core->status("gone"));
}

TEST_F(SupervisorCoreTest, LeftoversOfAnEarlierKeeperEndFirst) {
  module("a", true);
  board.leftovers.insert("a");
  board.unkillable.insert("a");
  start_agent();
  EXPECT_EQ(state("a"), disabled);
  board.unkillable.clear();
  pass(Seconds(2));
  EXPECT_EQ(state("a"), starting);
}

TEST_F(SupervisorCoreTest, StartsWaitForTheKeeper) {
  module("a", true);
  module("b");
  start_agent();
  up("a");
  core->lost();
  board.keeper_away = true;
  command("b", enable);
  EXPECT_THAT(status("b").waits_for, HasSubstr("keeper"));
  board.keeper_away = false;
  attach();
  EXPECT_EQ(state("a"), idle);
  EXPECT_EQ(state("b"), starting);
}

TEST_F(SupervisorCoreTest, TheHealthCheckFindsAnExitThatWasNotTold) {
  module("a", true);
  start_agent();
  up("a");
  pass(Seconds(60));
  EXPECT_EQ(board.lists, 0) << "all is well";
  FakeBoard::Child& child = board.children.begin()->second;
  FakeBoard::end(child, SIGKILL);
  child.told = true;
  pass(Seconds(6));
  EXPECT_GE(board.lists, 1);
  EXPECT_EQ(state("a"), idle);
  attach();  // the answer
  EXPECT_EQ(state("a"), crashed);
}

TEST_F(SupervisorCoreTest, NothingIsAskedWhileNothingRuns) {
  module("a");
  start_agent();
  pass(Seconds(1));
  EXPECT_FALSE(core->next_deadline());
}

// ---- going down, folders that go

TEST_F(SupervisorCoreTest, GoesDownDependentsFirst) {
  module("bus", true);
  module("camera", true).requirements = {"bus"};
  start_agent();
  up("bus");
  up("camera");
  bool down = false;
  core->shut_down([&down] { down = true; });
  EXPECT_THAT(states({"bus", "camera"}), ElementsAre(idle, stopping));
  exit("camera", 0);
  EXPECT_EQ(state("bus"), stopping);
  EXPECT_FALSE(down);
  exit("bus", 0);
  EXPECT_TRUE(down);
  pass(Seconds(100));
  EXPECT_THAT(states({"bus", "camera"}), ElementsAre(disabled, disabled));
}

TEST_F(SupervisorCoreTest, GoesDownInSpiteOfACycle) {
  module("a", true).after = {"b"};
  module("b", true).after = {"a"};
  start_agent();
  ASSERT_THAT(states({"a", "b"}), ElementsAre(error, error));
  bool down = false;
  core->shut_down([&down] { down = true; });
  EXPECT_TRUE(down);
}

TEST_F(SupervisorCoreTest, WhatWasAskedForIsDurableAtOnce) {
  module("a", true);
  module("b");
  start_agent();
  up("a");
  command("b", ModuleCommand::start);
  kill_agent();
  start_agent();
  EXPECT_TRUE(status("b").wanted) << "although running_modules.json had just been written";
}

TEST_F(SupervisorCoreTest, AModuleGoesWhenItsFolderIsGone) {
  module("a", true);
  start_agent();
  up("a");
  core->remove("a");
  EXPECT_EQ(state("a"), stopping);
  command("a", enable);
  EXPECT_THAT(answers, ElementsAre("a: not_found"));
  EXPECT_THAT(removed, IsEmpty());
  exit("a", 0);
  EXPECT_FALSE(core->status("a"));
  EXPECT_THAT(removed, ElementsAre("a"));
  core->add("a", *manifests.at("a"), true);
  EXPECT_EQ(state("a"), starting);
}

TEST_F(SupervisorCoreTest, WhatAModuleSaidBeforeItEndedCountsAlsoWhileTheAgentWasAway) {
  module("job", true).retry = Retry::on_failure;
  start_agent();
  make("job");
  const ChildId id = present("job");
  kill_agent();
  FakeBoard::Child& child = board.children.at(id);
  FakeBoard::end(child, 0);
  child.exit->kind = ChildExit::Kind::exited;
  NotifyMessage ready;
  ready.ready = true;
  child.last_words = {ready};
  start_agent();
  EXPECT_EQ(state("job"), disabled);
  EXPECT_TRUE(status("job").finished) << "it had been ready, and ended well";
  kill_agent();
  start_agent();
  EXPECT_TRUE(status("job").finished);
  EXPECT_EQ(status("job").cause, Cause::finished);
}

TEST_F(SupervisorCoreTest, TheKeeperKnowsHowLongModulesMayTakeToEnd) {
  module("base", true).stop_timeout = Seconds(300);
  module("top", true).requirements = {"base"};
  start_agent();
  up("base");
  up("top");
  bool done = false;
  core->shut_down([&] { done = true; });
  EXPECT_THAT(board.stop_times, ElementsAre(Seconds(300) + SupervisorCore::after_stop));
  pass(Seconds(5));
  exit("top", 0);
  EXPECT_EQ(board.stop_times.back(), Seconds(300) + SupervisorCore::after_stop) << "only now it is its turn";
  EXPECT_GT(board.stop_times.size(), 1u);
  const std::size_t told = board.stop_times.size();
  pass(Seconds(299));
  exit("base", 0);
  EXPECT_TRUE(done);
  EXPECT_EQ(board.stop_times.size(), told);
}

TEST_F(SupervisorCoreTest, AFolderThatComesBackWhileItsModuleStops) {
  module("a", true);
  start_agent();
  up("a");
  core->remove("a");
  core->add("a", *manifests.at("a"), true);
  exit("a", 0);
  EXPECT_EQ(state("a"), starting);
  EXPECT_THAT(removed, IsEmpty());
}

// ---- observers

TEST_F(SupervisorCoreTest, AnObserverThatComesLateMissesNothing) {
  module("a", true);
  start_agent();
  up("a");
  const std::uint64_t seen = core->journal().newest();
  die("a");
  pass(Seconds(1));
  up("a");
  std::vector<ModuleState> missed;
  std::uint64_t number = seen;
  ModuleState from = idle;
  for (const Transition& transition : core->journal().after(seen).transitions) {
    EXPECT_EQ(transition.number, ++number);
    EXPECT_EQ(transition.from, from);
    from = transition.to;
    missed.push_back(transition.to);
  }
  EXPECT_THAT(missed, ElementsAre(crashed, starting, idle));
}

TEST_F(SupervisorCoreTest, ConfigFilesFollowWhatSettled) {
  module("a", true);
  module("b", false);
  board.config = {{"a", true}, {"b", false}};
  start_agent();
  up("a");
  command("a", disable);
  pass(Seconds(1));
  EXPECT_TRUE(board.config["a"]);
  exit("a", 0);
  pass(Seconds(1));
  EXPECT_FALSE(board.config["a"]);
}

TEST_F(SupervisorCoreTest, AnUnwritableConfigFileConcernsOnlyItsModule) {
  module("a");
  module("b");
  board.config = {{"a", false}, {"b", false}};
  board.unwritable.insert("a");
  start_agent();
  for (const char* name : {"a", "b"}) {
    command(name, enable);
    up(name);
  }
  pass(Seconds(1));
  EXPECT_FALSE(board.config["a"]);
  EXPECT_TRUE(board.config["b"]);
  EXPECT_THAT(std::string(mirror->problem("a")), HasSubstr("read-only"));
  board.unwritable.clear();
  pass(Seconds(31));
  EXPECT_TRUE(board.config["a"]);
  EXPECT_EQ(mirror->problem("a"), "");
}

TEST_F(SupervisorCoreTest, AWishIsDurableBeforeItIsCarriedOut) {
  module("a");
  start_agent();
  std::optional<std::string> file;
  board.at_spawn = [&] { file = disk.content(SessionRecovery::path); };
  command("a", ModuleCommand::start);
  ASSERT_TRUE(file);
  EXPECT_THAT(*file, HasSubstr(R"("running_modules":["a"])"));
}

TEST_F(SupervisorCoreTest, ConfigFollowsADisableHoweverSoonItIsStartedOnce) {
  for (const char* name : {"up", "down"})
    module(name, true);
  start_agent();
  up("up");
  up("down");
  command("down", ModuleCommand::stop);
  exit("down", 0);
  command("up", ModuleCommand::disable);
  exit("up", 0);
  command("up", ModuleCommand::start);
  command("down", ModuleCommand::disable);
  command("down", ModuleCommand::start);
  EXPECT_FALSE(board.config["up"]);
  EXPECT_TRUE(board.config.contains("down") && !board.config["down"]);
}

TEST_F(SupervisorCoreTest, NothingIsWrittenIntoWhatCannotBeAModule) {
  manifests.insert_or_assign("Not A Name", fail(ErrorCode::invalid_argument, "rename it"));
  start_agent();
  pass(Seconds(1));
  EXPECT_FALSE(board.config.contains("Not A Name"));
  EXPECT_EQ(mirror->problem("Not A Name"), "");
}

TEST_F(SupervisorCoreTest, WhatIsCalledBackMayCallIn) {
  module("a");
  start_agent();
  core->command("a", ModuleCommand::start, [this](const Result<ModuleState>&) { command("a", stop); });
  up("a");
  EXPECT_EQ(state("a"), stopping);
}

TEST_F(SupervisorCoreTest, AHundredThousandTransitionsLeaveNothingBehind) {
  module("a", true);
  start_agent();
  up("a");
  while (core->journal().newest() < 100'000) {
    record("a", true);
    record("a", false);
  }
  EXPECT_EQ(core->journal().after(0).transitions.size(), TransitionJournal::default_capacity);
  EXPECT_TRUE(core->journal().after(0).gap);
  EXPECT_LT(disk.steps(), 100u);  // bursts are written once
}

}  // namespace
}  // namespace starling::agent
