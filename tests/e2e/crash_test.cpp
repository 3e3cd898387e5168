// Killed at any point: the hub loses no acknowledged change, a device starts with the old or the new
// settings.
#include <gtest/gtest.h>

#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

// Writes a growing volume to one group after another until the hub is gone; gives the last acknowledged
// values.
class Writer {
 public:
  Writer(const HubProcess& hub, int number) : hub_(hub), group_("writer=" + std::to_string(number)) {}

  void write_until_the_hub_dies() {
    for (int value = 0;; ++value) {
      try {
        const Json answer =
            hub_.call("PUT", "/api/v1/settings",
                      JsonObject{{"values", JsonObject{{"hotword.cooldown", value}}}, {"target", target()}});
        revision_ = answer.at("revision").as_int64();
        acknowledged_ = value;
      } catch (const std::runtime_error&) {
        return;
      }
    }
  }

  JsonObject target() const { return {{"selector", group_}}; }
  const std::string& layer() const { return group_; }
  int acknowledged() const { return acknowledged_; }
  std::int64_t revision() const { return revision_; }

 private:
  const HubProcess& hub_;
  std::string group_;
  int acknowledged_ = -1;
  std::int64_t revision_ = 0;
};

TEST(Crash, OfTheHubUnderLoadLosesNoAcknowledgedChange) {
  TemporaryFolder folder;
  HubProcess hub(folder.path());
  hub.start();
  for (int round = 0; round < 5; ++round) {
    std::vector<Writer> writers;
    for (int i = 0; i < 4; ++i)
      writers.emplace_back(hub, i);
    const std::int64_t before = hub.head();
    {
      std::vector<std::jthread> threads;
      for (auto& writer : writers)
        threads.emplace_back([&writer] { writer.write_until_the_hub_dies(); });
      eventually("some changes", [&] { return hub.head() > before + 40; });
      hub.kill();
    }
    hub.start();
    for (const auto& writer : writers) {
      EXPECT_LE(writer.revision(), hub.head()) << "round " << round;
      const Json entries = hub.call("GET", "/api/v1/settings?layer=group:" + writer.layer());
      ASSERT_EQ(entries.at("items").as_array().size(), 1u) << boost::json::serialize(entries);
      // A change that was committed but not answered any more may be there as well.
      EXPECT_GE(entries.at("items").at(0).at("value").as_int64(), writer.acknowledged()) << "round " << round;
    }
  }
  // The log has no gap.
  std::int64_t expected = 1;
  while (expected <= hub.head()) {
    const Json page = hub.call("GET", "/api/v1/changes?limit=1000&since=" + std::to_string(expected - 1));
    for (const Json& change : page.at("items").as_array()) {
      ASSERT_EQ(change.at("revision").as_int64(), expected++);
    }
  }
}

// Two settings that only ever change together: reading one of the old and one of the new is a mixture.
TEST(Crash, OfADeviceAtAnyPointLeavesOldOrNewSettings) {
  Fleet fleet({"nursery"});
  AgentProcess& device = fleet.device("nursery");
  fleet.hub().call("PUT", "/api/v1/settings",
                   JsonObject{{"values", JsonObject{{"hotword.cooldown", 0}, {"audio.volume", 0}}}});
  eventually("the first settings", [&] { return device.overrides().contains("AUDIO_VOLUME"); });
  std::mt19937 random(20'261'120);  // NOLINT: the same in every run
  std::uniform_int_distribution<int> microseconds(0, 30'000);
  for (int round = 1; round <= 25; ++round) {
    fleet.hub().call(
        "PUT", "/api/v1/settings",
        JsonObject{{"values", JsonObject{{"hotword.cooldown", round}, {"audio.volume", round}}}});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds(random));
    while (std::chrono::steady_clock::now() < deadline)
      std::this_thread::yield();
    device.kill();

    // Alone, it shows what it starts with; a clean end means that it had started.
    device.start_without_hub();
    ASSERT_EQ(device.stop(), 0) << device.log();
    const JsonObject alone = device.overrides();
    EXPECT_EQ(alone.at("HOTWORD_COOLDOWN"), alone.at("AUDIO_VOLUME")) << "a mixture, round " << round;
    EXPECT_GE(alone.at("AUDIO_VOLUME").as_int64(), round - 1) << "older than what was in force";

    device.start();
    eventually("it to catch up", [&] { return device.overrides()["AUDIO_VOLUME"] == Json(round); });
    EXPECT_EQ(device.overrides().at("HOTWORD_COOLDOWN"), Json(round));
  }
}

TEST(Crash, OfADeviceWithoutAHubStartsFromItsFile) {
  Fleet fleet({"nursery"});
  fleet.hub().call("PUT", "/api/v1/settings", JsonObject{{"values", JsonObject{{"audio.volume", 11}}}});
  fleet.await_applied();
  fleet.hub().kill();
  fleet.device("nursery").kill();
  fleet.device("nursery").start_without_hub();
  EXPECT_EQ(fleet.device("nursery").stop(), 0);
  EXPECT_EQ(fleet.device("nursery").overrides().at("AUDIO_VOLUME"), Json(11));
}

}  // namespace
}  // namespace starling::e2e
