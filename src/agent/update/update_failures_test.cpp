// What becomes of releases that failed, and of one that is damaged.
#include <gmock/gmock.h>

#include "agent/update/update_bench.hpp"

namespace starling::agent {
namespace {

using protocol::Phase;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

// Runs v1.0.0, confirmed; v1.1.0 can be had.
struct UpdateFailuresTest : testing::Test {
  UpdateFailuresTest() { device.settle(); }
  Phase told() const { return device.device.recorder.last_status.phase; }
  Release running() const { return *device.device.core->release(); }
  std::string program() const { return release_path(running().hash) + "/payload/modules/ear/run"; }
  std::string damage() const {
    const JsonObject report = device.core->report();
    const Json* damage = report.if_contains("damage");
    return damage == nullptr ? "" : std::string(damage->as_string());
  }

  UpdateBench device;
};

TEST_F(UpdateFailuresTest, OneThatDoesNotWorkIsTakenBackAndNotTriedAgain) {
  device.broken.insert("v1.1.0");
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.0.0 v1.0.0");
  EXPECT_EQ(device.state(), "reverted");
  EXPECT_EQ(told(), Phase::reverted);
  EXPECT_THAT(device.device.recorder.last_status.errors[0].message, HasSubstr("'ear' is not ready"));
  EXPECT_EQ(device.fingerprint(), "modules");
  EXPECT_EQ(device.core->section().refused, protocol::hash_of(JsonObject{{"release", "v1.1.0"}}));
  EXPECT_EQ(device.core->section().applied, protocol::hash_of(JsonObject{{"release", "v1.0.0"}}));
  const int downloads = device.downloads;
  for (int i = 0; i < 3; ++i) {
    device.want("v1.1.0");
    device.crash();
    device.pass(day);
  }
  EXPECT_EQ(device.downloads, downloads);
}

TEST_F(UpdateFailuresTest, OneWhosePythonPackagesCannotBeInstalledIsRefused) {
  device.publish_with_wheels("v1.1.0");
  device.no_environment = {ErrorCode::invalid_argument, "python ended with 1: No matching distribution", ""};
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(), "v1.0.0 refused requirements");
  EXPECT_THAT(device.device.recorder.last_status.errors[0].message, HasSubstr("No matching distribution"));
  EXPECT_EQ(device.environments, 1);
  device.pass(day);
  EXPECT_EQ(device.environments, 1) << "not again by itself";
  device.no_environment.reset();
  device.core->check_now();
  EXPECT_FALSE(device.core->report().contains("failure")) << "it is tried anew";
  EXPECT_THAT(device.core->report().at("last_failed").at("message").as_string().c_str(),
              HasSubstr("No matching distribution"));
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 confirmed");
}

TEST_F(UpdateFailuresTest, WhereItsPythonPackagesMayBeInstalledLaterItIsTriedAgain) {
  device.publish_with_wheels("v1.1.0");
  device.no_environment = {ErrorCode::unavailable, "python was killed", ""};
  device.want("v1.1.0");
  device.pass(Seconds(10));
  EXPECT_EQ(device.state() + " " + device.fingerprint(), "pending requirements");
  EXPECT_THAT(*device.device.disk.list("releases"), Not(Contains(HasSubstr(".new"))));
  device.no_environment.reset();
  device.pass(Seconds(300));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 confirmed");
  EXPECT_EQ(device.downloads, 2) << "v1.0.0's, too: none again";
}

TEST_F(UpdateFailuresTest, PythonPackagesFromElsewhereAreNone) {
  device.publish_tar("v1.1.0", tar_of(release_parts("v1.1.0", {{"payload/requirements.txt", "-i https://x\n"},
                                                               {"payload/wheels/hears.whl", "PK"}})));
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.state() + " " + device.fingerprint(), "refused bad-release");
  EXPECT_EQ(device.environments, 0);
}

