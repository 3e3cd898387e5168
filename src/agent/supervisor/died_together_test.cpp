// Modules that hang at the same time, as on a card that stalls: one event, not a failure of each.
#include "agent/supervisor/supervisor_bench_test.hpp"

namespace starling::agent {
namespace {

struct SilentTogether : SupervisorBenchTest {
  void start(Milliseconds a, Milliseconds b, Milliseconds c) {
    module("a", true).watchdog = a;
    module("b", true).watchdog = b;
    module("c", true).watchdog = c;
    start_agent();
    for (const std::string& name : names)
      up(name);
  }
  void live(const std::string& name) {
    NotifyMessage alive;
    alive.watchdog = NotifyWatchdog::alive;
    say(name, alive);
  }
  void hang(Milliseconds time) {  // all that do not feed their watchdogs; SIGABRT ends them
    pass(time);
    for (const std::string& name : names)
      if (state(name) == crashed && board.living(name) > 0) die(name, SIGABRT);
  }
  const std::vector<std::string> names{"a", "b", "c"};
};

TEST_F(SilentTogether, IsOneEvent) {
  start(Seconds(10), Seconds(10), Seconds(10));
  for (int round = 0; round < 8; ++round) {
    alerts.clear();
    for (const std::string& name : names)
      live(name);
    hang(Seconds(10));
    ASSERT_EQ(alerts.size(), 1u) << round;
    EXPECT_EQ(alerts[0].kind, SupervisorAlert::Kind::died_together);
    pass(Seconds(1));
    for (const std::string& name : names) {
      ASSERT_EQ(state(name), starting) << name << round;  // nobody is a crash loop
      up(name);
    }
  }
}

TEST_F(SilentTogether, HoweverLongEachMayBeSilent) {
  start(Seconds(4), Seconds(10), Seconds(20));
  for (const std::string& name : names)
    live(name);
  hang(Seconds(4));
  hang(Seconds(6));
  EXPECT_THAT(alerts, IsEmpty());
  pass(Seconds(10));
  ASSERT_EQ(alerts.size(), 1u);
  EXPECT_EQ(alerts[0].kind, SupervisorAlert::Kind::died_together);
  EXPECT_THAT(alerts[0].modules, testing::UnorderedElementsAre("a", "b", "c"));
}

TEST_F(SilentTogether, ThoseThatNeverGaveASignOfLifeAreEachTriedSlower) {
  start(Seconds(10), Seconds(10), Seconds(10));
  for (int round = 0; round < 6; ++round) {
    hang(Seconds(10));
    for (const std::string& name : names) {
      pass_until(name, starting);
      up(name);
    }
  }
  for (const SupervisorAlert& alert : alerts)
    EXPECT_NE(alert.kind, SupervisorAlert::Kind::died_together) << "they started together";
}

TEST_F(SilentTogether, OneThatHangsByItselfCounts) {
  start(Seconds(10), Seconds(0), Seconds(0));
  for (int round = 0; round < 6; ++round) {
    live("a");
    hang(Seconds(10));
    pass_until("a", starting);
    up("a");
  }
  EXPECT_GT(status("a").attempt, 5);
}

}  // namespace
}  // namespace starling::agent
