#include "agent/update/update_core.hpp"

#include <gmock/gmock.h>

#include "agent/update/update_bench.hpp"

namespace starling::agent {
namespace {

using protocol::Phase;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

// Runs v1.0.0, confirmed; v1.1.0 and v1.2.0 can be had.
struct UpdateCoreTest : testing::Test {
  UpdateCoreTest() { device.settle(); }
  Phase told() const { return device.device.recorder.last_status.phase; }
  std::vector<std::string> on_disk() { return *device.device.disk.list("releases"); }
  std::string hash(const std::string& version) const { return device.targets.at(version).release.hash.hex(); }

  UpdateBench device;
};

TEST_F(UpdateCoreTest, AReleaseIsOnTrialForAMinute) {
  device.want("v1.1.0");
  device.pass(Seconds(50));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.0.0");
  EXPECT_EQ(device.state(), "provisional");
  EXPECT_EQ(told(), Phase::provisional);
  device.pass(Seconds(10));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.1.0");
  EXPECT_EQ(device.state(), "confirmed");
  EXPECT_EQ(told(), Phase::applied);
  EXPECT_EQ(device.core->section().applied, protocol::hash_of(JsonObject{{"release", "v1.1.0"}}));
  EXPECT_FALSE(device.core->section().refused);
}

TEST_F(UpdateCoreTest, AMendedReleaseIsFoundByItself) {
  device.publish_tar("v1.1.0", tar_of(release_parts("v1.1.1")));
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.state() + " " + device.fingerprint(), "refused bad-release");
  EXPECT_EQ(told(), Phase::refused);
  EXPECT_THAT(on_disk(), ElementsAre(hash("v1.0.0")));
  device.publish("v1.1.0");
  device.pass(std::chrono::hours(7));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.1.0");
}

TEST_F(UpdateCoreTest, WithoutNetworkItWaitsLongerEachTime) {
  device.network = false;
  device.want("v1.1.0");
  device.pass(day);
  EXPECT_EQ(device.state() + " " + device.fingerprint(), "pending release-not-found:unavailable");
  EXPECT_EQ(told(), Phase::staging);
  EXPECT_LT(device.lookups, 20);
  device.network = true;
  device.connect_hub();  // does not wait for its pause to end
  device.pass(Seconds(100));
  EXPECT_EQ(device.state(), "confirmed");
}

TEST_F(UpdateCoreTest, WhatIsServedWronglyIsNotTakenAndAskedForRarely) {
  device.tampered = std::string(5000, 'x');
  device.want("v1.1.0");
  device.pass(day);
  EXPECT_EQ(device.runs(), "v1.0.0");
  EXPECT_EQ(device.fingerprint(), "download:corrupted");
  EXPECT_LT(device.downloads, 20);
  device.tampered = std::string(1u << 20, 'x');
  device.pass(day);
  device.tampered.reset();
  device.pass(day);
  EXPECT_EQ(device.runs(), "v1.1.0");
}

TEST_F(UpdateCoreTest, WhereNoReleaseCanBeTrustedItSaysSo) {
  device.trusting = false;
  device.want("v1.1.0");
  EXPECT_EQ(told(), Phase::refused);
  EXPECT_THAT(device.device.recorder.last_status.errors[0].message, HasSubstr("no root"));
  EXPECT_EQ(device.fingerprint(), "no-trust");
  EXPECT_EQ(device.runs(), "v1.0.0");
  EXPECT_EQ(device.lookups, 1) << "it is not looked for";
  device.trusting = true;
  device.end();
  device.start();
  device.pass(Seconds(100));
  EXPECT_EQ(device.confirmed(), "v1.1.0");
}

TEST_F(UpdateCoreTest, ItWaitsForItsHourWithAllThere) {
  device.hour = device.device.clock.steady() + std::chrono::hours(5);
  device.want("v1.1.0");
  device.pass(std::chrono::hours(4));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 waiting");
  EXPECT_EQ(device.core->report().at("waits_for").as_string(), "its hour");
  const WallTime hour = device.device.clock.wall() + std::chrono::hours(1);
  EXPECT_EQ(device.core->report().at("switches_at_ms"), Json(hour.time_since_epoch().count()));
  device.network = device.hub_is_there = false;
  device.crash();  // and goes on without asking anybody
  EXPECT_EQ(device.state(), "installing");
  device.pass(std::chrono::hours(1));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 provisional");
}

TEST_F(UpdateCoreTest, RightAfterAStartNothingIsSwitched) {
  device.modules_get_up = true;
  device.crash();
  device.want("v1.1.0");
  device.pass(Seconds(50));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 waiting");
  EXPECT_EQ(device.core->report().at("waits_for").as_string(), "modules that get up");
  EXPECT_FALSE(device.core->report().contains("switches_at_ms")) << "nobody knows";
  device.pass(Seconds(15));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 provisional");
}

TEST_F(UpdateCoreTest, TrialStartsAreCounted) {
  device.counts = {2, 4};  // before it
  device.crash();
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.crash();
  device.crash();
  EXPECT_EQ(device.runs(), "v1.1.0");
  device.crash();
  device.pass(Seconds(0));
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 reverted agent-crashes");

  device.want("v1.2.0");
  device.pass(Seconds(10));
  for (int i = 0; i < 4; ++i) {
    device.device.disk.crash_now();
    device.power_comes_back();
  }
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.2.0 provisional");
  device.device.disk.crash_now();
  device.power_comes_back();
  EXPECT_EQ(device.runs() + " " + device.fingerprint(), "v1.0.0 power-cuts");
}

TEST_F(UpdateCoreTest, AModuleThatDiedHasToLiveForAsLongAgain) {
  device.want("v1.1.0");
  device.pass(Seconds(30));
  device.modules.deaths = 1;
  device.pass(Seconds(60));
  EXPECT_EQ(device.state(), "provisional");
  device.modules.deaths = 2;
  device.pass(Seconds(60));
  EXPECT_EQ(device.state(), "provisional");
  device.pass(Seconds(60));
  EXPECT_EQ(device.confirmed() + " " + device.state(), "v1.1.0 confirmed");
}

TEST_F(UpdateCoreTest, AModuleThatWaitsForEverEndsTheTrial) {
  device.modules = {.over = false, .waits_for = "module 'ear' waits for memory", .failure = ""};
  device.want("v1.1.0");
  device.pass(std::chrono::minutes(14));
  EXPECT_EQ(device.state(), "provisional");
  device.hub_is_there = false;
  device.pass(std::chrono::minutes(2));
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(), "v1.0.0 reverted modules");
  EXPECT_EQ(device.core->record().failure->message, "module 'ear' waits for memory");
}