// Its rollout was taken back, and somebody begins another.
TEST_F(UpdateFailuresTest, WantedAnewItIsTriedAnew) {
  device.broken.insert("v1.1.0");
  for (const int trials : {1, 2}) {
    device.want("v1.1.0");
    device.pass(Seconds(100));
    EXPECT_EQ(device.state(), "reverted");
    EXPECT_EQ(device.downloads, 1 + trials);
    device.want("v1.0.0");
    device.pass(Seconds(100));
    EXPECT_EQ(device.state(), "confirmed");
  }
  device.broken.clear();
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.1.0");
}

TEST_F(UpdateFailuresTest, AnOperatorMayHaveItTriedAgain) {
  device.broken.insert("v1.1.0");
  device.want("v1.1.0");
  device.pass(Seconds(100));
  device.broken.clear();
  device.core->check_now();
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.1.0");
}

TEST_F(UpdateFailuresTest, WhyTheLastOneFailedIsToldUntilAnotherStays) {
  const auto last = [&]() -> std::string {
    const JsonObject report = device.core->report();
    const Json* failed = report.if_contains("last_failed");
    if (failed == nullptr) return "none";
    const JsonObject& one = failed->get_object();
    return std::string(one.at("release").as_string()) + " " + std::string(one.at("became").as_string()) +
           " " + std::string(one.at("fingerprint").as_string());
  };
  EXPECT_EQ(last(), "none");
  device.broken.insert("v1.1.0");
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(last(), "v1.1.0 reverted modules");
  device.want("v1.0.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.state(), "confirmed");
  device.crash();
  EXPECT_EQ(last(), "v1.1.0 reverted modules");
  device.publish_tar("v1.2.0", tar_of(release_parts("v1.1.1")));
  device.want("v1.2.0");
  device.pass(Seconds(100));
  EXPECT_EQ(last(), "v1.2.0 refused bad-release");
  device.publish("v1.3.0", "3");
  device.want("v1.3.0");
  device.pass(Seconds(100));
  EXPECT_EQ(last(), "none");
}

TEST_F(UpdateFailuresTest, WhatHasFailedForGoodEndsTheTrialAtOnce) {
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.core->modules_changed();
  EXPECT_EQ(device.state(), "provisional");
  device.modules.failure = "module 'ear' keeps ending";
  device.modules.hopeless = true;
  device.core->modules_changed();
  device.pass(Seconds(0));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 reverted");
}

TEST_F(UpdateFailuresTest, WithoutTheHubItGoesBackAndTriesAgainIfTheHubItselfWasAway) {
  device.want("v1.1.0");
  device.hub_is_there = false;
  device.pass(std::chrono::minutes(14));
  EXPECT_EQ(device.state(), "provisional");
  device.crash();
  device.pass(std::chrono::minutes(16));
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(), "v1.0.0 reverted no-hub");
  device.pass(std::chrono::minutes(20));
  device.connect_hub();
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.1.0");
}

// Its hour is at night, and so is the hub's absence.
TEST_F(UpdateFailuresTest, NightsWithoutTheHubDoNotBringTheSameReleaseAgainAndAgain) {
  int nights = 0, trials = 0;
  const auto night = [&] {
    ++nights;
    device.hub_is_there = device.network = false;
    const int former = trials;
    for (int minutes = 0; minutes < 8 * 60; minutes += 5) {
      device.pass(std::chrono::minutes(5));
      if (device.state() == "provisional" && former == trials) ++trials;
    }
    device.network = true;
    device.crash();  // the toy is off now and then
    device.pass(std::chrono::minutes(20));
    device.connect_hub();
    device.hour = device.device.clock.steady() + std::chrono::hours(16);
    device.pass(std::chrono::hours(16) - std::chrono::minutes(20));
  };
  device.hour = device.device.clock.steady() + std::chrono::minutes(1);
  device.want("v1.1.0");
  while (nights < 30)
    night();
  EXPECT_EQ(device.runs(), "v1.0.0");
  EXPECT_GE(trials, 4);
  EXPECT_LE(trials, 8);
  EXPECT_EQ(device.downloads, 2) << "one of each release";
  device.hour.reset();
  device.connect_hub();
  device.pass(10 * day);
  EXPECT_EQ(device.confirmed(), "v1.1.0");
}

