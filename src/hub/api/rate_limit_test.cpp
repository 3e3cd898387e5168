#include "hub/api/rate_limit.hpp"

#include <gtest/gtest.h>

namespace starling::hub {
namespace {

TEST(RateLimits, ABurstThenOneForEachTokenThatFlowsIn) {
  ManualClock clock;
  RateLimit limit(clock, {2, 3});
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(limit.take("a"));
  EXPECT_EQ(limit.take("a"), Seconds(1));
  EXPECT_FALSE(limit.take("b")) << "each has a bucket of its own";
  clock.advance(Milliseconds(500));
  EXPECT_FALSE(limit.take("a"));
  EXPECT_TRUE(limit.take("a"));
}

TEST(RateLimits, ALongWaitIsSaidInWholeSeconds) {
  ManualClock clock;
  RateLimit limit(clock, {0.1, 1});
  EXPECT_FALSE(limit.take("a"));
  EXPECT_EQ(limit.take("a"), Seconds(10));
}

TEST(RateLimits, FullBucketsAreForgotten) {
  ManualClock clock;
  RateLimit limit(clock, {1, 2});
  limit.take("a");
  limit.tick();
  EXPECT_EQ(limit.size(), 1u);
  clock.advance(Seconds(1));
  limit.tick();
  EXPECT_EQ(limit.size(), 0u);
}

TEST(RateLimits, ZeroMeansNoLimit) {
  const ManualClock clock;
  RateLimit limit(clock, {0, 0});
  for (int i = 0; i < 1'000; ++i)
    ASSERT_FALSE(limit.take("a"));
  EXPECT_EQ(limit.size(), 0u);
}

}  // namespace
}  // namespace starling::hub
