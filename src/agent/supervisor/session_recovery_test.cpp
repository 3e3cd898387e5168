#include "agent/supervisor/session_recovery.hpp"

#include "agent/supervisor/supervisor_bench_test.hpp"

namespace starling::agent {
namespace {

struct SessionRecoveryTest : SupervisorBenchTest {
  void SetUp() override {
    module("a", true);
    module("b", true);
    module("c", false);
  }

  std::vector<std::string> wanted() const {
    std::vector<std::string> names;
    for (const ModuleStatus& module : core->statuses())
      if (module.wanted) names.push_back(module.name);
    return names;
  }
  void write_files() { pass(SupervisorCore::file_pause + Milliseconds(1)); }
  void go_down() {
    core->shut_down([] {});
    deliver();
  }
};

TEST_F(SessionRecoveryTest, AFreshStartIsWhatIsEnabled) {
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b"));
  EXPECT_EQ(status("a").cause, Cause::boot);
  EXPECT_FALSE(recovery->recovering());
}

TEST_F(SessionRecoveryTest, AStopBeforeItIsKnownWhatComesBackIsRefused) {
  start_agent(false);
  command("a", stop);
  EXPECT_THAT(answers, ElementsAre("a: unavailable"));
  attach();
  EXPECT_THAT(wanted(), ElementsAre("a", "b"));
}

TEST_F(SessionRecoveryTest, APowerCutBringsBackWhatRan) {
  start_agent();
  up("a");
  up("b");
  command("b", stop);
  command("c", start);
  write_files();
  pull_plug("boot-2");
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "c"));
  EXPECT_EQ(status("c").cause, Cause::recovery);
  EXPECT_FALSE(status("c").enabled);
  EXPECT_TRUE(status("b").enabled);
}

TEST_F(SessionRecoveryTest, WhatWasStoppedByACommandStillSaysSo) {
  start_agent();
  up("a");
  up("b");
  command("a", stop);
  die("a", SIGTERM);
  command("b", stop);
  kill_agent();
  start_agent();
  EXPECT_EQ(state("a"), disabled);
  EXPECT_EQ(status("a").cause, Cause::stopped);
  EXPECT_EQ(state("b"), stopping);
  EXPECT_EQ(status("b").cause, Cause::stopped);
  EXPECT_EQ(status("c").cause, Cause::none) << "it is disabled";
  die("b", SIGTERM);
  pull_plug("boot-2");
  start_agent();
  for (const char* name : {"a", "b"})
    EXPECT_EQ(status(name).cause, Cause::stopped) << name;
}

TEST_F(SessionRecoveryTest, WhatWaitedForItsNextAttemptComesBackToo) {
  start_agent();
  up("a");
  make("b");
  die("b");
  write_files();
  pull_plug("boot-2");
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b"));
}

TEST_F(SessionRecoveryTest, TheFileGoesWhenAllOfItRuns) {
  start_agent();
  up("a");
  up("b");
  write_files();
  pull_plug("boot-2");
  start_agent();
  up("a");
  write_files();
  EXPECT_TRUE(recovery->recovering());
  EXPECT_TRUE(file_exists());
  up("b");
  write_files();
  EXPECT_FALSE(recovery->recovering());
  EXPECT_FALSE(file_exists());
  die("b");
  write_files();
  EXPECT_TRUE(file_exists());  // the next change writes it again
}

TEST_F(SessionRecoveryTest, TheFileStaysWhileWhatHasComeSinceIsNotReady) {
  start_agent();
  up("a");
  up("b");
  write_files();
  pull_plug("boot-2");
  start_agent();
  command("c", enable);
  make("c");
  up("a");
  up("b");
  write_files();
  EXPECT_FALSE(recovery->recovering());
  EXPECT_TRUE(file_exists());
  kill_agent();
  start_agent();
  EXPECT_EQ(state("c"), starting) << "nobody has seen it ready";
}

TEST_F(SessionRecoveryTest, TheFileGoesWhenWhatHasComeSinceIsReadyToo) {
  start_agent();
  up("a");
  up("b");
  write_files();
  pull_plug("boot-2");
  start_agent();
  command("c", enable);
  up("a");
  up("b");
  write_files();
  EXPECT_TRUE(file_exists());
  up("c");
  write_files();
  EXPECT_FALSE(file_exists());
}

TEST_F(SessionRecoveryTest, TheFileStaysWhereTheGenerationWouldNotDo) {
  start_agent();
  command("c", start);
  for (const char* name : {"a", "b", "c"})
    up(name);
  write_files();
  pull_plug("boot-2");
  start_agent();
  for (const char* name : {"a", "b", "c"})
    up(name);
  write_files();
  EXPECT_FALSE(recovery->recovering());
  pull_plug("boot-3");
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b", "c"));
}

