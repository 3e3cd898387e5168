#include "agent/supervisor/restart_policy.hpp"

#include <gtest/gtest.h>

namespace starling::agent {
namespace {

struct RestartPolicyTest : testing::Test {
  RetryPlan fail_at(Milliseconds at, FailureKind kind = FailureKind::ordinary) {
    return policy.failed(SteadyTime{} + at, kind);
  }
  // Of a plan made at the time.
  static Milliseconds delay(const RetryPlan& plan, Milliseconds at) {
    return std::chrono::duration_cast<Milliseconds>(*plan.at - (SteadyTime{} + at));
  }
  RestartPolicy policy{SeededRandom(1)};
};

TEST_F(RestartPolicyTest, DoublesFrom200MsTo60SecondsWithAFifthOfJitter) {
  Milliseconds at{0}, expected{200};
  for (int i = 0; i < 12; ++i) {
    const Milliseconds waited = delay(fail_at(at), at);
    EXPECT_GE(waited, expected * 4 / 5) << i;
    EXPECT_LE(waited, expected * 6 / 5) << i;
    expected = std::min(2 * expected, Milliseconds(60'000));
    at += Milliseconds(121'000);  // far enough apart for no crash loop
  }
}

TEST_F(RestartPolicyTest, JitterIsDrawn) {
  RestartPolicy other{SeededRandom(2)};
  EXPECT_NE(fail_at(Seconds(0)).at, other.failed(SteadyTime{}, FailureKind::ordinary).at);
}

TEST_F(RestartPolicyTest, FiveFailuresInTwoMinutesAreALoopForEver) {
  for (int i = 0; i < 4; ++i)
    EXPECT_EQ(fail_at(Seconds(30 * i)).pace, RetryPace::quick) << i;
  const RetryPlan fifth = fail_at(Seconds(120));
  EXPECT_EQ(fifth.pace, RetryPace::slow);
  EXPECT_TRUE(fifth.news);
  EXPECT_EQ(delay(fifth, Seconds(120)), RestartPolicy::slow_delay);
  for (int i = 1; i < 50; ++i) {
    const RetryPlan later = fail_at(Seconds(120 + 300 * i));
    EXPECT_EQ(later.pace, RetryPace::slow);
    EXPECT_FALSE(later.news);  // once is enough
  }
}

TEST_F(RestartPolicyTest, AGoodRunForgetsEverything) {
  for (int i = 0; i < 6; ++i)
    (void)fail_at(Seconds(i));
  EXPECT_EQ(policy.pace(), RetryPace::slow);
  policy.ready(SteadyTime{} + Seconds(10));
  const RetryPlan first = fail_at(Seconds(70));
  EXPECT_EQ(first.pace, RetryPace::quick);
  EXPECT_LE(delay(first, Seconds(70)), Milliseconds(240));
  EXPECT_EQ(policy.failures(), 1);
}

TEST_F(RestartPolicyTest, AGoodRunIsTwiceTheLastDelayAtLeast) {
  Milliseconds at{0};
  for (int i = 0; i < 10; ++i, at += Milliseconds(121'000))
    (void)fail_at(at);  // the last delay is 60 s
  policy.ready(SteadyTime{} + at);
  EXPECT_GE(delay(fail_at(at + Seconds(119)), at + Seconds(119)), Milliseconds(48'000));
  policy.ready(SteadyTime{} + at + Seconds(200));
  EXPECT_LE(delay(fail_at(at + Seconds(320)), at + Seconds(320)), Milliseconds(240));
}

TEST_F(RestartPolicyTest, WhatCannotGetBetterIsNotTried) {
  const RetryPlan plan = fail_at(Seconds(0), FailureKind::hopeless);
  EXPECT_EQ(plan.pace, RetryPace::never);
  EXPECT_FALSE(plan.at);
  EXPECT_TRUE(plan.news);
}

TEST_F(RestartPolicyTest, ThreeTimesOutOfMemoryHoldsForAQuarterOfAnHour) {
  EXPECT_EQ(fail_at(Seconds(0), FailureKind::out_of_memory).pace, RetryPace::quick);
  EXPECT_EQ(fail_at(Seconds(300), FailureKind::out_of_memory).pace, RetryPace::quick);
  const RetryPlan third = fail_at(Seconds(600), FailureKind::out_of_memory);
  EXPECT_EQ(third.pace, RetryPace::memory_hold);
  EXPECT_EQ(delay(third, Seconds(600)), Milliseconds(900'000));
  EXPECT_EQ(fail_at(Seconds(1'600), FailureKind::out_of_memory).pace, RetryPace::quick);
}

TEST_F(RestartPolicyTest, AFailureIsForgivenOnceForEachGoodRun) {
  (void)fail_at(Seconds(0));
  EXPECT_TRUE(policy.forgive());
  EXPECT_EQ(policy.failures(), 0);
  (void)fail_at(Seconds(1));
  EXPECT_FALSE(policy.forgive());
  EXPECT_EQ(policy.failures(), 1);
  policy.ready(SteadyTime{} + Seconds(2));
  (void)fail_at(Seconds(62));
  EXPECT_TRUE(policy.forgive());
  EXPECT_EQ(policy.failures(), 0);
}

TEST_F(RestartPolicyTest, WhatIsForgivenTakesNothingBackThatWasBefore) {
  for (int i = 0; i < 3; ++i)
    (void)fail_at(Seconds(i));
  EXPECT_TRUE(policy.forgive());
  EXPECT_EQ(policy.failures(), 2);
}

TEST_F(RestartPolicyTest, WhatWasPlannedForAForgivenFailureStands) {
  (void)fail_at(Seconds(0), FailureKind::hopeless);
  EXPECT_TRUE(policy.forgive());
  EXPECT_EQ(policy.pace(), RetryPace::never) << "it is not tried again";
  policy.reset();
  for (int i = 0; i < 5; ++i)
    (void)fail_at(Seconds(i));
  EXPECT_TRUE(policy.forgive());
  EXPECT_EQ(policy.pace(), RetryPace::slow) << "until then";
  EXPECT_EQ(fail_at(Seconds(304)).pace, RetryPace::quick) << "four of its own were no loop";
}

TEST_F(RestartPolicyTest, ALoopThatWasBeforeStaysOneWhateverIsForgiven) {
  for (int i = 0; i < 6; ++i)
    (void)fail_at(Seconds(i));
  EXPECT_TRUE(policy.forgive());
  EXPECT_EQ(policy.pace(), RetryPace::slow);
  const RetryPlan next = fail_at(Seconds(305));
  EXPECT_EQ(next.pace, RetryPace::slow);
  EXPECT_FALSE(next.news);
}

TEST_F(RestartPolicyTest, ResetStartsAnew) {
  for (int i = 0; i < 6; ++i)
    (void)fail_at(Seconds(i));
  policy.reset();
  EXPECT_LE(delay(fail_at(Seconds(7)), Seconds(7)), Milliseconds(240));
}

}  // namespace
}  // namespace starling::agent
