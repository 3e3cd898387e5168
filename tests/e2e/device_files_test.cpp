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

// The way back, for what is damaged while it has not proved itself.
class WayBack : public DeviceFiles {
 protected:
  // What the agent does once a document has held for a minute.
  void confirm(int volume) {
    set({{"audio.volume", volume}});
    ASSERT_EQ(device.stop(), 0);
    std::filesystem::remove(device.state() / "confirmed");
    std::filesystem::create_symlink(current(), device.state() / "confirmed");
    device.start();
    fleet.await_applied();
  }
  // Of a device that is stopped. Gives the name under which it will be kept.
  std::filesystem::path damage(const std::string& bytes) {
    const std::filesystem::path generation = current();
    write_text(device.state() / generation / "document.json", bytes);
    return generation.parent_path() / ("corrupt-" + generation.filename().string());
  }
  std::filesystem::path current() { return std::filesystem::read_symlink(device.state() / "current"); }
  std::filesystem::path confirmed() { return std::filesystem::read_symlink(device.state() / "confirmed"); }
};

std::string with_another_volume(std::string document) {
  const std::string before = "\"audio.volume\":";
  return document.replace(document.find(before) + before.size(), 2, "99");
}

TEST_F(WayBack, LeadsToTheConfirmedSettingsAndFromThereToTheDesiredOnes) {
  struct Case {
    const char* damage;
    std::function<std::string(const std::string&)> done_to;
  };
  const Case cases[] = {
      {"truncated", [](const std::string& document) { return document.substr(0, document.size() / 2); }},
      {"without its end",
       [](const std::string& document) { return document.substr(0, document.size() - 2); }},
      {"empty", [](const std::string&) { return std::string(); }},
      {"another value", with_another_volume},
      {"zeros", [](const std::string& document) { return std::string(document.size(), '\0'); }},
  };
  confirm(11);
  int volume = 20;
  for (const Case& each : cases) {
    set({{"audio.volume", ++volume}});
    ASSERT_EQ(device.stop(), 0);
    ASSERT_NE(current(), confirmed());
    const std::string damaged = each.done_to(read_text(device.state() / "current" / "document.json"));
    const std::filesystem::path aside = damage(damaged);

    device.start_without_hub();
    ASSERT_EQ(device.stop(), 0) << each.damage << device.log();
    EXPECT_EQ(device.overrides().at("AUDIO_VOLUME"), Json(11)) << each.damage;
    EXPECT_EQ(current(), confirmed()) << each.damage;
    EXPECT_EQ(read_text(device.state() / aside / "document.json"), damaged) << each.damage;
    EXPECT_THAT(device.log(), HasSubstr("kept as " + aside.string())) << each.damage;

    device.start();
    fleet.await_applied();
    EXPECT_EQ(device.overrides().at("AUDIO_VOLUME"), Json(volume)) << each.damage;
  }
}

// Here the hub wants what is confirmed, so that the drift stands until something else is wanted.
TEST_F(WayBack, IsShownAsDriftAtTheHubUntilNewSettingsCome) {
  confirm(11);
  set({{"audio.volume", 22}});
  ASSERT_EQ(device.stop(), 0);
  fleet.hub().call("PUT", "/api/v1/settings", JsonObject{{"values", JsonObject{{"audio.volume", 11}}}});
  const std::filesystem::path aside = damage("{}");

  device.start();
  fleet.await_status("nursery", "drifted");
  EXPECT_THAT(reported(), HasSubstr("corruption"));
  EXPECT_THAT(reported(), HasSubstr("kept as " + aside.string()));
  EXPECT_EQ(device.overrides().at("AUDIO_VOLUME"), Json(11));
  EXPECT_EQ(current(), confirmed());

  set({{"audio.volume", 33}});
  EXPECT_EQ(device.overrides().at("AUDIO_VOLUME"), Json(33));
  eventually("the drift to be over", [&] { return reported().find("corruption") == std::string::npos; });
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
  eventually("the hub to be told", [&] { return reported().find("put_right") != std::string::npos; });
  EXPECT_THAT(reported(), HasSubstr("local_edit"));
  fleet.await_applied();        // and not as one that drifts
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
