// What an agent knows of a process that outlived the one before it: what it has said of itself.
#include "agent/supervisor/supervisor_bench_test.hpp"

namespace starling::agent {
namespace {

struct NextAgent : SupervisorBenchTest {
  void start_ready() {
    module("recorder", true);
    start_agent();
    up("recorder");
  }
};

TEST_F(NextAgent, DoesNotTakeForReadyWhatNeverWas) {
  start_ready();
  die("recorder");
  pass(Milliseconds(240));
  make("recorder");
  kill_agent();
  start_agent();
  EXPECT_EQ(state("recorder"), starting);
  pass_until("recorder", error);
  EXPECT_EQ(status("recorder").cause, Cause::start_timeout);
}

TEST_F(NextAgent, KnowsAtOnceWhatHasBecomeReady) {
  start_ready();
  die("recorder");
  pass(Milliseconds(240));
  up("recorder");
  kill_agent();
  start_agent();
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_EQ(status("recorder").cause, Cause::adopted);
}

TEST_F(NextAgent, TakesForReadyWhatLivesWhereNothingCanBeKnown) {
  start_ready();
  kill_agent();
  disk.put(SessionRecovery::path, "garbage");
  start_agent();
  EXPECT_EQ(state("recorder"), starting);
  pass_until("recorder", idle);
  EXPECT_EQ(status("recorder").cause, Cause::adopted);
}

TEST_F(NextAgent, KnowsHowLongAWatchdogWaits) {
  struct Case {
    Seconds manifest, said;
  };
  for (const auto& [manifest, said] :
       {Case{Seconds(1), Seconds(600)}, {Seconds(0), Seconds(3)}, {Seconds(5), Seconds(0)}}) {
    SCOPED_TRACE(said.count());
    const std::string name = "every" + std::to_string(said.count());
    module(name, true).watchdog = manifest;
    kill_agent();
    start_agent();
    up(name);
    NotifyMessage message;
    message.watchdog_time = said;
    say(name, message);
    pass(SupervisorCore::file_pause);
    for (int agents = 0; agents < 3; ++agents) {
      kill_agent();
      start_agent();
    }
    EXPECT_EQ(state(name), idle);
    pass(said - Milliseconds(1));
    EXPECT_EQ(state(name), idle);
    if (said == Seconds(0)) pass(Seconds(10));
    EXPECT_EQ(state(name), idle);
    if (said > Seconds(0)) pass(Milliseconds(1));
    EXPECT_EQ(state(name), said > Seconds(0) ? crashed : idle);
    die(name);
    pass(Milliseconds(250));
    up(name);
    EXPECT_FALSE(status(name).own_watchdog) << "it was the other process's";
    command(name, disable);
    exit(name, 0);
  }
}

TEST_F(NextAgent, KnowsOfAStartThatWasExtended) {
  module("recorder", true);
  start_agent();
  make("recorder");
  NotifyMessage more;
  more.extend_timeout = Seconds(200);
  say("recorder", more);
  pass(Seconds(1));
  kill_agent();
  start_agent();
  pass(Seconds(190));
  EXPECT_EQ(state("recorder"), starting);
  ready("recorder");
  EXPECT_EQ(state("recorder"), idle);
}

}  // namespace
}  // namespace starling::agent