TEST_F(UpdateFailuresTest, AReleaseThatKeepsTheHubAwayIsNotTriedAgain) {
  device.want("v1.1.0");
  device.hub_is_there = false;
  device.crash();
  device.pass(std::chrono::minutes(16));
  device.connect_hub();  // at once, with the former release
  device.pass(day);
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 reverted");
}

// ---- what runs, damaged

TEST_F(UpdateFailuresTest, WhatRunsIsReadBackAfterAStartAndMended) {
  device.device.disk.put(program(), "something else");
  device.crash();
  device.pass(Seconds(59));
  EXPECT_FALSE(device.is_whole(running()));
  device.pass(Seconds(10));
  EXPECT_TRUE(device.is_whole(running()));
  EXPECT_EQ(device.runs() + " " + device.confirmed() + " " + device.state(), "v1.0.0 v1.0.0 confirmed");
  EXPECT_EQ(device.downloads, 2);
  EXPECT_EQ(damage(), "");
  EXPECT_EQ(told(), Phase::applied);
  device.pass(day);
  EXPECT_EQ(device.downloads, 2);
}

TEST_F(UpdateFailuresTest, WhatIsDamagedStaysUntilThereIsBetter) {
  EXPECT_TRUE(device.device.disk.remove_tree(release_path(running().hash) + "/payload/VERSION"));
  device.network = false;
  device.core->check_now();
  device.pass(Seconds(10));
  EXPECT_TRUE(device.device.disk.status(program()));
  EXPECT_THAT(damage(), HasSubstr("payload/VERSION"));
  device.want("v1.0.0");  // as the hub says it in each session
  device.network = true;
  device.connect_hub();
  device.pass(Seconds(100));
  EXPECT_TRUE(device.is_whole(running()));
  EXPECT_EQ(damage() + device.state(), "confirmed");
}

// A module that writes over what it shipped with would have it mended for ever.
TEST_F(UpdateFailuresTest, WhatIsDamagedAgainAndAgainIsMendedOnceADay) {
  for (int i = 0; i < 5; ++i) {
    device.device.disk.put(program(), "something else");
    device.crash();
    device.pass(std::chrono::hours(1));
  }
  EXPECT_EQ(device.downloads, 2);
  EXPECT_THAT(damage(), HasSubstr("ear/run"));
  EXPECT_EQ(device.state(), "confirmed");
  device.pass(day);
  device.core->check_now();
  device.pass(Seconds(100));
  EXPECT_EQ(device.downloads, 3);
}

TEST_F(UpdateFailuresTest, DamageIsToldWhereAnotherReleaseIsWanted) {
  device.broken.insert("v1.1.0");
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.state(), "reverted");
  device.want(JsonObject{});
  device.device.disk.put(program(), "something else");
  device.core->check_now();
  device.pass(Seconds(100));
  EXPECT_THAT(damage(), HasSubstr("ear/run"));
  EXPECT_EQ(device.state(), "confirmed");
}

TEST_F(UpdateFailuresTest, AMendingMayEndAnywhere) {
  bool ended = true;
  for (std::uint64_t step = 1; ended; ++step) {
    SCOPED_TRACE(step);
    UpdateBench bench(step, FakeDisk::Unsynced::drawn);
    bench.publish("v1.0.0");
    bench.start();
    bench.want("v1.0.0");
    bench.pass(Seconds(100));
    const Release release = *bench.device.core->release();
    bench.device.disk.put(release_path(release.hash) + "/payload/VERSION", "x");
    bench.core->check_now();
    bench.device.disk.crash_after(step);
    bench.pass(Seconds(100));
    ended = bench.device.disk.crashed();
    if (ended) bench.power_comes_back();
    bench.pass(Seconds(200));
    EXPECT_TRUE(bench.is_whole(release));
    EXPECT_EQ(bench.confirmed() + " " + bench.state(), "v1.0.0 confirmed");
  }
}

}  // namespace
}  // namespace starling::agent
