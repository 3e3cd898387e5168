#include "fleetsim/deterministic/simulation.hpp"

#include <gtest/gtest.h>

namespace starling::fleetsim {
namespace {

class SeedTest : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(SeedTest, WhatMustHoldHolds) {
  const SimulationResult result = Simulation(GetParam()).run();
  for (const std::string& failure : result.failures)
    ADD_FAILURE() << failure;
  EXPECT_GT(result.changes, 5) << "hardly anything happened";
}

INSTANTIATE_TEST_SUITE_P(Seeds, SeedTest, ::testing::Range<std::uint64_t>(1, 21));

TEST(SimulationTest, ASeedReplaysBitForBitAndAnotherIsAnotherStory) {
  const auto first = Simulation(7).run();
  const auto again = Simulation(7).run();
  const auto other = Simulation(8).run();
  EXPECT_EQ(first.trace, again.trace);
  EXPECT_NE(first.trace, other.trace);
}

}  // namespace
}  // namespace starling::fleetsim
