// A module that names another of its processes as the main one (MAINPID of sd_notify), before the supervisor
// on a virtual clock. Real processes: tests/e2e/main_process_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "agent/supervisor/supervisor_bench.hpp"

namespace starling::agent {
namespace {

using enum ModuleState;
using testing::IsEmpty;
using testing::SizeIs;

struct MainProcessTest : testing::Test, SupervisorBench {
  void TearDown() override { EXPECT_THAT(board.violations, IsEmpty()); }
  void start_ready() {
    module("recorder", true);
    start_agent();
    up("recorder");
    first = status("recorder").pid;
  }
  static constexpr std::int32_t other = 4711, third = 4712;
  std::int32_t first = 0;
};

TEST_F(MainProcessTest, IsTheModuleOnceTheKeeperHasTakenIt) {
  start_ready();
  name_main("recorder", other);
  ASSERT_THAT(board.named, SizeIs(1));
  EXPECT_EQ(board.named[0].start_time, 471'100u);
  EXPECT_EQ(status("recorder").pid, first);
  take_main();
  EXPECT_EQ(status("recorder").pid, other);
  EXPECT_EQ(status("recorder").start_time, 471'100u);
  EXPECT_EQ(status("recorder").main_pid, 0) << "there is nothing else to be shown";
  EXPECT_EQ(state("recorder"), idle);
  die("recorder");
  EXPECT_EQ(state("recorder"), crashed);
  EXPECT_EQ(board.examined.pid, other);
  EXPECT_THAT(board.children, IsEmpty()) << "forgotten";
  pass_until("recorder", starting);
  make("recorder");
  EXPECT_NE(status("recorder").pid, other);
}

TEST_F(MainProcessTest, TheEndOfTheFormerOneIsNoEndOfTheModuleWhileItIsBeingNamed) {
  start_ready();
  name_main("recorder", other);
  exit("recorder", 0);
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_THAT(board.children, SizeIs(1)) << "not forgotten";
  take_main();
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_THAT(deaths, IsEmpty());
  exit("recorder", 3);
  EXPECT_EQ(state("recorder"), crashed);
  EXPECT_EQ(board.examined.exit.status, 3);
}

TEST_F(MainProcessTest, OneThatHasEndedBeforeItIsTakenChangesNothing) {
  start_ready();
  name_main("recorder", other);
  refuse_main(ESRCH);
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_EQ(status("recorder").pid, first);
  EXPECT_EQ(status("recorder").main_pid, 0);
  EXPECT_EQ(status("recorder").problem, "MAINPID=4711 is ignored: that process has ended");
  exit("recorder", 5);
  EXPECT_EQ(state("recorder"), crashed);
  EXPECT_EQ(board.examined.pid, first);
}

TEST_F(MainProcessTest, IfTheFormerOneHasEndedMeanwhileThatIsTheEnd) {
  start_ready();
  name_main("recorder", other);
  exit("recorder", 5);
  refuse_main(ESRCH);
  EXPECT_EQ(state("recorder"), crashed);
  EXPECT_EQ(board.examined.exit.status, 5);
  EXPECT_THAT(board.children, IsEmpty()) << "forgotten";
}

TEST_F(MainProcessTest, AKeeperThatIsOlderLeavesTheFirstOne) {
  start_ready();
  const int before = changes;
  name_main("recorder", other);
  refuse_main(EPROTONOSUPPORT);
  EXPECT_GT(changes, before);
  EXPECT_EQ(status("recorder").pid, first);
  EXPECT_EQ(status("recorder").main_pid, other) << "shown all the same";
  EXPECT_THAT(status("recorder").problem, testing::HasSubstr("the keeper is older than the agent"));
  name_main("recorder", other);
  EXPECT_THAT(board.named, SizeIs(1)) << "not asked for again";
  exit("recorder", 0);
  EXPECT_EQ(state("recorder"), crashed);
  EXPECT_EQ(status("recorder").main_pid, 0);
  pass_until("recorder", starting);
  make("recorder");
  EXPECT_EQ(status("recorder").main_pid, 0) << "the new run has said nothing";
  EXPECT_EQ(status("recorder").problem, "");
}

TEST_F(MainProcessTest, TheNewestNameCounts) {
  start_ready();
  name_main("recorder", first);
  EXPECT_THAT(board.named, IsEmpty()) << "it is";
  name_main("recorder", other);
  name_main("recorder", other);
  EXPECT_THAT(board.named, SizeIs(1)) << "it is being asked for";
  name_main("recorder", third);
  ASSERT_THAT(board.named, SizeIs(2));
  core->main_taken(present("recorder"), other, 471'100);
  EXPECT_EQ(status("recorder").pid, other);
  die("recorder");
  EXPECT_EQ(state("recorder"), idle) << "the next one is on its way";
  take_main();
  EXPECT_EQ(status("recorder").pid, third);
  name_main("recorder", first);
  take_main();
  EXPECT_EQ(status("recorder").pid, first);
}

TEST_F(MainProcessTest, AStopReachesTheOneThatIsTakenMeanwhile) {
  start_ready();
  name_main("recorder", other);
  command("recorder", ModuleCommand::stop);
  ASSERT_THAT(board.signals, SizeIs(1));
  exit("recorder", 0);
  EXPECT_EQ(state("recorder"), stopping);
  take_main();
  ASSERT_THAT(board.signals, SizeIs(2));
  EXPECT_EQ(board.signals[1].number, SIGTERM);
  exit("recorder", 0);
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_THAT(deaths, IsEmpty());
}

TEST_F(MainProcessTest, AForcedEndReachesItOutsideOfTheGroupToo) {
  start_ready();
  name_main("recorder", other);
  take_main();
  command("recorder", ModuleCommand::stop);
  board.signals.clear();
  pass_until("recorder", disabled);
  ASSERT_THAT(board.signals, SizeIs(2));
  EXPECT_EQ(board.signals[0].scope, SignalScope::main);
  EXPECT_EQ(board.signals[1].scope, SignalScope::group);
  for (const auto& signal : board.signals)
    EXPECT_EQ(signal.number, SIGKILL);
}

TEST_F(MainProcessTest, WithoutAnAnswerTheStopIsForcedInTime) {
  start_ready();
  name_main("recorder", other);
  command("recorder", ModuleCommand::stop);
  exit("recorder", 0);
  core->lost();
  board.keeper_away = true;
  pass_until("recorder", disabled);
  EXPECT_EQ(state("recorder"), stopping) << "nobody knows what lives";
  board.keeper_away = false;
  attach();
  refuse_main(ESRCH);
  EXPECT_EQ(state("recorder"), disabled);
}

TEST_F(MainProcessTest, WhatTheKeeperDidNotHearIsSaidAgain) {
  start_ready();
  core->lost();
  name_main("recorder", other);
  attach();
  EXPECT_THAT(board.named, SizeIs(2));
  attach();  // a list that was asked for
  EXPECT_THAT(board.named, SizeIs(2));
  EXPECT_EQ(status("recorder").pid, first);
  core->lost();
  board.children.at(present("recorder")).pid = other;  // it had heard, and the answer is lost
  attach();
  EXPECT_EQ(status("recorder").pid, other);
  EXPECT_THAT(board.named, SizeIs(2));
  die("recorder");
  EXPECT_EQ(state("recorder"), crashed);
}

TEST_F(MainProcessTest, TheNextAgentFindsIt) {
  start_ready();
  name_main("recorder", other);
  take_main();
  pass(Seconds(1));  // it is written down
  kill_agent();
  start_agent();
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_EQ(status("recorder").pid, other);
  name_main("recorder", other);
  EXPECT_THAT(board.named, SizeIs(1)) << "it is";
  kill_agent();
  FakeBoard::end(board.children.begin()->second, SIGSEGV);
  start_agent();
  EXPECT_EQ(state("recorder"), crashed);
  EXPECT_EQ(board.examined.pid, other);
}

TEST_F(MainProcessTest, OneThatWasNamedWhileNoAgentWasThereIsTaken) {
  start_ready();
  pass(Seconds(1));
  kill_agent();
  FakeBoard::Child& child = board.children.begin()->second;
  FakeBoard::end(child, 0);
  child.exit->kind = ChildExit::Kind::exited;
  NotifyMessage last;
  last.main_pid = other;
  last.main_start_time = 471'100;
  child.last_words = {last};
  child.told = true;
  start_agent();
  EXPECT_EQ(state("recorder"), idle);
  ASSERT_THAT(board.named, SizeIs(1));
  take_main();
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_EQ(status("recorder").pid, other);
  EXPECT_THAT(deaths, IsEmpty());
}

}  // namespace
}  // namespace starling::agent
