// An enable that was on trial when the agent ended is on trial again: only having been ready proves it.
#include "agent/supervisor/supervisor_bench_test.hpp"

namespace starling::agent {
namespace {

struct TrialAfterRestart : SupervisorBenchTest {
  void SetUp() override {
    module("m");
    start_agent();
    command("m", enable);
    make("m");
    pass(SupervisorCore::file_pause);
    unproved.insert("m");
  }
  void restart(bool board_too) {
    if (board_too) {
      pull_plug("boot-2");
    } else {
      kill_agent();
    }
    start_agent();
  }
};

TEST_F(TrialAfterRestart, IsOnTrialAgain) {
  for (const bool board_too : {false, true}) {
    restart(board_too);
    EXPECT_TRUE(status("m").provisional);
    EXPECT_TRUE(status("m").wanted);
    EXPECT_FALSE(status("m").settled);
  }
}

TEST_F(TrialAfterRestart, IsTakenBackWhenItIsNotReadyInTime) {
  restart(true);
  make("m");
  pass(SupervisedModule::trial_time + Seconds(15));
  EXPECT_THAT(reverts, ElementsAre(HasSubstr("not ready")));
  EXPECT_FALSE(status("m").enabled);
  EXPECT_EQ(state("m"), disabled);
}

TEST_F(TrialAfterRestart, IsTakenBackAfterThreeAttempts) {
  restart(true);
  for (int attempt = 0; attempt < SupervisedModule::trial_attempts; ++attempt) {
    ASSERT_TRUE(status("m").enabled) << attempt;
    pass_until("m", starting);
    make("m");
    die("m");
  }
  EXPECT_EQ(reverts.size(), 1u);
  EXPECT_FALSE(status("m").enabled);
}

TEST_F(TrialAfterRestart, IsTakenBackWithTheProcessThatLived) {
  restart(false);
  EXPECT_EQ(status("m").cause, Cause::adopted);
  pass(Seconds(61));
  EXPECT_EQ(reverts.size(), 1u);
  EXPECT_EQ(board.living("m"), 0);
}

TEST_F(TrialAfterRestart, IsProvedByBeingReady) {
  restart(true);
  up("m");
  EXPECT_FALSE(status("m").provisional);
  for (int i = 0; i < 5; ++i) {
    die("m");
    pass_until("m", starting);
    make("m");
  }
  EXPECT_THAT(reverts, IsEmpty()) << "retry for ever belongs to what was once ready";
  EXPECT_TRUE(status("m").enabled);
}

TEST_F(TrialAfterRestart, IsOnTrialAlsoWhenItsFolderComesLater) {
  const Result<ModuleManifest> manifest = manifests.at("m");
  manifests.erase("m");
  restart(true);
  core->add("m", manifest, true, false);
  EXPECT_TRUE(status("m").provisional);
}

TEST_F(TrialAfterRestart, WhatIsDisabledIsOnNoTrial) {
  enabled["m"] = false;
  restart(true);
  EXPECT_FALSE(status("m").provisional);
  EXPECT_FALSE(status("m").wanted);
}

}  // namespace
}  // namespace starling::agent
