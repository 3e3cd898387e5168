// One change reaches every device: applied, persisted, reported; also by those that were away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/build_folders.hpp"
#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;

Json example_personas() {
  return *parse_json(read_text(source_folder() / "examples/personas.json"));
}

const Json tars_models = JsonArray{"Hey_Tars.tflite", "Tars.tflite"};

class PersonaSwitch : public testing::Test {
 protected:
  void SetUp() override { fleet.hub().call("POST", "/api/v1/personas/import", example_personas()); }

  void switch_to(const std::string& persona, const Json& target = JsonObject{{"fleet", true}}) {
    fleet.hub().call("POST", "/api/v1/personas/" + persona + "/switch", JsonObject{{"target", target}});
  }

  Fleet fleet{{"kitchen", "nursery", "lab"}};
};

TEST_F(PersonaSwitch, ReachesEveryDeviceAndTakesFormerValuesAway) {
  switch_to("TARS");
  fleet.await_applied();
  for (const auto* name : {"kitchen", "nursery", "lab"}) {
    EXPECT_EQ(fleet.device(name).overrides().at("HOTWORD_MODELS"), tars_models) << name;
    const Json device = fleet.hub().device(name);
    EXPECT_EQ(device.at("persona").at("running"), Json("TARS")) << name;
  }

  switch_to("Plain");  // it has no pi_config
  fleet.await_applied();
  for (const auto* name : {"kitchen", "nursery", "lab"}) {
    EXPECT_FALSE(fleet.device(name).overrides().contains("HOTWORD_MODELS")) << name;
    EXPECT_EQ(fleet.hub().device(name).at("persona").at("running"), Json("Plain")) << name;
  }
}

// The document is one that the hub has sent before, under an older revision.
TEST_F(PersonaSwitch, ToNoneGoesBackToWhatWasBefore) {
  const JsonObject before = fleet.device("lab").overrides();
  switch_to("TARS");
  fleet.await_applied();
  ASSERT_NE(fleet.device("lab").overrides(), before);
  switch_to("none");
  fleet.await_applied();
  EXPECT_EQ(fleet.device("lab").overrides(), before);
}

TEST_F(PersonaSwitch, OfOneDeviceLeavesTheOthersAlone) {
  switch_to("TARS", JsonObject{{"device", "nursery"}});
  fleet.await_applied();
  EXPECT_TRUE(fleet.device("nursery").overrides().contains("HOTWORD_MODELS"));
  EXPECT_FALSE(fleet.device("kitchen").overrides().contains("HOTWORD_MODELS"));
}

TEST_F(PersonaSwitch, IsCaughtUpByADeviceThatWasAway) {
  EXPECT_EQ(fleet.device("lab").stop(), 0);
  switch_to("TARS");
  switch_to("Luna");
  fleet.device("lab").start();
  fleet.await_applied("lab");
  EXPECT_EQ(fleet.device("lab").overrides().at("HOTWORD_PHRASE"), Json("hello luna"));
}

TEST_F(PersonaSwitch, SurvivesARestartOfTheHub) {
  switch_to("TARS");
  fleet.await_applied();
  EXPECT_EQ(fleet.hub().stop(), 0);
  fleet.hub().start();
  fleet.await_applied();
  switch_to("Luna");
  fleet.await_applied();
  EXPECT_EQ(fleet.device("kitchen").overrides().at("HOTWORD_PHRASE"), Json("hello luna"));
}

TEST_F(PersonaSwitch, OfAnUnknownPersonaOrSettingIsAClearError) {
  const Reply unknown = fleet.hub().ask("POST", "/api/v1/personas/HAL/switch", JsonObject{});
  EXPECT_EQ(unknown.status, 404);
  EXPECT_THAT(unknown.body, HasSubstr("HAL"));

  const auto before = fleet.hub().head();
  const Json wrong = JsonObject{
      {"HAL", JsonObject{{"voice_id", "hal"}, {"pi_config", JsonObject{{"HOTWORD_MODEL", JsonArray{}}}}}}};
  const Reply refused = fleet.hub().ask("POST", "/api/v1/personas/import", wrong);
  EXPECT_EQ(refused.status, 422);
  EXPECT_THAT(refused.body, HasSubstr("HAL"));
  EXPECT_THAT(refused.body, HasSubstr("HOTWORD_MODEL"));
  EXPECT_EQ(fleet.hub().head(), before);
}

TEST_F(PersonaSwitch, ByCommandLineWaitsUntilEveryDeviceHasAnswered) {
  const Finished switched = fleet.hub().command({"persona", "switch", "TARS", "--wait"});
  EXPECT_EQ(switched.status, 0) << switched.output;
  EXPECT_EQ(fleet.device("lab").overrides().at("HOTWORD_MODELS"), tars_models);
}

}  // namespace
}  // namespace starling::e2e
