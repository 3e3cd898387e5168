// A release that brings settings and modules along: a device has all of it, or what it had before.
#include <gmock/gmock.h>

#include "agent/update/update_bench.hpp"

namespace starling::agent {
namespace {

using protocol::Phase;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

// Runs v1.0.0 with a threshold of 0.7, confirmed.
struct TiedReleaseTest : testing::Test {
  TiedReleaseTest() { device.settle({{"hotword.threshold", 0.7}}); }
  std::string runs() const { return device.runs() + (device.has_what_was_tied() ? " whole" : " alone"); }
  const SettingsCore& settings() const { return *device.device.core; }
  bool settings_are_confirmed() const { return settings().state() == SettingsCore::State::idle; }

  // At the hour of the release, which they come with; they are not there yet.
  void begin_to_install_packages() {
    device.needs("v1.1.0", "libopus0");
    device.hour = device.device.clock.steady() + Seconds(600);
    device.want_tied("v1.1.0");
    device.pass(Seconds(599));
    device.installer_works = false;
    device.pass(Seconds(10));
  }

  UpdateBench device;
};

TEST_F(TiedReleaseTest, SwitchesAndIsConfirmedWithItsSettingsAndModules) {
  const Digest before = settings().running_hash();
  device.want_tied("v1.1.0");
  device.pass(Seconds(50));
  EXPECT_EQ(runs(), "v1.1.0 whole");
  EXPECT_FALSE(settings_are_confirmed());
  auto expected = make_update(device.device.catalog, 1, {{"hotword.threshold", 0.9}});
  EXPECT_NE(settings().running_hash(), before);
  EXPECT_EQ(settings().running_hash(), expected.hash) << "as the hub resolves it once the release runs";
  device.pass(Seconds(10));
  EXPECT_EQ(runs() + " " + device.confirmed(), "v1.1.0 whole v1.1.0");
  EXPECT_TRUE(settings_are_confirmed());
  EXPECT_EQ(device.core->section().applied, protocol::hash_of(JsonObject{{"release", "v1.1.0"}}));
  EXPECT_EQ(device.core->status().target, device.core->section().applied);
  EXPECT_EQ(device.device.file("config_override.json"),
            override_text(device.device.catalog, settings().values()));
}

TEST_F(TiedReleaseTest, GoesBackWithAllOfIt) {
  const Digest before = settings().running_hash();
  device.broken.insert("v1.1.0");
  device.want_tied("v1.1.0");
  const Digest wanted = device.core->status().target;
  device.pass(Seconds(1));
  EXPECT_NE(device.core->status().target, wanted) << "without what came along";
  device.pass(Seconds(100));
  EXPECT_EQ(runs() + " " + device.state(), "v1.0.0 alone reverted");
  EXPECT_EQ(settings().running_hash(), before);
  EXPECT_TRUE(settings_are_confirmed());
  EXPECT_EQ(device.core->section().refused, wanted) << "as it was sent";
  device.end();
  device.start();
  EXPECT_EQ(runs() + " " + device.state(), "v1.0.0 alone reverted");
}

TEST_F(TiedReleaseTest, WhatAnAgentThatDoesNotStartBroughtGoesBackToo) {
  device.want_tied("v1.1.0");
  device.pass(Seconds(1));
  for (int i = 0; i < 3; ++i)
    device.crash();
  EXPECT_EQ(runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 alone reverted agent-crashes");
}

TEST_F(TiedReleaseTest, SettingsThatDoNotWorkTakeTheReleaseBack) {
  device.want_tied("v1.1.0");
  device.device.recorder.told_verdict.failure = "module 'ear' keeps ending since they are in force";
  device.pass(Seconds(70));
  EXPECT_EQ(runs() + " " + device.state() + " " + device.fingerprint(), "v1.0.0 alone reverted settings");
  EXPECT_THAT(device.core->record().failure->message, HasSubstr("keeps ending"));
}

TEST_F(TiedReleaseTest, SettingsAreNotConfirmedBeforeTheRelease) {
  device.hub_is_there = false;
  device.want_tied("v1.1.0");
  device.pass(Seconds(300));
  EXPECT_EQ(runs(), "v1.1.0 whole");
  EXPECT_FALSE(settings_are_confirmed());
  device.pass(Seconds(700));
  EXPECT_EQ(runs() + " " + device.fingerprint(), "v1.0.0 alone no-hub");
}

TEST_F(TiedReleaseTest, IsRefusedBeforeTheSwitchIfTheDeviceDoesNotTakeItsSettings) {
  device.want_tied("v1.1.0", 7);
  device.pass(Seconds(100));
  EXPECT_EQ(runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 alone refused settings-refused");
  EXPECT_THAT(device.core->record().failure->message, HasSubstr("hotword.threshold"));
  EXPECT_EQ(device.starts, 2u) << "those of the release before";
  device.want_tied("v1.1.0");
  device.pass(Seconds(100));
  EXPECT_EQ(runs() + " " + device.state(), "v1.1.0 whole confirmed") << "it was not the release's fault";
}

TEST_F(TiedReleaseTest, ComesWithItsPackagesToo) {
  device.needs("v1.1.0", "libopus0");
  device.want_tied("v1.1.0");
  device.pass(Seconds(200));
  EXPECT_EQ(runs() + " " + device.state(), "v1.1.0 whole confirmed");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install", "keep"));
}

// It takes minutes to install them.
TEST_F(TiedReleaseTest, LooksAtItsSettingsOnceMoreWhenItsPackagesAreThere) {
  begin_to_install_packages();
  EXPECT_EQ(device.state(), "installing");
  device.want_tied("v1.1.0", 7);
  device.installer_works = true;
  device.pass(Seconds(100));
  EXPECT_EQ(runs() + " " + device.state() + " " + device.fingerprint(),
            "v1.0.0 alone refused settings-refused");
  EXPECT_THAT(device.packages_asked, ElementsAre("fetch", "install", "go_back"));
}

TEST_F(TiedReleaseTest, WaitsForSettingsThatCameWhileItsPackagesWereInstalled) {
  begin_to_install_packages();
  device.set({{"hotword.threshold", 0.6}});
  device.installer_works = true;
  device.pass(Seconds(30));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 waiting");
  EXPECT_EQ(device.packages_of, device.targets.at("v1.1.0").release.hash);
  device.pass(Seconds(200));
  EXPECT_EQ(runs() + " " + device.state(), "v1.1.0 whole confirmed");
}

TEST_F(TiedReleaseTest, WaitsForSettingsThatProveThemselves) {
  device.set({{"hotword.threshold", 0.6}});
  device.want_tied("v1.1.0");
  device.pass(Seconds(50));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 waiting");
  EXPECT_EQ(device.core->report().at("waits_for"), Json("settings that prove themselves"));
  device.pass(Seconds(100));
  EXPECT_EQ(runs() + " " + device.state(), "v1.1.0 whole confirmed");
}

TEST_F(TiedReleaseTest, WaitsForTheFilesThatItsSettingsName) {
  struct Files final : AssetPort {
    void want(const std::vector<const protocol::Assets*>& all, const DownloadPolicy&) override {
      wanted = std::ranges::any_of(all, [](const auto* some) { return some->contains("loud.tflite"); });
    }
    Standing standing(const protocol::Assets& some) const override { return {some.empty() || there, ""}; }
    bool wanted = false, there = false;
  } files;
  device.device.assets = &files;
  device.end();
  device.start();
  const JsonObject file{{"sha256", sha256("loud").hex()}, {"size", 4}};
  const JsonObject patch{{"assets", JsonObject{{"loud.tflite", file}}},
                         {"settings", JsonObject{{"hotword.models", JsonArray{"loud.tflite"}}}}};
  device.want({{"release", "v1.1.0"}, {"with", JsonObject{{"settings", patch}}}});
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 waiting");
  EXPECT_EQ(device.core->report().at("waits_for"), Json("the files of its settings"));
  EXPECT_TRUE(files.wanted);
  files.there = true;
  device.pass(Seconds(100));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 confirmed");
  EXPECT_EQ(device.device.value("hotword.models"), Json(JsonArray{"loud.tflite"}));
  EXPECT_TRUE(files.wanted) << "in force now";
}

TEST_F(TiedReleaseTest, SettingsThatComeDuringTheTrialGoBackWithIt) {
  device.broken.insert("v1.1.0");
  device.want_tied("v1.1.0");
  device.pass(Seconds(20));
  device.set({{"hotword.threshold", 0.9}, {"logger.level", "DEBUG"}});
  EXPECT_EQ(device.device.value("logger.level"), Json("DEBUG"));
  device.pass(Seconds(100));
  EXPECT_EQ(runs(), "v1.0.0 alone");
  EXPECT_EQ(device.device.value("logger.level"), Json("INFO"));
}

TEST_F(TiedReleaseTest, GoesBackWithAllOfItWhenTheFormerOneIsWantedAgain) {
  device.want_tied("v1.1.0");
  device.pass(Seconds(30));
  EXPECT_EQ(runs(), "v1.1.0 whole");
  device.want("v1.0.0");
  device.pass(Seconds(1));
  EXPECT_EQ(runs() + " " + device.state(), "v1.0.0 alone confirmed");
}

TEST_F(TiedReleaseTest, SettingsThatComeAllTheTimeDoNotKeepItOnTrial) {
  device.want_tied("v1.1.0");
  for (int i = 0; i < 25; ++i) {
    device.pass(Seconds(50));
    device.set({{"hotword.threshold", 0.9}, {"logger.level", i % 2 == 0 ? "DEBUG" : "INFO"}});
  }
  EXPECT_EQ(runs() + " " + device.state(), "v1.1.0 whole confirmed");
}

TEST_F(TiedReleaseTest, IsNotLaidOverAReleaseThatRuns) {
  device.want_tied("v1.0.0");
  device.pass(Seconds(100));
  EXPECT_EQ(runs() + " " + device.state(), "v1.0.0 alone confirmed");
  EXPECT_EQ(device.core->section().applied, protocol::hash_of(JsonObject{{"release", "v1.0.0"}}))
      << "the hub sees that it runs, and says the rest in its sections";
}

TEST_F(TiedReleaseTest, TheModulesThatItEnablesHaveToGetReady) {
  device.want_tied("v1.1.0");
  device.pass(Seconds(1));
  EXPECT_THAT(device.core->record().ready_before, Contains("mouth"));
}

TEST_F(TiedReleaseTest, ModulesThatLiveOnHearOfItsSettingsAndOfTheWayBack) {
  device.device.recorder.working = {"ear"};
  device.broken.insert("v1.1.0");
  device.want_tied("v1.1.0");
  device.pass(Seconds(1));
  EXPECT_THAT(settings().witnesses(), Contains("ear"));
  device.pass(Seconds(100));
  EXPECT_EQ(runs(), "v1.0.0 alone");
  EXPECT_THAT(settings().witnesses(), Contains("ear"));
}

TEST_F(TiedReleaseTest, TheNextReleaseIsNotTiedToWhatThisOneBrought) {
  device.want_tied("v1.1.0");
  device.pass(Seconds(100));
  device.broken.insert("v1.2.0");
  device.want("v1.2.0");
  device.pass(Seconds(20));
  device.set({{"hotword.threshold", 0.9}, {"logger.level", "DEBUG"}});
  device.pass(Seconds(200));
  EXPECT_EQ(runs() + " " + device.state(), "v1.1.0 whole reverted");
  EXPECT_EQ(device.device.value("logger.level"), Json("DEBUG")) << "settles apart";
}

}  // namespace
}  // namespace starling::agent
