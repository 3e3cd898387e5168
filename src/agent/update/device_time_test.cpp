#include "agent/update/device_time.hpp"

#include <gtest/gtest.h>

#include "agent/fake_disk.hpp"
#include "base/rfc3339.hpp"

namespace starling::agent {
namespace {

using Source = TimeReading::Source;
using std::chrono::days;
using std::chrono::hours;

WallTime moment(std::string_view text) {
  return parse_rfc3339(text).value();
}

const WallTime built = moment("2026-03-01T00:00:00Z");

struct BoardClock final : Clock {
  SteadyTime steady() const override { return boot; }
  WallTime wall() const override { return shown; }
  void pass(Milliseconds time) {
    boot += time;
    shown += time;
  }
  SteadyTime boot{};
  WallTime shown = moment("1970-01-01T00:00:30Z");  // no RTC
};

class DeviceTimeTest : public testing::Test {
 protected:
  void start() { time.emplace(disk, clock, built, Logger()); }
  void expect(Source source, std::string_view text) {
    EXPECT_EQ(time->now().source, source);
    EXPECT_EQ(to_rfc3339(time->now().time), to_rfc3339(moment(text)));
  }

  FakeDisk disk;
  BoardClock clock;
  std::optional<DeviceTime> time;
};

TEST_F(DeviceTimeTest, ABoardWithoutAClockKnowsOnlyThatItWasBuilt) {
  start();
  expect(Source::floor, "2026-03-01T00:00:00Z");
  EXPECT_FALSE(time->now().known());
  clock.pass(hours(3));
  expect(Source::floor, "2026-03-01T03:00:00Z");
  time->set_synchronised(true);  // whoever says so
  expect(Source::floor, "2026-03-01T03:00:00Z");
}

TEST_F(DeviceTimeTest, TheHubIsBelievedUntilNtpComes) {
  start();
  clock.pass(hours(1));
  time->hub_said(moment("2026-06-01T12:00:00Z"));
  clock.pass(hours(2));
  expect(Source::hub, "2026-06-01T14:00:00Z");
  clock.shown = moment("2026-06-01T14:00:05Z");
  expect(Source::hub, "2026-06-01T14:00:00Z");
  time->set_synchronised(true);
  expect(Source::ntp, "2026-06-01T14:00:05Z");
  time->set_synchronised(false);
  clock.shown = moment("2031-01-01T00:00:00Z");  // jumps as it likes
  expect(Source::hub, "2026-06-01T14:00:05Z");
}

TEST_F(DeviceTimeTest, AHubThatSaysNonsenseIsNotBelieved) {
  for (const WallTime nonsense : {moment("2026-02-28T00:00:00Z"), WallTime::min(), WallTime::max()}) {
    start();
    time->hub_said(nonsense);
    expect(Source::floor, "2026-03-01T00:00:00Z");
  }
}

TEST_F(DeviceTimeTest, AGoodTimeIsTheFloorOfTheNextStart) {
  start();
  time->hub_said(moment("2026-06-01T12:00:00Z"));
  clock.shown = moment("2026-06-01T12:00:10Z");
  time->set_synchronised(true);
  clock = BoardClock();
  start();
  expect(Source::floor, "2026-06-01T12:00:10Z");
  time->hub_said(moment("2026-05-01T00:00:00Z"));
  expect(Source::floor, "2026-06-01T12:00:10Z");
}

TEST_F(DeviceTimeTest, OneSourceAloneIsNotKept) {
  start();
  clock.shown = moment("2036-01-01T00:00:00Z");
  time->set_synchronised(true);  // and the hub has said nothing yet
  time->hub_said(moment("2026-06-01T12:00:00Z"));
  time->set_synchronised(true);  // and says something else
  EXPECT_FALSE(disk.content(DeviceTime::path));
  EXPECT_EQ(time->floor(), built);
}

TEST_F(DeviceTimeTest, TheDiskIsSpared) {
  start();
  time->hub_said(moment("2026-06-01T12:00:00Z"));
  clock.shown = moment("2026-06-01T12:00:00Z");
  time->set_synchronised(true);
  const auto steps = disk.steps();
  clock.pass(std::chrono::minutes(59));
  time->set_synchronised(true);
  EXPECT_EQ(disk.steps(), steps);
  clock.pass(std::chrono::minutes(1));
  time->set_synchronised(true);
  EXPECT_GT(disk.steps(), steps);
  EXPECT_EQ(to_rfc3339(time->floor()), "2026-06-01T13:00:00.000Z");
}

TEST_F(DeviceTimeTest, WithoutItsFileTheBuildCounts) {
  disk.put(DeviceTime::path, R"({"good": "2040-01-01T00:00:00Z"})");  // no checksum
  start();
  expect(Source::floor, "2026-03-01T00:00:00Z");
  disk.mend();
  disk.make_fail("time.json.new", ErrorCode::io);
  time->hub_said(moment("2026-06-01T12:00:00Z"));
  clock.shown = moment("2026-06-01T12:00:00Z");
  time->set_synchronised(true);
  expect(Source::ntp, "2026-06-01T12:00:00Z");
}

TEST_F(DeviceTimeTest, LosingPowerLeavesTheOldOrTheNewTime) {
  start();
  time->hub_said(moment("2026-06-01T12:00:00Z"));
  clock.shown = moment("2026-06-01T12:00:00Z");
  time->set_synchronised(true);
  for (std::uint64_t step = 1; step <= 8; ++step) {
    clock.pass(days(1));
    disk.crash_after(step);
    time->set_synchronised(true);
    const WallTime good = clock.shown;
    disk.crash_now();
    disk.restore_power();
    start();
    EXPECT_TRUE(time->floor() == good || time->floor() < good) << step;
    EXPECT_GE(time->floor(), moment("2026-06-01T12:00:00Z")) << step;
    time->hub_said(good);
  }
}

TEST(BuildDay, IsADayOfThisProgram) {
  EXPECT_GE(build_day(), moment("2026-11-01T00:00:00Z"));
  EXPECT_LT(build_day(), moment("2126-01-01T00:00:00Z"));
}

}  // namespace
}  // namespace starling::agent
