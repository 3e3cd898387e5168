#include "agent/update/module_health.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace starling::agent {
namespace {

ModuleStatus module(std::string name, ModuleState state, bool wanted = true) {
  ModuleStatus status;
  status.name = std::move(name);
  status.state = state;
  status.wanted = wanted;
  return status;
}

TEST(ModuleHealth, NamesThoseThatAreReady) {
  EXPECT_THAT(ready_ones({module("a", ModuleState::idle), module("b", ModuleState::recording),
                          module("c", ModuleState::starting), module("d", ModuleState::crashed)}),
              testing::ElementsAre("a", "b"));
}

TEST(ModuleHealth, DeathsCountAlsoOfWhatIsReadyAgain) {
  ModuleStatus ear = module("a", ModuleState::idle);
  ear.restarts = 2;
  ReleaseVerdict trial = judge_modules({ear}, {"a"});
  EXPECT_TRUE(trial.over && trial.failure.empty());
  EXPECT_EQ(trial.deaths, 2);
  ear.restarts = 3;
  EXPECT_THAT(judge_modules({ear}, {"a"}).failure, testing::HasSubstr("keeps ending"));
  EXPECT_TRUE(judge_modules({ear}, {"a"}).hopeless);
  EXPECT_EQ(judge_modules({ear}, {"b"}).failure, "") << "it was not ready before either";

  ear = module("a", ModuleState::crashed);
  ear.next_retry = SteadyTime(Seconds(5));
  trial = judge_modules({ear}, {"a"});
  EXPECT_TRUE(!trial.over && trial.failure.empty()) << "it is tried again at once";
  EXPECT_EQ(trial.deaths, 1);
  ear.pace = RetryPace::slow;
  EXPECT_NE(judge_modules({ear}, {"a"}).failure, "");
}

// Its enabling is taken back: it shall not run any more, and not because somebody wanted that.
TEST(ModuleHealth, OneInQuarantineFailsAtOnce) {
  ModuleStatus ear = module("a", ModuleState::disabled, false);
  ear.quarantine = "exit status 1";
  const ReleaseVerdict trial = judge_modules({ear}, {"a"});
  EXPECT_TRUE(trial.hopeless);
  EXPECT_THAT(trial.failure, testing::HasSubstr("exit status 1"));
  EXPECT_EQ(judge_modules({ear}, {"b"}).failure, "");
}

TEST(ModuleHealth, WhatWasReadyHasToBeReady) {
  struct Case {
    ModuleStatus now;
    bool over;
    bool well;
  };
  const Case cases[] = {
      {module("a", ModuleState::idle), true, true},
      {module("a", ModuleState::recording), true, true},
      {module("a", ModuleState::starting), false, true},
      {module("a", ModuleState::stopping), false, true},
      {module("a", ModuleState::error), true, false},
      {module("a", ModuleState::crashed), true, false},
      {module("a", ModuleState::disabled), true, false},
      {module("a", ModuleState::disabled, false), true, true},  // disabled meanwhile
      {module("b", ModuleState::crashed), true, true},          // was not ready before either
  };
  for (const Case& one : cases) {
    const ReleaseVerdict trial = judge_modules({one.now}, {"a"});
    EXPECT_EQ(trial.over, one.over) << to_string(one.now.state);
    EXPECT_EQ(trial.failure.empty(), one.well) << trial.failure;
  }
  ModuleStatus held = module("a", ModuleState::crashed);
  held.waits_for = "there is too little memory";
  const ReleaseVerdict verdict = judge_modules({held}, {"a"});
  EXPECT_FALSE(verdict.over);
  EXPECT_THAT(verdict.waits_for, testing::HasSubstr("'a' is not ready with this release: there is too"));
  EXPECT_TRUE(judge_modules({}, {"a"}).failure.empty()) << "the release has it no more";
}

}  // namespace
}  // namespace starling::agent
