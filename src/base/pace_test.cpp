#include "base/pace.hpp"

#include <gtest/gtest.h>

namespace starling {
namespace {

TEST(Pace, LetsSoMuchComeInASecond) {
  ManualClock clock;
  Pace pace(1'000);
  Milliseconds passed(0);
  for (int i = 0; i < 100; ++i) {
    const Milliseconds wait = pace.after(50, clock.steady());
    clock.advance(wait);
    passed += wait;
  }
  EXPECT_GE(passed, Milliseconds(4'900));
  EXPECT_LE(passed, Milliseconds(5'000));
}

TEST(Pace, WhatWasNotUsedIsNotMadeUpFor) {
  ManualClock clock;
  Pace pace(1'000);
  EXPECT_EQ(pace.after(1'000, clock.steady()), Milliseconds(1'000));
  clock.advance(Milliseconds(60'000));
  EXPECT_EQ(pace.after(2'000, clock.steady()), Milliseconds(2'000));
}

TEST(Pace, WithoutALimitNothingWaits) {
  Pace pace(0);
  EXPECT_EQ(pace.after(1u << 30, SteadyTime{}), Milliseconds(0));
}

}  // namespace
}  // namespace starling