TEST_F(UpdateCoreTest, ATrialDoesNotLastForEver) {
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.hub_is_there = false;
  for (int i = 0; i < 15; ++i) {
    device.crash();
    device.counts = {};  // it was well for a while, so the keeper begins anew
    device.pass(Seconds(90));
  }
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 provisional");
  for (int i = 0; i < 6; ++i) {
    device.crash();
    device.counts = {};
    device.pass(Seconds(90));
  }
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 reverted agent-starts");
}

// As an agent that ends before it has read anything.
TEST_F(UpdateCoreTest, TheGuardGoesBackForAnAgentThatCannot) {
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.end();
  const auto choose = [&] {
    const auto chosen = choose_release(device.device.disk, device.device.clock, device.counts, Logger());
    return chosen && *chosen ? (*chosen)->version : "none";
  };
  for (device.counts.crashes = 0; device.counts.crashes < 3; ++device.counts.crashes)
    EXPECT_EQ(choose(), "v1.1.0");
  EXPECT_EQ(choose(), "v1.0.0");
  EXPECT_EQ(choose(), "v1.0.0");
  device.start();
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 reverted agent-crashes");
  device.pass(day);
  EXPECT_EQ(device.runs(), "v1.0.0");
}

// As one that ends with 0 each time, hangs, or runs without a keeper.
TEST_F(UpdateCoreTest, TheGuardCountsStartsThatNobodyElseCounts) {
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.end();
  SettingsBench& bench = device.device;
  for (std::int64_t i = peek_update_record(bench.disk)->trial_starts; i < StartLimits{}.starts; ++i) {
    const auto chosen = choose_release(bench.disk, bench.clock, device.counts, Logger());
    EXPECT_EQ(chosen.value()->version, "v1.1.0");
  }
  EXPECT_EQ(choose_release(bench.disk, bench.clock, device.counts, Logger()).value()->version, "v1.0.0");
  device.start();
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 reverted agent-starts");
  EXPECT_EQ(device.core->record().bad.size(), 1u);
}

