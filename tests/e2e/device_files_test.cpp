// What happens to a device's files behind its back is noticed, put right and told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;

class DeviceFiles : public testing::Test {
 protected:
  void set(const JsonObject& values) {
    fleet.hub().call("PUT", "/api/v1/settings", JsonObject{{"values", values}});
    fleet.await_applied();
  }
  std::string reported() { return boost::json::serialize(fleet.hub().device("nursery")); }

  Fleet fleet{{"nursery"}};
  AgentProcess& device = fleet.device("nursery");
};

TEST_F(DeviceFiles, ATornGenerationIsKeptAsideAndReportedAsDrift) {
  set({{"audio.volume", 33}});
  device.kill();
  const std::filesystem::path document = device.state() / "current" / "document.json";
  const std::string text = read_text(document);
  ASSERT_THAT(text, HasSubstr("33"));
  write_text(document, text.substr(0, text.size() / 2));

  device.start();
  eventually("the drift to be reported", [&] { return reported().find("corrupt") != std::string::npos; });
  fleet.await_applied();  // the hub has sent the whole document again
  EXPECT_EQ(device.overrides().at("AUDIO_VOLUME"), Json(33));
  bool kept = false;
  for (const auto& entry : std::filesystem::directory_iterator(device.state() / "generations")) {
    kept |= entry.path().filename().string().starts_with("corrupt");
  }
  EXPECT_TRUE(kept);
}

TEST_F(DeviceFiles, AnEditOfTheOverrideFileBecomesAProposal) {
  set({{"audio.volume", 33}});
  ASSERT_EQ(device.stop(), 0);
  JsonObject edited = device.overrides();
  edited["AUDIO_VOLUME"] = 44;
  write_text(device.state() / "config_override.json", boost::json::serialize(edited));

  device.start();
  eventually("the hub to take it over", [&] {
    const Json explained =
        fleet.hub().call("GET", "/api/v1/settings/explain?device=nursery&key=AUDIO_VOLUME");
    return explained.at("effective") == Json(44);
  });
  fleet.await_applied();
  EXPECT_EQ(device.overrides().at("AUDIO_VOLUME"), Json(44));
}

TEST_F(DeviceFiles, AnEditThatIsNoJsonIsKeptAsideAndTheSettingsStand) {
  set({{"audio.volume", 33}});
  ASSERT_EQ(device.stop(), 0);
  write_text(device.state() / "config_override.json", "{ AUDIO_VOLUME: 44");
  device.start();
  eventually("the file to be put right", [&] {
    return read_text(device.state() / "config_override.rejected.json") == "{ AUDIO_VOLUME: 44" &&
           read_text(device.state() / "config_override.json").find("33") != std::string::npos;
  });
  fleet.await_status("nursery", "drifted");
  EXPECT_THAT(reported(), HasSubstr("local_edit"));
  set({{"audio.volume", 34}});  // the next document leaves it behind
  EXPECT_EQ(device.overrides().at("AUDIO_VOLUME"), Json(34));
}

TEST_F(DeviceFiles, ALostTokenIsIssuedAnewOnProofOfTheKey) {
  ASSERT_EQ(device.stop(), 0);
  const std::string token = read_text(device.state() / "token");
  std::filesystem::remove(device.state() / "token");
  device.start();
  eventually("a new token", [&] {
    const std::string now = read_text(device.state() / "token");
    return !now.empty() && now != token;
  });
  fleet.await_applied();
  EXPECT_EQ(fleet.hub().call("GET", "/api/v1/devices").at("items").as_array().size(), 1u);
}

}  // namespace
}  // namespace starling::e2e
