#include "base/token_bucket.hpp"

#include <gtest/gtest.h>

namespace starling {
namespace {

TEST(TokenBucket, IsABurstAndThenSoMuchASecond) {
  constexpr Rate rate{10, 3};
  SteadyTime now{};
  TokenBucket bucket(rate, now);
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(bucket.take(rate, now));
  EXPECT_EQ(bucket.take(rate, now), Seconds(1));
  now += Milliseconds(100);
  EXPECT_FALSE(bucket.take(rate, now));
  EXPECT_TRUE(bucket.take(rate, now));
  EXPECT_FALSE(bucket.full(rate, now));
  now += Seconds(100);
  EXPECT_EQ(bucket.left(rate, now), 3);  // and no more
  EXPECT_TRUE(bucket.full(rate, now));
}

TEST(TokenBucket, TakesAllOrNothing) {
  constexpr Rate rate{1, 10};
  SteadyTime now{};
  TokenBucket bucket(rate, now);
  EXPECT_TRUE(bucket.take_all(rate, now, 8));
  EXPECT_FALSE(bucket.take_all(rate, now, 3));
  EXPECT_TRUE(bucket.take_all(rate, now, 2));
  bucket.earn(12);  // beyond the burst, and not lost with time
  now += Seconds(1);
  EXPECT_TRUE(bucket.take_all(rate, now, 12));
}

TEST(TokenBucket, NoRateIsNoLimit) {
  TokenBucket bucket({}, SteadyTime{});
  EXPECT_FALSE(bucket.take({}, SteadyTime{}));
}

}  // namespace
}  // namespace starling