TEST_F(UpdateCoreTest, WhereAStartCannotBeCountedTheGuardGoesBackAndItIsTriedAgainLater) {
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.end();
  SettingsBench& bench = device.device;
  bench.disk.make_fail("update.json.new", ErrorCode::io);
  EXPECT_EQ(choose_release(bench.disk, bench.clock, device.counts, Logger()).value()->version, "v1.0.0");
  bench.disk.mend();
  device.start();
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 reverted agent-did-not-start");
  device.pass(day);
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.1.0");
}

TEST_F(UpdateCoreTest, TheGuardGoesBackWhereAnAgentCannotBeExecuted) {
  SettingsBench& bench = device.device;
  ASSERT_TRUE(give_up_release(bench.disk, bench.clock, "not for this machine", Logger()));
  EXPECT_EQ(device.runs(), "v1.0.0") << "nothing to go back to";
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.end();
  ASSERT_TRUE(give_up_release(bench.disk, bench.clock, "not for this machine", Logger()));
  device.start();
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 reverted agent-cannot-run");
}

TEST_F(UpdateCoreTest, TheGuardMayEndAnywhere) {
  bool ended = true;
  for (std::uint64_t step = 1; ended; ++step) {
    SCOPED_TRACE(step);
    UpdateBench bench(step, FakeDisk::Unsynced::drawn);
    bench.publish("v1.0.0");
    bench.publish("v1.1.0");
    bench.start();
    for (const char* version : {"v1.0.0", "v1.1.0"}) {
      bench.want(version);
      bench.pass(Seconds(bench.runs() == "none" ? 100 : 10));
    }
    bench.end();
    bench.counts.crashes = 3;
    bench.device.disk.crash_after(step);
    const auto chosen = choose_release(bench.device.disk, bench.device.clock, bench.counts, Logger());
    ended = bench.device.disk.crashed();
    bench.power_comes_back();
    EXPECT_EQ(bench.runs() + " " + bench.state(), "v1.0.0 reverted");
    EXPECT_TRUE(bench.device.core->drift().empty());
  }
}

TEST(StartCounts, AreReadFromWhatTheKeeperWrites) {
  const StartCounts counts{3, 2};
  EXPECT_EQ(parse_start_counts("starts=7\ncrashes=3\nunrecorded=2\nrunning=1\n"), counts);
  EXPECT_EQ(parse_start_counts(""), StartCounts());
  EXPECT_EQ(parse_start_counts("crashes=x\nunrecorded=99999999999"), StartCounts());
}

TEST_F(UpdateCoreTest, ANewerOneIsTakenWhenTheTrialIsOver) {
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.want("v1.2.0");
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 provisional");
  device.pass(Seconds(200));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.2.0 v1.2.0");
}

TEST_F(UpdateCoreTest, OldReleasesGoAndOneMoreThanNeededStays) {
  for (const char* version : {"v1.1.0", "v1.2.0"}) {
    device.want(version);
    device.pass(Seconds(100));
  }
  EXPECT_THAT(on_disk(), UnorderedElementsAre(hash("v1.1.0"), hash("v1.2.0")));
  device.publish("v1.3.0", "3");
  device.want("v1.3.0");
  device.pass(Seconds(10));
  EXPECT_THAT(on_disk(), testing::IsSupersetOf({hash("v1.2.0"), hash("v1.3.0")}));
  device.pass(Seconds(100));
  EXPECT_THAT(on_disk(), UnorderedElementsAre(hash("v1.2.0"), hash("v1.3.0")));
}

TEST(UpdateCore, OnAFullDiskADeviceWithoutAReleaseStarts) {
  UpdateBench device;
  device.publish("v1.0.0");
  ASSERT_TRUE(device.device.restart());  // what settings take is there
  device.device.disk.full_after(0);
  device.start();
  EXPECT_EQ(device.runs() + " " + device.state(), "none confirmed");
  device.want("v1.0.0");
  device.device.disk.make_room();
  device.pass(day);
  EXPECT_EQ(device.confirmed(), "v1.0.0");
}

TEST_F(UpdateCoreTest, ASectionThatAFullDiskDoesNotTakeIsTakenAsSoonAsThereIsRoom) {
  for (int writes = 0; writes < 4; ++writes) {
    SCOPED_TRACE(writes);
    const JsonObject section{{"release", "v1.0.0"}, {"x", writes}};
    device.device.disk.full_after(static_cast<std::uint64_t>(writes));
    device.want(section);
    EXPECT_NE(device.core->section().applied, protocol::hash_of(section));
    device.pass(disk_retry);
    device.device.disk.make_room();
    device.pass(disk_retry);
    EXPECT_EQ(device.core->section().applied, protocol::hash_of(section));
    EXPECT_EQ(told(), Phase::applied);
  }
}