TEST_F(SessionRecoveryTest, TwoFailedRecoveriesFallBackToTheGeneration) {
  start_agent();
  command("c", start);
  write_files();
  for (const char* boot : {"boot-2", "boot-3"}) {
    pull_plug(boot);
    start_agent();
    EXPECT_THAT(wanted(), ElementsAre("a", "b", "c")) << boot;
    write_files();
  }
  pull_plug("boot-4");
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b"));
  EXPECT_THAT(recovery->problem(), HasSubstr("two recoveries"));
  EXPECT_FALSE(recovery->recovering());
}

TEST_F(SessionRecoveryTest, ARecoveryIsCountedBeforeAnythingStarts) {
  start_agent();
  command("c", start);
  write_files();
  pull_plug("boot-2");
  for (int i = 0; i < 2; ++i) {  // the start of the modules takes the board down
    start_agent();
    pull_plug("boot-3");
  }
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b"));
}

TEST_F(SessionRecoveryTest, AMissingFolderIsNotTakenOffTheListAtOnce) {
  start_agent();
  command("c", start);
  write_files();
  pull_plug("boot-2");
  const Result<ModuleManifest> kept = manifests.at("c");
  manifests.erase("c");  // on a stick that is not plugged in
  start_agent();
  up("a");
  up("b");
  write_files();
  EXPECT_FALSE(recovery->recovering()) << "nobody knows whether it ever comes back";
  pull_plug("boot-3");
  manifests.insert_or_assign("c", kept);
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b", "c"));
}

TEST_F(SessionRecoveryTest, WhatIsMissingAtTwoStartsIsForgotten) {
  start_agent();
  command("c", start);
  write_files();
  const Result<ModuleManifest> kept = manifests.at("c");
  manifests.erase("c");
  for (const char* boot : {"boot-2", "boot-3"}) {
    pull_plug(boot);
    start_agent();
    up("a");
    up("b");
    write_files();
    EXPECT_FALSE(recovery->recovering()) << boot;
  }
  EXPECT_FALSE(file_exists());
  pull_plug("boot-4");
  manifests.insert_or_assign("c", kept);
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b"));
  EXPECT_EQ(recovery->problem(), "");
}

TEST_F(SessionRecoveryTest, WhatIsUninstalledDuringARecoveryIsTakenOffTheList) {
  start_agent();
  command("c", start);
  write_files();
  pull_plug("boot-2");
  start_agent();
  up("a");
  up("b");
  make("c");
  core->remove("c");
  exit("c", 0);
  write_files();
  EXPECT_FALSE(core->status("c"));
  EXPECT_FALSE(recovery->recovering());
  EXPECT_FALSE(file_exists());
}

TEST_F(SessionRecoveryTest, WhoeverSpokeLastCounts) {
  start_agent();
  up("a");
  command("b", stop);
  write_files();
  pull_plug("boot-2");
  enabled = {{"a", false}, {"b", true}, {"c", true}};  // changed while nothing could be written
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("c"));
}

TEST_F(SessionRecoveryTest, ACommandDuringARecoveryTakesOffTheList) {
  start_agent();
  write_files();
  pull_plug("boot-2");
  start_agent();
  command("b", stop);
  write_files();
  pull_plug("boot-3");
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a"));
}

TEST_F(SessionRecoveryTest, GarbageIsKeptAsideAndTold) {
  for (const char* garbage : {"", "{", "[1]", "{\"running_modules\": [\"a\"]}", "\xff\x00\x01"}) {
    disk.put(SessionRecovery::path, garbage);
    start_agent();
    EXPECT_THAT(wanted(), ElementsAre("a", "b")) << garbage;
    EXPECT_THAT(recovery->problem(), HasSubstr("cannot be used")) << garbage;
    EXPECT_TRUE(disk.content(SessionRecovery::aside_path)) << garbage;
    pull_plug("boot-2");
  }
}

TEST_F(SessionRecoveryTest, AnOrderlyShutdownStartsAfresh) {
  start_agent();
  command("c", start);
  for (const char* name : {"a", "b", "c"})
    up(name);
  command("b", stop);
  exit("b", 0);
  go_down();
  exit("a", 0);
  exit("c", 0);
  pull_plug("boot-2");
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b", "c"));  // enabled, and what else ran
}

TEST_F(SessionRecoveryTest, WhatHadToBeKilledAtShutdownIsNotListed) {
  start_agent();
  command("c", start);
  for (const char* name : {"a", "b", "c"})
    up(name);
  go_down();
  exit("b", 0);
  pass(Seconds(10));  // a and c ignore the signal
  EXPECT_EQ(board.living("c"), 0);
  pull_plug("boot-2");
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b"));  // a is enabled
}

TEST_F(SessionRecoveryTest, APowerCutDuringShutdownIsOneDuringTheRun) {
  start_agent();
  command("c", start);
  up("a");
  up("c");
  write_files();
  go_down();
  exit("c", 0);
  write_files();
  pull_plug("boot-2");
  start_agent();
  EXPECT_THAT(wanted(), ElementsAre("a", "b", "c"));
}

