// Modules that die or hang at the same time, as on a card that stalls: one event, not a failure of each.
// Once: what happens again and again is tried ever slower, whosever fault it is.
#include "agent/supervisor/supervisor_bench_test.hpp"

namespace starling::agent {
namespace {

struct DiedTogether : SupervisorBenchTest {
  void start() {
    for (const std::string& name : names)
      module(name, true);
    start_agent();
  }
  void run_and_die(Milliseconds run) {
    for (const std::string& name : names) {
      pass_until(name, starting);
      up(name);
    }
    pass(run);
    for (const std::string& name : names) {
      die(name);
      clock.advance(Milliseconds(100));
    }
  }
  void expect_told_of_all() const {  // of three, and of each that follows with those before it
    ASSERT_EQ(alerts.size(), 2u);
    for (const SupervisorAlert& alert : alerts)
      EXPECT_EQ(alert.kind, SupervisorAlert::Kind::died_together);
    EXPECT_EQ(alerts.back().modules, names);
  }
  int count(SupervisorAlert::Kind kind) const {
    return static_cast<int>(std::ranges::count(alerts, kind, &SupervisorAlert::kind));
  }
  const std::vector<std::string> names{"a", "b", "c", "d"};
};

TEST_F(DiedTogether, WhoseWorkIsDoneHasNotDied) {
  for (const std::string& name : names)
    module(name, true).retry = Retry::on_failure;
  start_agent();
  for (const std::string& name : names) {
    up(name);
    exit(name, 0);
  }
  EXPECT_THAT(alerts, IsEmpty());
  EXPECT_THAT(deaths, IsEmpty());
}

TEST_F(DiedTogether, WhatCannotBeEnabledIsEachOnesOwn) {
  for (const std::string& name : names)
    module(name);
  start_agent();
  for (const std::string& name : names)
    command(name, enable);
  for (int attempt = 0; attempt < SupervisedModule::trial_attempts; ++attempt) {
    for (const std::string& name : names) {
      pass_until(name, starting);
      make(name);
      exit(name, 1);
    }
  }
  for (const std::string& name : names)
    EXPECT_NE(status(name).quarantine, "");
  EXPECT_EQ(count(SupervisorAlert::Kind::died_together), 0);
}

TEST_F(DiedTogether, IsOneEvent) {
  start();
  for (int round = 0; round < 8; ++round) {
    alerts.clear();
    run_and_die(Seconds(60));
    expect_told_of_all();
    EXPECT_THAT(alerts.back().text, HasSubstr("modules 'a', 'b', 'c' and 'd' ended"));
    EXPECT_THAT(alerts.back().text, HasSubstr("does not count the first time"));
    pass(Seconds(1));
    for (const std::string& name : names) {
      ASSERT_EQ(state(name), starting) << name << round;
      EXPECT_EQ(status(name).attempt, 1) << name << round;
    }
  }
}

TEST_F(DiedTogether, AgainAndAgainIsACrashLoopOfEach) {
  start();
  int rounds = 0;
  for (; rounds < 20 && count(SupervisorAlert::Kind::crash_loop) < 4; ++rounds)
    run_and_die(Seconds(1));
  EXPECT_EQ(rounds, 1 + static_cast<int>(RestartPolicy::loop_failures));
  for (const std::string& name : names)
    EXPECT_EQ(status(name).pace, RetryPace::slow) << name;
  run_and_die(Seconds(60));
  for (const std::string& name : names)
    EXPECT_EQ(status(name).pace, RetryPace::quick) << name;
}

TEST_F(DiedTogether, AgainRightAfterTheStartIsToldAsWhatItIs) {
  start();
  run_and_die(Seconds(1));
  alerts.clear();
  pass(Seconds(5));
  run_and_die(Seconds(1));
  expect_told_of_all();
  EXPECT_THAT(alerts.back().text, HasSubstr("again"));
}

TEST_F(DiedTogether, ThoseThatDieOnceMoreAtThatTimeAreToldNoSecondTime) {
  start();
  run_and_die(Seconds(60));
  const std::size_t before = alerts.size();
  pass_until("a", starting);
  make("a");
  die("a");
  EXPECT_EQ(alerts.size(), before);
}

TEST_F(DiedTogether, AgainWithOneMoreIsToldAsWhatItIsToEach) {
  start();
  for (const std::string& name : names)
    up(name);
  pass(Seconds(60));
  const std::vector<std::string> hit{"a", "b", "c"};
  for (const std::string& name : hit)
    die(name);
  EXPECT_THAT(alerts.back().text, HasSubstr("does not count the first time"));
  for (const std::string& name : hit) {
    pass_until(name, starting);
    up(name);
  }
  for (const std::string& name : names)
    die(name);
  EXPECT_EQ(alerts.back().modules, names);
  EXPECT_THAT(alerts.back().text, HasSubstr("counts only against those"));
}

TEST_F(DiedTogether, IsForgivenAnewToOneThatSomebodyStarts) {
  start();
  run_and_die(Seconds(1));
  for (const std::string& name : names)
    command(name, ModuleCommand::start);
  run_and_die(Seconds(1));
  for (const std::string& name : names) {
    pass_until(name, starting);
    EXPECT_EQ(status(name).attempt, 1) << name;
  }
}

TEST_F(DiedTogether, OfManyTheFirstAreNamed) {
  const std::vector<std::string> many{"g", "f", "e", "d", "c", "b", "a"};
  for (const std::string& name : many)
    module(name, true);
  start_agent();
  for (const std::string& name : many)
    up(name);
  for (const std::string& name : many)
    die(name);
  EXPECT_THAT(alerts.at(0).text, HasSubstr("modules 'e', 'f' and 'g' ended"));
  EXPECT_THAT(alerts.at(2).text, HasSubstr("modules 'c', 'd', 'e', 'f' and 'g' ended"));
  EXPECT_THAT(alerts.back().text, HasSubstr("modules 'a', 'b', 'c', 'd', 'e' and 2 more ended"));
}

TEST_F(DiedTogether, OneThatIsNotTriedAgainStillSaysSo) {
  start();
  for (const std::string& name : names)
    up(name);
  pass(Seconds(60));
  die("a");
  die("b");
  exit("c", SupervisedModule::exit_not_configured);
  EXPECT_EQ(count(SupervisorAlert::Kind::died_together), 1);
  EXPECT_EQ(count(SupervisorAlert::Kind::needs_help), 1);
  EXPECT_EQ(status("c").pace, RetryPace::never);
  EXPECT_FALSE(status("c").next_retry);
}

TEST_F(DiedTogether, OneThatIsTriedSlowlyForItSaysSoUntilThen) {
  start();
  for (const std::string& name : names)
    up(name);
  for (std::size_t i = 1; i < RestartPolicy::loop_failures; ++i) {
    die("c");
    pass_until("c", starting);
    up("c");
  }
  pass(Seconds(3));  // its failures so far were its own
  for (const char* name : {"a", "b", "c"})
    die(name);
  EXPECT_EQ(count(SupervisorAlert::Kind::died_together), 1);
  EXPECT_EQ(status("c").pace, RetryPace::slow);
  for (const char* name : {"a", "b", "c"}) {
    pass_until(name, starting);
    up(name);
  }
  die("c");
  EXPECT_EQ(status("c").pace, RetryPace::quick) << "four of its own were no loop";
}

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
    for (Milliseconds lived{0}; lived < RestartPolicy::least_good_run; lived += Seconds(5)) {
      for (const std::string& name : names)
        live(name);
      pass(Seconds(5));
    }
    hang(Seconds(5));
    ASSERT_EQ(alerts.size(), 1u) << round;
    EXPECT_EQ(alerts[0].kind, SupervisorAlert::Kind::died_together);
    pass(Seconds(1));
    for (const std::string& name : names) {
      ASSERT_EQ(state(name), starting) << name << round;
      EXPECT_EQ(status(name).attempt, 1) << name << round;
      up(name);
    }
  }
}

TEST_F(SilentTogether, AgainAndAgainCounts) {
  start(Seconds(10), Seconds(10), Seconds(10));
  for (int round = 0; round < 6; ++round) {
    for (const std::string& name : names)
      live(name);
    hang(Seconds(10));
    for (const std::string& name : names) {
      pass_until(name, starting);
      EXPECT_EQ(status(name).attempt, 1 + round) << name;
      up(name);
    }
  }
  for (const std::string& name : names)
    EXPECT_EQ(status(name).pace, RetryPace::slow) << name;
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
