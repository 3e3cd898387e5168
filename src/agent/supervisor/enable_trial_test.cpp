// How long an enable may take: what a module asks for, and what it has to wait for, is not held against it.
#include "agent/supervisor/supervisor_bench_test.hpp"

namespace starling::agent {
namespace {

struct EnableTrial : SupervisorBenchTest {
  void want_more(const std::string& name, Milliseconds time) {
    NotifyMessage more;
    more.extend_timeout = time;
    say(name, more);
  }
};

TEST_F(EnableTrial, IsAsLongAsTheManifestSays) {
  module("recorder").start_timeout = Seconds(60);
  start_agent();
  command("recorder", enable);
  make("recorder");
  pass(Seconds(40));
  EXPECT_EQ(state("recorder"), starting);
  ready("recorder");
  EXPECT_THAT(answers, ElementsAre("recorder: idle"));
  EXPECT_THAT(reverts, IsEmpty());
}

TEST_F(EnableTrial, EndsWithTheTimeThatTheManifestGives) {
  module("recorder").start_timeout = Seconds(60);
  start_agent();
  command("recorder", enable);
  make("recorder");
  pass(Seconds(60));
  EXPECT_THAT(reverts, ElementsAre(HasSubstr("not ready within 60 s")));
  EXPECT_EQ(state("recorder"), stopping);
  EXPECT_THAT(answers, IsEmpty()) << "the answer is the settled state";
  exit("recorder", 0);
  EXPECT_EQ(state("recorder"), disabled);
  EXPECT_THAT(answers, ElementsAre("recorder: failed_precondition"));
}

TEST_F(EnableTrial, IsAsLongAsTheModuleAsksForWithinItsBounds) {
  module("recorder");
  start_agent();
  command("recorder", enable);
  make("recorder");
  for (int i = 0; i < 9; ++i) {
    pass(Seconds(29));
    ASSERT_EQ(state("recorder"), starting) << i;
    want_more("recorder", Seconds(1'000));
  }
  pass(longest_start_timeout - Seconds(9 * 29));
  EXPECT_EQ(reverts.size(), 1u);
}

TEST_F(EnableTrial, ShortAttemptsAreThreeWithinThirtySeconds) {
  module("recorder").start_timeout = Seconds(2);
  start_agent();
  command("recorder", enable);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(state("recorder"), starting) << attempt;
    ASSERT_THAT(reverts, IsEmpty());
    make("recorder");
    pass(Seconds(2));
    exit("recorder", 0);
    pass(Seconds(1));
  }
  EXPECT_EQ(reverts.size(), 1u);
  EXPECT_EQ(state("recorder"), disabled);
}

TEST_F(EnableTrial, BetweenAttemptsEndsWithWhyTheLastOneFailed) {
  module("recorder").start_timeout = Seconds(10);
  manifests.at("recorder")->stop_timeout = Seconds(300);
  start_agent();
  command("recorder", enable);
  make("recorder");
  pass(Seconds(30));
  EXPECT_THAT(reverts, ElementsAre(HasSubstr("not ready within 10 s")));
}

TEST_F(EnableTrial, WhoHasComeUpIsHeardOf) {
  module("a");
  start_agent();
  command("a", enable);
  make("a");
  EXPECT_THAT(came_up, IsEmpty());
  ready("a");
  record("a", true);
  record("a", false);
  EXPECT_THAT(came_up, ElementsAre("a"));
  pass(Seconds(1));
  kill_agent();
  start_agent();
  EXPECT_EQ(state("a"), idle);
  EXPECT_THAT(came_up, ElementsAre("a")) << "it ran on";
  die("a");
  pass_until("a", starting);
  up("a");
  EXPECT_THAT(came_up, ElementsAre("a", "a"));
}

// ---- what it waits for

TEST_F(EnableTrial, StandsWhileARequiredModuleStarts) {
  module("bus");
  module("camera").requirements = {"bus"};
  start_agent();
  command("bus", enable);
  command("camera", enable);
  make("bus");
  pass(Seconds(20));
  ready("bus");
  make("camera");
  pass(Seconds(15));
  ready("camera");
  EXPECT_THAT(answers, ElementsAre("bus: idle", "camera: idle"));
  EXPECT_THAT(reverts, IsEmpty());
}

TEST_F(EnableTrial, StandsWhileTheDeviceIsShortOfMemory) {
  module("recorder");
  start_agent();
  core->set_memory_short(true);
  command("recorder", enable);
  pass(Seconds(29));
  EXPECT_THAT(answers, IsEmpty());
  pass(Seconds(1));
  EXPECT_THAT(answers, ElementsAre("recorder: unavailable")) << "whoever asked does not wait for ever";
  pass(Seconds(3'600));
  EXPECT_THAT(reverts, IsEmpty());
  EXPECT_TRUE(status("recorder").provisional);
  core->set_memory_short(false);
  make("recorder");
  pass(Seconds(29));
  ready("recorder");
  EXPECT_EQ(state("recorder"), idle);
  EXPECT_FALSE(status("recorder").provisional);
}

TEST_F(EnableTrial, GoesOnWhereItStoodWhenAGateOpens) {
  module("recorder").start_timeout = Seconds(5);
  start_agent();
  command("recorder", enable);
  make("recorder");
  pass(Seconds(4));
  die("recorder");
  core->set_memory_short(true);
  pass(Seconds(100));
  core->set_memory_short(false);
  make("recorder");
  pass(Seconds(4));
  die("recorder");
  EXPECT_THAT(reverts, IsEmpty());
  pass(Seconds(1));
  make("recorder");
  die("recorder");
  EXPECT_EQ(reverts.size(), 1u) << "the third attempt";
}

TEST_F(EnableTrial, OfOneThatWaitsForAnotherIsAnsweredInTheEnd) {
  module("bus").start_timeout = Seconds(300);
  module("camera").requirements = {"bus"};
  start_agent();
  core->set_memory_short(true);
  command("bus", enable);
  command("camera", enable);
  pass(longest_start_timeout);
  EXPECT_THAT(answers, ElementsAre("bus: unavailable", "camera: unavailable"));
  EXPECT_THAT(reverts, IsEmpty());
}

TEST_F(EnableTrial, WithoutAModuleThatIsNotToRunWaitsForSomebodyToStartIt) {
  module("bus");
  module("camera").requirements = {"bus"};
  start_agent();
  command("camera", enable);
  pass(Seconds(60));
  EXPECT_THAT(answers, ElementsAre("camera: unavailable"));
  EXPECT_THAT(reverts, IsEmpty());
  command("bus", enable);
  up("bus");
  up("camera");
  EXPECT_EQ(state("camera"), idle);
}

TEST_F(EnableTrial, ThatFailsSaysWhatTheModuleWroteLast) {
  module("recorder").start_timeout = Seconds(2);
  start_agent();
  board.last_lines["recorder"] = "no sound card\x1b[31m";
  command("recorder", enable);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    make("recorder");
    die("recorder");
    pass(Seconds(2));
  }
  EXPECT_THAT(reverts, ElementsAre(HasSubstr("; its last line: 'no sound card")));
  EXPECT_THAT(reverts[0], testing::Not(HasSubstr("\x1b")));
  EXPECT_THAT(status("recorder").quarantine, HasSubstr("no sound card"));
}

TEST_F(EnableTrial, OfOneThatEndsWellSaysWhatItsManifestWouldNeed) {
  module("backup").readiness = Readiness::exec;
  start_agent();
  board.last_lines["backup"] = "all copied";
  command("backup", enable);
  for (int attempt = 1; attempt <= 3; ++attempt) {
    make("backup");
    exit("backup", 0);
    pass(Seconds(2));
  }
  EXPECT_THAT(reverts,
              ElementsAre(HasSubstr("exit status 0; if that was the end of its work, module.toml has "
                                    "to say retry = \"on-failure\"; if it went on in the background")));
  EXPECT_THAT(reverts[0], HasSubstr("; its last line: 'all copied'"));
}

TEST_F(EnableTrial, OnceMoreWhileItWaitsIsANewOne) {
  module("recorder");
  start_agent();
  core->set_memory_short(true);
  command("recorder", enable);
  pass(Seconds(20));
  command("recorder", enable);
  pass(Seconds(20));
  EXPECT_THAT(answers, ElementsAre("recorder: conflict"));
  core->set_memory_short(false);
  make("recorder");
  pass(Seconds(30));
  EXPECT_EQ(reverts.size(), 1u) << "what it waited for before is not given twice";
}

}  // namespace
}  // namespace starling::agent
