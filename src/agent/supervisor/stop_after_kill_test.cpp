// Whatever was asked for in one go, and however soon the agent is killed: a module that somebody was told is
// down does not come up with the next agent.
#include "agent/supervisor/supervisor_bench_test.hpp"

namespace starling::agent {
namespace {

struct StopAfterKill : SupervisorBenchTest {
  // No time passes, so what may be written later is not written yet.
  void live(bool recovered) {
    module("one", true);
    module("two");
    module("bad");
    start_agent();
    up("one");
    if (recovered) {  // the list has come to its end, and may go
      pull_plug("boot-2");
      start_agent();
      up("one");
    }
  }
  // Whether it was answered that two is down before the agent was killed.
  bool act() {
    command("two", enable);
    if (disk.crashed()) return false;
    up("two");
    command("one", disable);
    exit("one", 0);
    if (disk.crashed()) return false;
    command("one", start);
    up("one");
    command("two", stop);
    if (disk.crashed()) return false;
    exit("two", 0);
    const bool told = !disk.crashed() && !answers.empty() && answers.back() == "two: disabled";
    record("one", true);
    pass(Seconds(1));
    return told;
  }
};

TEST_F(StopAfterKill, AStoppedModuleStaysDown) {
  for (const bool recovered : {false, true}) {
    for (std::uint64_t step = 1; step <= 60; ++step) {
      SCOPED_TRACE(std::to_string(step) + (recovered ? ", recovered" : ""));
      disk = FakeDisk(step, FakeDisk::Unsynced::kept);
      board = FakeBoard();
      answers.clear();
      boot_id = "boot-1";
      live(recovered);
      disk.crash_after(step);
      const bool told = act();
      kill_agent();
      disk.restore_power();
      start_agent();
      if (told) {
        EXPECT_FALSE(status("two").wanted);
        EXPECT_TRUE(status("one").wanted);
      }
      core.reset();
    }
  }
}

TEST_F(StopAfterKill, WhoAsksIsAnsweredAfterEverybodyHasHeardOfIt) {
  module("one");
  start_agent();
  std::vector<int> heard;
  const auto answered = [&](const Result<ModuleState>&) { heard.push_back(changes); };
  core->command("one", start, answered);
  make("one");
  const int before = changes;
  ready("one");
  EXPECT_THAT(heard, ElementsAre(before + 1));
}

TEST_F(StopAfterKill, WhereTheDiskIsFullTheAnswerSaysThatItIsNotKept) {
  live(false);
  disk.full_after(0);
  command("one", stop);
  exit("one", 0);
  EXPECT_EQ(answers.back(), "one: unavailable");
  EXPECT_EQ(state("one"), ModuleState::disabled) << "it has ended all the same";
  command("two", enable);
  up("two");
  EXPECT_EQ(answers.back(), "two: idle") << "that is in the generation";
}

}  // namespace
}  // namespace starling::agent
