#include "agent/update/timing.hpp"

#include <gtest/gtest.h>

#include <set>

#include "agent/fake_disk.hpp"
#include "base/rfc3339.hpp"

namespace starling::agent {
namespace {

using protocol::TimingPolicy;
using std::chrono::hours;
using std::chrono::minutes;

WallTime at(std::string_view text) {
  return parse_rfc3339(text).value();
}

TimingPolicy scheduled(minutes time, minutes window = minutes(60)) {
  TimingPolicy policy{.version = "v1.2.3"};
  policy.at = time;
  policy.window = window;
  return policy;
}

TimingPolicy urgent(std::optional<hours> deadline = {}) {
  return {.version = "v1.2.4", .type = TimingPolicy::Type::urgent, .deadline = deadline};
}

// What the turn of device-1 adds to the opening of a window of an hour.
Milliseconds turn() {
  FakeDisk disk;
  const Moment midnight{SteadyTime(), {at("2026-06-01T00:00:00Z"), TimeReading::Source::ntp}, TimeZone()};
  UpdateTiming timing(disk, "device-1", scheduled(hours(2)), midnight, Logger());
  const auto waiting = timing.before_switch(midnight, ActivityTracker(SteadyTime()));
  return *waiting->until - at("2026-06-01T02:00:00Z");
}

// A device with a clock that can be wrong, and a release that waits.
class UpdateTimingTest : public testing::Test {
 protected:
  void begin(const TimingPolicy& policy, std::string_view device = "device-1") {
    timing.emplace(disk, device, policy, now(), Logger());
  }
  void start_at(std::string_view time, const std::string& zone_name = "UTC") {
    wall = at(time);
    zone = TimeZone::find(zone_name).value();
  }
  Moment now() const { return {boot, {wall, source}, zone}; }
  void pass(Milliseconds time) {
    boot += time;
    wall += time;
  }
  std::optional<Wait> asked() { return timing->before_switch(now(), activity); }
  // Does as the updater does, and gives the time at which it goes ahead; the epoch if it does not within 40
  // days.
  WallTime switched() {
    for (const SteadyTime end = boot + std::chrono::days(40); boot < end;) {
      const auto waiting = asked();
      if (!waiting) return wall;
      EXPECT_GT(waiting->look_again, boot);
      EXPECT_LE(waiting->look_again - boot, UpdateTiming::longest_sleep);
      EXPECT_GT(waiting->until.value_or(WallTime::max()), wall);
      pass(std::chrono::ceil<Milliseconds>(waiting->look_again - boot));
    }
    return {};
  }
  FakeDisk disk;
  SteadyTime boot{hours(5)};
  WallTime wall = at("2026-06-01T12:00:00Z");
  TimeReading::Source source = TimeReading::Source::ntp;
  TimeZone zone;
  ActivityTracker activity{SteadyTime()};
  std::optional<UpdateTiming> timing;
};

TEST_F(UpdateTimingTest, AWindowOpensAtLocalTimeInEveryZone) {
  const Milliseconds slot = turn();
  EXPECT_GE(slot, Milliseconds(0));
  EXPECT_LT(slot, minutes(30));
  const struct {
    const char* zone;
    const char* from;
    minutes time;
    const char* opens;
  } cases[] = {
      {"UTC", "2026-06-01T12:00:00Z", hours(2), "2026-06-02T02:00:00Z"},
      {"UTC", "2026-06-01T02:00:00Z", hours(2), "2026-06-01T02:00:00Z"},
      {"UTC", "2026-06-01T03:00:00Z", hours(2), "2026-06-02T02:00:00Z"},  // just closed
      {"Europe/Berlin", "2026-06-01T12:00:00Z", hours(2), "2026-06-02T00:00:00Z"},
      {"Europe/Berlin", "2026-03-28T12:00:00Z", hours(2), "2026-03-29T01:00:00Z"},  // no 2:00: at 3:00
      {"Europe/Berlin", "2026-03-28T12:00:00Z", hours(2) + minutes(30), "2026-03-29T01:00:00Z"},
      {"Europe/Berlin", "2026-10-24T12:00:00Z", hours(2), "2026-10-25T00:00:00Z"},  // the first 2:00
      {"Europe/Berlin", "2026-10-25T01:00:00Z", hours(2), "2026-10-26T01:00:00Z"},  // not the second
      {"America/Los_Angeles", "2026-03-07T12:00:00Z", hours(2), "2026-03-08T10:00:00Z"},
      {"America/Los_Angeles", "2026-10-31T18:00:00Z", hours(1), "2026-11-01T08:00:00Z"},
      {"America/Los_Angeles", "2026-11-01T09:00:00Z", hours(1), "2026-11-02T09:00:00Z"},
      {"Australia/Lord_Howe", "2026-10-03T00:00:00Z", hours(2), "2026-10-03T15:30:00Z"},
      {"Australia/Lord_Howe", "2026-04-04T00:00:00Z", hours(1) + minutes(45), "2026-04-04T14:45:00Z"},
      {"Australia/Lord_Howe", "2026-04-04T15:45:00Z", hours(1) + minutes(45), "2026-04-05T15:15:00Z"},
      {"Pacific/Apia", "2011-12-29T14:00:00Z", hours(2),
       "2011-12-30T12:00:00Z"},  // from the 29th to the 31st
      {"UTC", "2026-06-01T23:30:00Z", hours(23) + minutes(30), "2026-06-01T23:30:00Z"},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(std::string(each.zone) + " " + each.from);
    disk = FakeDisk();
    start_at(each.from, each.zone);
    begin(scheduled(each.time));
    EXPECT_EQ(to_rfc3339(switched()), to_rfc3339(at(each.opens) + slot));
  }
}

TEST_F(UpdateTimingTest, AWindowStaysOpenOverMidnight) {
  start_at("2026-06-02T00:20:00Z");
  begin(scheduled(hours(23) + minutes(30)));
  EXPECT_FALSE(asked());
}

TEST_F(UpdateTimingTest, ADeviceThatTravelsWaitsForTheNightOfItsPlace) {
  start_at("2026-06-01T20:00:00Z", "Europe/Berlin");
  begin(scheduled(hours(2)));
  EXPECT_EQ(asked()->until, at("2026-06-02T00:00:00Z") + turn());
  zone = TimeZone::find("America/Los_Angeles").value();
  EXPECT_EQ(to_rfc3339(switched()), to_rfc3339(at("2026-06-02T09:00:00Z") + turn()));
}

TEST_F(UpdateTimingTest, WithoutTheTimeThereIsNoWindow) {
  source = TimeReading::Source::floor;
  start_at("2026-01-01T02:10:00Z");
  begin(scheduled(hours(2)));
  EXPECT_EQ(asked()->reason, WaitReason::clock);
  pass(hours(30));
  EXPECT_EQ(asked()->reason, WaitReason::clock);
  source = TimeReading::Source::hub;
  start_at("2026-06-01T12:00:00Z");
  EXPECT_EQ(to_rfc3339(switched()), to_rfc3339(at("2026-06-02T02:00:00Z") + turn()));
}

TEST_F(UpdateTimingTest, AClockThatJumpsIsLookedAtAgain) {
  start_at("2026-06-01T12:00:00Z");
  begin(scheduled(hours(2)));
  EXPECT_EQ(asked()->reason, WaitReason::window);
  wall = at("2026-06-05T02:45:00Z");
  EXPECT_FALSE(asked());
  wall = at("2026-06-01T01:00:00Z");
  EXPECT_EQ(asked()->until, at("2026-06-01T02:00:00Z") + turn());
}

TEST_F(UpdateTimingTest, ARecordingMayEndButNotHoldUpTheNight) {
  start_at("2026-06-02T02:00:00Z");
  begin(scheduled(hours(2)));
  activity.heard("recorder", {ActivityKind::recording, Activity::Phase::begins}, boot);
  pass(minutes(40));
  EXPECT_EQ(asked()->reason, WaitReason::activity);
  EXPECT_EQ(asked()->until, at("2026-06-02T02:45:00Z"));
  pass(minutes(5));
  EXPECT_FALSE(asked());
  pass(minutes(-4));
  activity.heard("recorder", {ActivityKind::recording, Activity::Phase::ends}, boot);
  EXPECT_FALSE(asked());
}

TEST_F(UpdateTimingTest, NotBeforeNowAndThePast) {
  TimingPolicy policy = scheduled(hours(2));
  policy.not_before = at("2026-06-10T12:00:00Z");
  begin(policy);
  EXPECT_EQ(asked()->reason, WaitReason::not_before);
  EXPECT_EQ(to_rfc3339(switched()), to_rfc3339(at("2026-06-11T02:00:00Z") + turn()));

  start_at("2026-06-01T12:00:00Z");
  policy.at.reset();  // a date and nothing else
  begin(policy);
  const WallTime time = switched();
  EXPECT_GE(time, *policy.not_before);
  EXPECT_LT(time, *policy.not_before + UpdateTiming::switch_spread);

  disk = FakeDisk();
  start_at("2026-06-10T12:00:00Z");
  begin(policy);  // when it is past
  EXPECT_FALSE(asked());

  start_at("2026-06-01T12:00:00Z");
  policy.now = true;
  begin(policy);
  EXPECT_FALSE(asked());
  EXPECT_FALSE(timing->before_fetch(now()));
}

TEST_F(UpdateTimingTest, AFloorThatIsPastItSaysThatNotBeforeIsPast) {
  TimingPolicy policy{.version = "v1", .not_before = at("2026-06-10T12:00:00Z")};
  source = TimeReading::Source::floor;
  begin(policy);
  EXPECT_EQ(asked()->reason, WaitReason::clock);
  start_at("2026-06-10T12:00:00Z");
  EXPECT_FALSE(asked());
}

TEST_F(UpdateTimingTest, UrgentWaitsForAnHourWithoutActivity) {
  activity = ActivityTracker(boot);
  begin(urgent());
  EXPECT_EQ(asked()->reason, WaitReason::quiet);
  EXPECT_EQ(asked()->until, wall + hours(1));
  pass(minutes(59));
  activity.heard("speaker", {ActivityKind::playback, Activity::Phase::begins}, boot);
  EXPECT_EQ(asked()->reason, WaitReason::activity);
  pass(hours(3));
  EXPECT_EQ(asked()->reason, WaitReason::activity);
  activity.heard("speaker", {ActivityKind::playback, Activity::Phase::ends}, boot);
  pass(minutes(59));
  EXPECT_EQ(asked()->reason, WaitReason::quiet);
  wall += std::chrono::days(1);  // the wall clock has no say in it
  EXPECT_TRUE(asked());
  pass(minutes(1));
  EXPECT_FALSE(asked());
  activity.heard("button", {}, boot);  // at the moment of the switch
  EXPECT_EQ(asked()->reason, WaitReason::quiet);
}

TEST_F(UpdateTimingTest, UrgentNeedsNoTime) {
  source = TimeReading::Source::floor;
  activity = ActivityTracker(boot);
  begin(urgent());
  EXPECT_EQ(asked()->reason, WaitReason::quiet);
  pass(hours(1));
  EXPECT_FALSE(asked());
}

TEST_F(UpdateTimingTest, AfterItsDeadlineItGoesAhead) {
  activity.heard("recorder", {ActivityKind::recording, Activity::Phase::begins}, boot);
  const WallTime began = wall;
  begin(urgent(hours(24)));
  EXPECT_EQ(switched(), began + hours(24));
}

TEST_F(UpdateTimingTest, TheDeadlineGoesOnWhileTheDeviceIsOff) {
  activity.heard("recorder", {ActivityKind::recording, Activity::Phase::begins}, boot);
  begin(urgent(hours(24)));
  wall += hours(23);
  boot = SteadyTime(minutes(1));  // a start later
  begin(urgent(hours(24)));
  EXPECT_TRUE(asked());
  pass(hours(1));
  EXPECT_FALSE(asked());
}

TEST_F(UpdateTimingTest, ADeadlineCountsWithoutTheTimeAndOnceItIsKnown) {
  TimingPolicy policy = scheduled(hours(2));
  policy.deadline = hours(48);
  source = TimeReading::Source::floor;
  start_at("2026-01-01T00:00:00Z");
  begin(policy);
  pass(hours(47));
  EXPECT_EQ(asked()->reason, WaitReason::clock);
  source = TimeReading::Source::ntp;
  start_at("2026-06-01T12:00:00Z");
  EXPECT_EQ(asked()->reason, WaitReason::window);
  pass(hours(1));
  EXPECT_FALSE(asked()) << "it has waited for 48 hours";
}

TEST_F(UpdateTimingTest, AWrongClockOfOnceDoesNotMoveTheDeadline) {
  activity.heard("recorder", {ActivityKind::recording, Activity::Phase::begins}, boot);
  start_at("2035-01-01T00:00:00Z");
  begin(urgent(hours(24)));
  start_at("2026-06-01T12:00:00Z");
  EXPECT_EQ(to_rfc3339(switched()), "2026-06-02T12:00:00.000Z");
}

TEST_F(UpdateTimingTest, AnotherVersionWaitsAnew) {
  activity.heard("recorder", {ActivityKind::recording, Activity::Phase::begins}, boot);
  begin(urgent(hours(24)));
  pass(hours(23));
  TimingPolicy next = urgent(hours(24));
  next.version = "v1.2.5";
  begin(next);
  pass(hours(23));
  EXPECT_TRUE(asked());
}

TEST_F(UpdateTimingTest, AWaitThatCannotBeReadOrKeptBeginsAnew) {
  activity.heard("recorder", {ActivityKind::recording, Activity::Phase::begins}, boot);
  disk.put(UpdateTiming::path, R"({"version":"v1.2.4","since":"2020-01-01T00:00:00Z"})");  // no checksum
  disk.make_fail("update_wait.json.new", ErrorCode::io);
  begin(urgent(hours(24)));
  EXPECT_TRUE(asked());
  pass(hours(24));
  EXPECT_FALSE(asked());
}

TEST_F(UpdateTimingTest, AFleetArrivesOneAfterTheOther) {
  start_at("2026-06-01T12:00:00Z");
  TimingPolicy later = scheduled(hours(2));
  later.not_before = at("2026-07-01T00:00:00Z");
  std::set<long long> fetches, prefetches, switches;  // in which tenth of the spread
  for (int i = 0; i < 500; ++i) {
    begin(scheduled(hours(2)), "device-" + std::to_string(i));
    const auto fetch = timing->before_fetch(now());
    if (fetch) fetches.insert((fetch->look_again - boot) * 10 / UpdateTiming::fetch_spread);
    switches.insert((*asked()->until - at("2026-06-02T02:00:00Z")) * 10 / minutes(30));
    begin(later, "device-" + std::to_string(i));
    prefetches.insert((*timing->before_fetch(now())->until - at("2026-06-30T00:00:00Z")) * 10 / hours(12));
  }
  const std::set<long long> all{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  EXPECT_EQ(fetches, all);
  EXPECT_EQ(prefetches, all);
  EXPECT_EQ(switches, all);
}

TEST_F(UpdateTimingTest, ItIsFetchedBeforeTheWindow) {
  start_at("2026-06-01T12:00:00Z");
  begin(scheduled(hours(2)));
  pass(UpdateTiming::fetch_spread);
  EXPECT_FALSE(timing->before_fetch(now()));
  EXPECT_TRUE(asked());
}

}  // namespace
}  // namespace starling::agent