TEST_F(UpdateCoreTest, TheDiskHasToHaveRoomForItAndForTheWayBack) {
  device.device.disk.set_free_bytes(UpdateOptions{}.reserve_bytes + 10'000);
  device.want("v1.1.0");
  device.pass(Seconds(200));
  EXPECT_EQ(device.state() + " " + device.fingerprint(), "pending disk-full");
  EXPECT_EQ(device.downloads, 1);
  device.device.disk.set_free_bytes(UpdateOptions{}.reserve_bytes + 100'000);
  device.pass(day);
  EXPECT_EQ(device.runs(), "v1.1.0");
}

TEST_F(UpdateCoreTest, AnOlderOneHasToBeSignedAsOneToGoBackTo) {
  device.publish("v0.9.0");
  device.want("v0.9.0");
  device.pass(day);
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 refused not-for-this-device");
  device.targets["v0.9.0"].custom["allow_downgrade"] = true;
  device.pass(day);
  EXPECT_EQ(device.runs(), "v0.9.0");
}

TEST_F(UpdateCoreTest, ItMayGoBackToWhatItHadConfirmedAndToNothingElseOfThatVersion) {
  device.want("v1.1.0");
  device.pass(Seconds(100));
  device.want("v1.0.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.0.0 v1.0.0");
  device.want("v1.1.0");
  device.pass(Seconds(100));
  device.publish("v1.0.0", "another");
  device.want("v1.0.0");
  device.pass(day);
  EXPECT_EQ(device.runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.1.0 refused not-for-this-device");
}

TEST_F(UpdateCoreTest, OneOnTrialIsLeftAtOnceWhenTheFormerIsWantedAgainAndMayComeAgain) {
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.want("v1.0.0");
  device.pass(Seconds(0));
  EXPECT_EQ(device.runs() + " " + device.confirmed() + " " + device.state(), "v1.0.0 v1.0.0 confirmed");
  EXPECT_EQ(told(), Phase::applied);
  EXPECT_TRUE(device.core->record().bad.empty());
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.confirmed(), "v1.1.0");
}

TEST(UpdateCore, TheFirstReleaseIsLeftAtOnceWhenNoneIsWantedAnyMore) {
  UpdateBench device;
  device.publish("v1.0.0");
  device.start();
  device.want("v1.0.0");
  device.pass(Seconds(10));
  device.want(JsonObject{});
  device.pass(Seconds(0));
  EXPECT_EQ(device.runs() + " " + device.state(), "none confirmed");
}

TEST_F(UpdateCoreTest, TheSameVersionAsSignedIsNothingNew) {
  const int lookups = device.lookups;
  device.want(JsonObject{{"release", "v1.0.0"}, {"later", 1}});
  EXPECT_EQ(device.core->section().applied,
            protocol::hash_of(JsonObject{{"release", "v1.0.0"}, {"later", 1}}));
  device.want(JsonObject{});
  EXPECT_EQ(device.core->section().applied, protocol::hash_of(JsonObject{}));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 confirmed");
  EXPECT_EQ(device.lookups, lookups);
}

TEST_F(UpdateCoreTest, ASectionThatCannotBeReadIsRefused) {
  for (const JsonObject& section :
       {JsonObject{{"release", 1}}, JsonObject{{"release", "1.0.0"}}, JsonObject{{"release", "v1/../../x"}},
        JsonObject{{"release", ""}}, JsonObject{{"release", "v" + std::string(100, '1')}},
        JsonObject{{"release", "v1.1.0"}, {"x", std::string(600'000, 'x')}}}) {
    device.want(section);
    EXPECT_EQ(told(), Phase::refused);
    EXPECT_EQ(device.state(), "confirmed");
  }
  protocol::ConfigUpdate update;
  update.section = protocol::Section::software;
  update.payload = JsonObject{{"release", "v1.1.0"}};
  update.hash = sha256("something else");
  device.core->offer(update);
  EXPECT_EQ(told(), Phase::refused);
  update.base = update.hash;
  device.device.recorder.said.clear();
  device.core->offer(update);
  EXPECT_THAT(device.device.recorder.said, ElementsAre("section needed"));
  update.base = device.core->section().applied;
  update.hash = protocol::hash_of(update.payload);
  device.core->offer(update);
  EXPECT_EQ(device.state(), "pending");
}

TEST_F(UpdateCoreTest, WithADamagedRecordNoTrialGoesOnAndAnotherMayBegin) {
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.device.disk.put("update.json", "{");
  device.crash();
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 confirmed") << "no start would be counted";
  EXPECT_EQ(device.device.core->drift().size(), 1u);
  device.want("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.1.0");
}

TEST_F(UpdateCoreTest, GoingBackKeepsWhatModulesAndSettingsHaveBecome) {
  device.broken.insert("v1.1.0");
  device.want("v1.1.0");
  device.pass(Seconds(10));
  const JsonObject modules{{"ear", JsonObject{{"enabled", true}}}};
  ASSERT_TRUE(device.device.core->put_modules(modules, {}));
  device.set({{"hotword.threshold", 0.9}});
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.0.0 v1.0.0");
  device.crash();
  EXPECT_EQ(device.device.core->modules(), modules);
  EXPECT_EQ(device.device.value("hotword.threshold"), Json(0.9));
  EXPECT_EQ(device.runs(), "v1.0.0");
}

TEST_F(UpdateCoreTest, SettingsAreConfirmedAndTakenBackApartFromTheRelease) {
  device.want("v1.1.0");
  device.hub_is_there = false;  // the trial lasts
  device.crash();
  device.set({{"hotword.threshold", 0.9}});
  device.pass(Seconds(100));
  EXPECT_EQ(device.device.core->state(), SettingsCore::State::idle);
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.0.0");
  device.set({{"hotword.threshold", 0.1}});
  device.device.core->unhealthy("test");
  EXPECT_EQ(device.device.value("hotword.threshold"), Json(0.9));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.0.0");
  device.crash();
  EXPECT_EQ(device.device.value("hotword.threshold"), Json(0.9));
  EXPECT_EQ(device.device.core->state(), SettingsCore::State::idle);
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.0.0");
  device.connect_hub();
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.1.0");
}

// Whatever becomes of the release: taken back are the settings, and they stay so.
TEST(UpdateCore, SettingsThatWereTakenBackDuringATrialStayRefused) {
  for (const bool works : {true, false}) {
    SCOPED_TRACE(works);
    UpdateBench device;
    device.publish("v1.0.0", "0");
    device.publish("v1.1.0", "1");
    if (!works) device.broken.insert("v1.1.0");
    device.start();
    device.set({{"hotword.threshold", 0.7}});
    device.want("v1.0.0");
    device.pass(Seconds(200));
    device.want("v1.1.0");
    device.pass(Seconds(10));
    device.set({{"hotword.threshold", 0.9}});
    device.device.core->unhealthy("test");
    for (const char* const runs : {"v1.1.0", works ? "v1.1.0" : "v1.0.0"}) {
      device.crash();
      EXPECT_EQ(device.runs(), runs);
      EXPECT_EQ(device.device.value("hotword.threshold"), Json(0.7));
      EXPECT_EQ(device.device.core->state(), SettingsCore::State::idle);
      EXPECT_EQ(device.device.core->status().phase, Phase::reverted);
      EXPECT_TRUE(device.device.core->sections()[0].refused);
      device.pass(Seconds(200));
    }
    EXPECT_EQ(device.confirmed(), device.runs());
  }
}

TEST_F(UpdateCoreTest, OnAFullDiskSettingsAreTakenBackWithoutTheReleaseThatIsOnTrial) {
  device.set({{"hotword.threshold", 0.7}});
  device.pass(Seconds(100));
  device.want("v1.1.0");
  device.pass(Seconds(10));
  device.set({{"hotword.threshold", 0.9}});
  device.device.disk.full_after(0);
  device.device.core->unhealthy("test");
  EXPECT_EQ(device.device.value("hotword.threshold"), Json(0.7));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.0.0");
  device.device.disk.make_room();
  device.pass(disk_retry);
  device.crash();
  EXPECT_EQ(device.device.value("hotword.threshold"), Json(0.7));
  EXPECT_EQ(device.runs() + " " + device.confirmed(), "v1.1.0 v1.0.0");
}

}  // namespace
}  // namespace starling::agent
