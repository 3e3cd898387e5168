#include "agent/update/activity_tracker.hpp"

#include <gtest/gtest.h>

namespace starling::agent {
namespace {

using std::chrono::minutes;

constexpr SteadyTime midnight{std::chrono::hours(1)};

TEST(ActivityTracker, AStartIsActivity) {
  const ActivityTracker tracker(midnight);
  EXPECT_FALSE(tracker.under_way());
  EXPECT_EQ(tracker.quiet_for(midnight), Milliseconds(0));
  EXPECT_EQ(tracker.quiet_for(midnight + minutes(5)), minutes(5));
  EXPECT_EQ(tracker.quiet_for(midnight - minutes(5)), Milliseconds(0));
}

TEST(ActivityTracker, WhatHasBegunIsNoQuietUntilItEnds) {
  ActivityTracker tracker(midnight);
  tracker.heard("voice", {ActivityKind::recording, Activity::Phase::begins}, midnight + minutes(1));
  tracker.heard("voice", {ActivityKind::playback, Activity::Phase::begins}, midnight + minutes(2));
  tracker.heard("voice", {ActivityKind::playback, Activity::Phase::begins},
                midnight + minutes(2));  // said twice
  tracker.heard("voice", {ActivityKind::recording, Activity::Phase::ends}, midnight + minutes(3));
  EXPECT_TRUE(tracker.under_way());
  EXPECT_EQ(tracker.quiet_for(midnight + minutes(60)), Milliseconds(0));
  tracker.heard("other", {ActivityKind::playback, Activity::Phase::ends},
                midnight + minutes(4));  // never began
  EXPECT_TRUE(tracker.under_way());
  tracker.heard("voice", {ActivityKind::playback, Activity::Phase::ends}, midnight + minutes(5));
  EXPECT_FALSE(tracker.under_way());
  EXPECT_EQ(tracker.quiet_for(midnight + minutes(7)), minutes(2));
  tracker.heard("voice", {ActivityKind::button, Activity::Phase::moment}, midnight + minutes(8));
  EXPECT_EQ(tracker.quiet_for(midnight + minutes(9)), minutes(1));
}

TEST(ActivityTracker, WithItsSourceItEnds) {
  ActivityTracker tracker(midnight);
  tracker.heard("voice", {ActivityKind::recording, Activity::Phase::begins}, midnight);
  tracker.lost("other", midnight + minutes(1));
  EXPECT_TRUE(tracker.under_way());
  tracker.lost("voice", midnight + minutes(1));
  EXPECT_FALSE(tracker.under_way());
  EXPECT_EQ(tracker.quiet_for(midnight + minutes(2)), minutes(1));
}

TEST(Activity, IsReadFromAModulesReport) {
  const auto parsed = [](std::string_view text) {
    return parse_activity(parse_json(text).value().get_object());
  };
  EXPECT_EQ(parsed(R"({"what":"button"})")->phase, Activity::Phase::moment);
  EXPECT_EQ(parsed(R"({"what":"playback","active":true})")->kind, ActivityKind::playback);
  EXPECT_EQ(parsed(R"({"what":"playback","active":true})")->phase, Activity::Phase::begins);
  EXPECT_EQ(parsed(R"({"what":"recording","active":false})")->phase, Activity::Phase::ends);
  for (const char* wrong :
       {"{}", R"({"what":"sleeping"})", R"({"what":7})", R"({"what":"button","active":1})"}) {
    EXPECT_EQ(parsed(wrong).error().code, ErrorCode::invalid_argument) << wrong;
  }
}

}  // namespace
}  // namespace starling::agent