TEST_F(SessionRecoveryTest, WorkThatWasDoneIsDoneAgainInTheNextBootOnly) {
  manifests.at("a")->retry = Retry::on_failure;
  start_agent();
  up("a");
  exit("a", 0);
  write_files();
  kill_agent();
  start_agent();
  EXPECT_EQ(state("a"), disabled);
  write_files();
  pull_plug("boot-2");
  start_agent();
  EXPECT_EQ(state("a"), starting);
}

TEST_F(SessionRecoveryTest, ATrialOutlivesTheAgentButNotTheBoot) {
  for (const bool same_boot : {true, false}) {
    SCOPED_TRACE(same_boot);
    disk = FakeDisk();
    board = FakeBoard();
    enabled["c"] = false;
    boot_id = "boot-1";
    start_agent();
    command("c", enable);
    make("c");
    write_files();
    if (same_boot) {
      kill_agent();
    } else {
      pull_plug("boot-2");
    }
    start_agent();
    EXPECT_EQ(status("c").provisional, same_boot);
    EXPECT_TRUE(status("c").wanted);
    if (!same_boot) make("c");
    for (int i = 0; i < 3; ++i) {
      die("c");
      pass(Seconds(1));
      if (state("c") == starting) make("c");
    }
    EXPECT_EQ(status("c").enabled, !same_boot);  // a loaded board at boot is no evidence against it
  }
}

TEST_F(SessionRecoveryTest, AFullDiskIsNoReasonNotToRun) {
  start_agent();
  up("a");
  write_files();
  disk.crash_now();  // every operation fails from now on
  die("a");
  pass(Seconds(1));
  up("a");
  EXPECT_EQ(state("a"), idle);
  disk.restore_power();
  pass(Seconds(31));
  const std::string file = *disk.content(SessionRecovery::path);
  EXPECT_THAT(file, HasSubstr("\"run\":" + std::to_string(status("a").run)));
}

TEST_F(SessionRecoveryTest, NothingNeedsRecoveryWhereEverythingLives) {
  start_agent();
  up("a");
  up("b");
  write_files();
  for (int i = 0; i < 5; ++i) {  // an agent that crashes often costs no module anything
    kill_agent();
    start_agent();
    EXPECT_FALSE(recovery->recovering());
    EXPECT_EQ(state("a"), idle);
    EXPECT_EQ(state("b"), idle);
  }
}

// ---- the agent, or the board, ends at every persistence step

class CrashPoint : public SessionRecoveryTest {
 protected:
  // A day in the life; gives up quietly when the disk has no power any more.
  void live() {
    const std::vector<std::function<void()>> steps{
        [this] { start_agent(); }, [this] { up("a"); },
        [this] { up("b"); },       [this] { command("a", disable); },
        [this] { exit("a", 0); },  [this] { command("c", enable); },
        [this] { up("c"); },       [this] { record("b", true); },
        [this] { die("b"); },      [this] { pass_until("b", starting); },
        [this] { up("b"); },
    };
    for (const auto& step : steps) {
      step();
      write_files();
      if (disk.crashed()) return;
    }
  }
  // What is enabled was durable before the supervisor heard of it; so it decides.
  std::vector<std::string> enabled_names() const {
    std::vector<std::string> names;
    for (const auto& [name, on] : enabled)
      if (on) names.push_back(name);
    return names;
  }
  void come_back_whole() {
    start_agent();
    EXPECT_EQ(wanted(), enabled_names());
    EXPECT_EQ(recovery->problem(), "");
    for (const std::string& name : enabled_names()) {
      if (status(name).state != starting) continue;
      if (status(name).pid == 0) make(name);
      ready(name);
    }
    write_files();
    EXPECT_FALSE(recovery->recovering());
    for (const ModuleStatus& module : core->statuses()) {
      const bool on = enabled[module.name];
      EXPECT_EQ(is_ready(module.state), on) << module.name;
      EXPECT_EQ(board.living(module.name), on ? 1 : module.state == stopping ? 1 : 0) << module.name;
    }
    EXPECT_THAT(board.violations, IsEmpty());
  }
};

TEST_F(CrashPoint, EveryStepComesBackAsEnabled) {
  live();
  const std::uint64_t steps = disk.steps();
  ASSERT_GT(steps, 20u);
  for (std::uint64_t step = 1; step <= steps; ++step) {
    for (const bool board_too : {false, true}) {
      for (const std::uint64_t seed : {1, 2, 3}) {
        SCOPED_TRACE(testing::Message() << "step " << step << (board_too ? ", board" : ", agent"));
        disk = FakeDisk(seed, board_too ? FakeDisk::Unsynced::drawn : FakeDisk::Unsynced::kept);
        board = FakeBoard();
        boot_id = "boot-1";
        enabled = {{"a", true}, {"b", true}, {"c", false}};
        disk.crash_after(step);
        live();
        EXPECT_TRUE(disk.crashed());
        kill_agent();
        if (board_too) {
          board.children.clear();
          boot_id = "boot-2";
        }
        disk.restore_power();
        come_back_whole();
        ASSERT_FALSE(HasFailure());
      }
    }
  }
}

}  // namespace
}  // namespace starling::agent
