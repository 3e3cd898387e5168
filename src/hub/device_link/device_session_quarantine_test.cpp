// What a device refuses of its settings stays as it was there; everything else still reaches it.
#include "hub/device_link/device_problems.hpp"
#include "hub/device_link/link_fixture.hpp"

namespace starling::hub {
namespace {

using protocol::ConfigUpdate;
using protocol::Phase;
using protocol::Section;

class DeviceQuarantineTest : public LinkFixture {
 protected:
  DeviceQuarantineTest() : device(add_device()) {
    device.cursor.hub_generation = hub.changes().generation();
    apply(device, only<ConfigUpdate>(join(device)).at(0));
  }

  ConfigUpdate offered() {
    auto updates = device.peer.take_all<ConfigUpdate>();
    EXPECT_EQ(updates.size(), 1u);
    return updates.empty() ? ConfigUpdate{} : updates.back();
  }
  void refuse(const ConfigUpdate& update, std::vector<protocol::KeyError> errors) {
    device.refused = update.hash;
    say(device, protocol::ConfigStatus{Section::settings, update.hash, 1, device.applied, Phase::refused,
                                       std::move(errors)});
  }
  void refuse_models() {
    set("fleet", "hotword.models", JsonArray{"missing.tflite"});
    refuse(offered(), {{"hotword.models", "missing.tflite is not here"}});
  }
  DeviceFacts facts() { return *DeviceFacts::parse(hub.records().find(device.id)->facts); }
  const Json& value(std::string_view key) { return device.document.at("settings").at(key); }

  TestDevice& device;
};

TEST_F(DeviceQuarantineTest, LaterChangesFlowOn) {
  refuse_models();
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty()) << "beside it nothing is new";
  EXPECT_EQ(sync(device), SyncStatus::refused);
  set("fleet", "hotword.threshold", 0.9);
  apply(device, offered());
  EXPECT_EQ(value("hotword.threshold"), Json(0.9));
  EXPECT_EQ(value("hotword.models"), Json(JsonArray{}));
  EXPECT_EQ(sync(device), SyncStatus::refused) << "the models are still another matter";
  const auto problems = problems_of(facts());
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0], "setting hotword.models is refused: missing.tflite is not here");
}

TEST_F(DeviceQuarantineTest, WhatCameWithItStaysAsWell) {
  change({{EntityKind::setting, "fleet hotword.models", JsonArray{"missing.tflite"}},
          {EntityKind::setting, "fleet hotword.threshold", 0.9}});
  refuse(offered(), {{"hotword.models", "missing.tflite is not here"}});
  set("fleet", "hotword.engine", "b");
  apply(device, offered());
  EXPECT_EQ(value("hotword.threshold"), Json(0.5));
  EXPECT_EQ(value("hotword.engine"), Json("b"));
  const Quarantine kept = facts().quarantine;
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[1].why, "it came with hotword.models, which is refused");
}

TEST_F(DeviceQuarantineTest, WhatCameWithItGoesWithIt) {
  change({{EntityKind::setting, "fleet hotword.models", JsonArray{"missing.tflite"}},
          {EntityKind::setting, "fleet hotword.threshold", 0.9}});
  refuse(offered(), {{"hotword.models", "missing.tflite is not here"}});
  set("fleet", "hotword.models", JsonArray{"present.tflite"});
  apply(device, offered());
  EXPECT_EQ(value("hotword.threshold"), Json(0.9));
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
}

TEST_F(DeviceQuarantineTest, ItIsOverOnceAnotherChangeDecides) {
  refuse_models();
  set("fleet", "hotword.models", JsonArray{"present.tflite"});
  apply(device, offered());
  EXPECT_EQ(value("hotword.models"), Json(JsonArray{"present.tflite"}));
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
  EXPECT_TRUE(facts().quarantine.empty());
  EXPECT_TRUE(problems_of(facts()).empty());
}

TEST_F(DeviceQuarantineTest, TheFormerValueWrittenBackEndsItToo) {
  refuse_models();
  set("fleet", "hotword.models", JsonArray{});
  apply(device, offered());
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
  EXPECT_TRUE(facts().quarantine.empty());
}

TEST_F(DeviceQuarantineTest, TheSameValueByAnotherChangeIsOfferedAgain) {
  refuse_models();
  device.session.reset();
  set("fleet", "hotword.models", JsonArray{"present.tflite"});
  set("fleet", "hotword.models", JsonArray{"missing.tflite"});
  const auto again = only<ConfigUpdate>(join(device));
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].hash, device.refused);
  // Agents repeat their last status after the welcome: it is no answer to what is offered now.
  refuse(again[0], {{"hotword.models", "missing.tflite is not here"}});
  EXPECT_TRUE(facts().quarantine.empty());
  EXPECT_EQ(offered().hash, again[0].hash) << "who repeats nothing is asked once more";
  refuse(again[0], {{"hotword.models", "missing.tflite is still not here"}});
  EXPECT_EQ(facts().quarantine.at(0).why, "missing.tflite is still not here");
}

TEST_F(DeviceQuarantineTest, ARepeatedStatusIsToldOnce) {
  refuse_models();
  join(device);
  say(device, protocol::ConfigStatus{Section::settings,
                                     device.refused,
                                     1,
                                     device.applied,
                                     Phase::refused,
                                     {{"hotword.models", "missing.tflite is not here"}}});
  EXPECT_TRUE(facts().errors.empty());
  EXPECT_EQ(problems_of(facts()).size(), 1u);
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty());
}

TEST_F(DeviceQuarantineTest, WhatWasRefusedForNoKnownReasonIsToldByTheRepeatedStatus) {
  refuse_models();
  // As after a hub that was killed before it had stored that.
  DeviceRecord& record = hub.records().edit("default", device.id);
  ASSERT_TRUE(hub.records().change_facts(record, [](DeviceFacts& facts) { facts.quarantine.clear(); }));
  EXPECT_TRUE(only<ConfigUpdate>(join(device)).empty());
  say(device, protocol::ConfigStatus{Section::settings,
                                     device.refused,
                                     1,
                                     device.applied,
                                     Phase::refused,
                                     {{"hotword.models", "missing.tflite is not here"}}});
  EXPECT_EQ(facts().quarantine.size(), 1u);
}

TEST_F(DeviceQuarantineTest, ItOutlivesASessionAndIsStored) {
  refuse_models();
  EXPECT_TRUE(only<ConfigUpdate>(join(device)).empty());
  hub.records().flush();
  executor.run_all();
  ASSERT_FALSE(store.saved.empty());
  const auto quarantine = DeviceFacts::quarantine_in(store.saved.back().facts);
  ASSERT_TRUE(quarantine);
  EXPECT_EQ(*quarantine, facts().quarantine);
  EXPECT_EQ(quarantine->size(), 1u);
}

TEST_F(DeviceQuarantineTest, AnotherVersionIsOfferedEverything) {
  refuse_models();
  connect(device);
  auto handshake = handshake_of(device);
  handshake.agent_version = "1.1";
  handshake.proof =
      base64url_encode(*ed25519_sign(device.keys.private_key, protocol::handshake_proof_text(handshake)));
  say(device, handshake);
  apply(device, offered());
  EXPECT_EQ(value("hotword.models"), Json(JsonArray{"missing.tflite"}));
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
}

TEST_F(DeviceQuarantineTest, WhoAsksIsOfferedEverythingAndMayRefuseAgain) {
  refuse_models();
  set("fleet", "hotword.threshold", 0.9);
  apply(device, offered());
  say(device, protocol::ConfigRequest{Section::settings});
  const ConfigUpdate whole = offered();
  EXPECT_FALSE(whole.base);
  EXPECT_EQ(whole.payload.at("settings").at("hotword.models"), Json(JsonArray{"missing.tflite"}));
  refuse(whole, {{"hotword.models", "missing.tflite is still not here"}});
  set("fleet", "hotword.threshold", 0.8);
  apply(device, offered());
  EXPECT_EQ(value("hotword.models"), Json(JsonArray{}));
  ASSERT_EQ(facts().quarantine.size(), 1u);
  EXPECT_EQ(facts().quarantine[0].why, "missing.tflite is still not here");
}

TEST_F(DeviceQuarantineTest, ARemainderThatIsRefusedTooGrowsIt) {
  set("fleet", "hotword.threshold", 0.9);
  const ConfigUpdate first = offered();
  set("fleet", "hotword.models", JsonArray{"missing.tflite"});
  const ConfigUpdate both = offered();
  refuse(first, {{"hotword.threshold", "too sensitive"}});
  EXPECT_TRUE(facts().quarantine.empty()) << "it is no answer to what is desired now";
  refuse(both, {{"hotword.models", "missing.tflite is not here"}});
  const ConfigUpdate rest = offered();
  refuse(rest, {{"hotword.threshold", "too sensitive"}});
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty());
  EXPECT_EQ(facts().quarantine.size(), 2u);
  set("fleet", "hotword.engine", "b");
  apply(device, offered());
  EXPECT_EQ(value("hotword.threshold"), Json(0.5));
}

TEST_F(DeviceQuarantineTest, AValueItHasThatDoesNotGoWithNewOnesKeepsAllThatIsNew) {
  set("fleet", "hotword.threshold", 0.9);
  apply(device, offered());
  change({{EntityKind::setting, "fleet hotword.models", JsonArray{"loud.tflite"}},
          {EntityKind::setting, "fleet hotword.engine", "b"}});
  refuse(offered(), {{"hotword.threshold", "it is too high for loud.tflite"}});
  EXPECT_EQ(facts().quarantine.size(), 2u);
  set("fleet", "hotword.threshold", 0.4);
  apply(device, offered());
  EXPECT_EQ(value("hotword.models"), Json(JsonArray{}));
  EXPECT_EQ(value("hotword.threshold"), Json(0.4));
}

TEST_F(DeviceQuarantineTest, WhatNamesNothingThatAChangeBroughtKeepsTheWholeDocument) {
  set("fleet", "hotword.models", JsonArray{"missing.tflite"});
  const ConfigUpdate update = offered();
  refuse(update, {{"", "the disk is full"}, {"other.thing", "never heard of it"}});
  EXPECT_TRUE(facts().quarantine.empty());
  EXPECT_EQ(facts().errors.size(), 2u);
  EXPECT_EQ(sync(device), SyncStatus::refused);
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty());
}

TEST_F(DeviceQuarantineTest, APersonaSwitchIsRefusedWhole) {
  Persona tars;
  tars.fields = {{"voice_id", "v1"}};
  change({{EntityKind::persona, "TARS", tars.to_json()},
          {EntityKind::setting, "persona:TARS hotword.models", JsonArray{"Tars.tflite"}},
          {EntityKind::setting, "persona:TARS hotword.engine", "b"},
          {EntityKind::persona, "Bare", Persona{}.to_json()}});
  set("fleet", "persona.active", "Bare");
  apply(device, offered());
  set("fleet", "persona.active", "TARS");
  refuse(offered(), {{"hotword.models", "Tars.tflite is not here"}});
  ASSERT_EQ(facts().quarantine.size(), 1u);
  EXPECT_EQ(facts().quarantine[0].key, "persona.active");
  EXPECT_EQ(facts().quarantine[0].why, "hotword.models: Tars.tflite is not here");
  set("fleet", "hotword.threshold", 0.9);
  apply(device, offered());
  EXPECT_EQ(device.document.at("persona"), (Json{{"name", "Bare"}}));
  EXPECT_EQ(value("hotword.engine"), Json("a"));
  EXPECT_EQ(value("hotword.threshold"), Json(0.9));
  set("fleet", "persona.active", "Bare");
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
}

TEST_F(DeviceQuarantineTest, APersonaThatIsMendedIsOfferedAgain) {
  change({{EntityKind::persona, "TARS", Persona{}.to_json()},
          {EntityKind::setting, "persona:TARS hotword.models", JsonArray{"Tars.tflite"}}});
  set("fleet", "persona.active", "TARS");
  refuse(offered(), {{"hotword.models", "Tars.tflite is not here"}});
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty());
  set("persona:TARS", "hotword.models", JsonArray{"present.tflite"});
  apply(device, offered());
  EXPECT_EQ(value("hotword.models"), Json(JsonArray{"present.tflite"}));
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
}

TEST_F(DeviceQuarantineTest, ASwitchAndWhatCameWithItAreOne) {
  change({{EntityKind::persona, "TARS", Persona{}.to_json()},
          {EntityKind::setting, "persona:TARS hotword.models", JsonArray{"Tars.tflite"}}});
  for (const char* named : {"hotword.models", "hotword.threshold"}) {
    change({{EntityKind::setting, "fleet persona.active", "TARS"},
            {EntityKind::setting, "fleet hotword.threshold", 0.9}});
    refuse(offered(), {{named, "no"}});
    EXPECT_EQ(facts().quarantine.size(), 2u) << named;
    EXPECT_NE(find(facts().quarantine, "persona.active"), nullptr) << named;
    change({{EntityKind::setting, "fleet persona.active", Json()},
            {EntityKind::setting, "fleet hotword.threshold", Json()}});
    apply(device, offered());
    EXPECT_TRUE(facts().quarantine.empty()) << named;
  }
}

TEST_F(DeviceQuarantineTest, AFormerPersonaThatIsGoneIsKeptNoLonger) {
  change({{EntityKind::persona, "TARS", Persona{}.to_json()},
          {EntityKind::persona, "Bare", Persona{}.to_json()},
          {EntityKind::setting, "persona:TARS hotword.models", JsonArray{"Tars.tflite"}},
          {EntityKind::setting, "fleet persona.active", "Bare"}});
  apply(device, offered());
  set("fleet", "persona.active", "TARS");
  refuse(offered(), {{"hotword.models", "Tars.tflite is not here"}});
  change({{EntityKind::persona, "Bare", Json()}});
  const ConfigUpdate again = offered();
  refuse(again, {{"hotword.models", "Tars.tflite is not here"}});
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty()) << "there is nothing that it could keep";
  EXPECT_EQ(sync(device), SyncStatus::refused);
  EXPECT_EQ(facts().errors.size(), 1u);
}

TEST_F(DeviceQuarantineTest, ARunningDocumentThatNobodyElseHoldsIsFoundByWhatIsDesired) {
  const std::string before = device.applied.hex();
  device.session.reset();
  for (int i = 0; i < 200; ++i) {  // the documents of others
    set("device:" + device.id, "hotword.threshold", 0.1 + i / 1000.0);
    (void)hub.documents().desired(*hub.changes().published("default"),
                                  *hub.changes().published("default")->device(device.id),
                                  Declared{"hotword", ""});
  }
  set("device:" + device.id, "hotword.threshold", Json());
  EXPECT_TRUE(only<ConfigUpdate>(join(device)).empty());
  EXPECT_EQ(device.applied.hex(), before);
  refuse_models();
  EXPECT_EQ(facts().quarantine.size(), 1u);
}

TEST_F(DeviceQuarantineTest, APatchThatDoesNotFitIsSentWholeAndLiftsNothing) {
  refuse_models();
  set("fleet", "hotword.threshold", 0.9);
  EXPECT_TRUE(offered().base);
  say(device, protocol::ConfigRequest{Section::settings});
  const ConfigUpdate whole = offered();
  EXPECT_FALSE(whole.base);
  apply(device, whole);
  EXPECT_EQ(value("hotword.models"), Json(JsonArray{}));
  EXPECT_EQ(facts().quarantine.size(), 1u);
}

TEST_F(DeviceQuarantineTest, WhoAsksTooEarlyLosesNothing) {
  refuse_models();
  for (int i = 0; i < 3; ++i) {
    say(device, protocol::ConfigRequest{Section::settings});
    EXPECT_EQ(sync(device), SyncStatus::pending);
    refuse(offered(), {{"hotword.models", "missing.tflite is not here"}});
    EXPECT_EQ(facts().quarantine.size(), 1u);
    EXPECT_EQ(sync(device), SyncStatus::refused);
  }
}

TEST_F(DeviceQuarantineTest, AnEditOfAKeptSettingIsTaken) {
  set("fleet", "hotword.threshold", 0.6);
  apply(device, offered());
  set("fleet", "hotword.threshold", 0.9);
  refuse(offered(), {{"hotword.threshold", "too sensitive"}});
  say(device, protocol::ConfigPropose{{{"edit-1", "hotword.threshold", 0.6, 0.7, 0}}});
  const auto answers = device.peer.take();
  const auto settled = only<protocol::ConfigProposed>(answers);
  ASSERT_EQ(settled.size(), 1u);
  EXPECT_TRUE(settled[0].accepted) << settled[0].message;
  apply(device, only<ConfigUpdate>(answers).at(0));
  EXPECT_EQ(value("hotword.threshold"), Json(0.7));
  EXPECT_TRUE(facts().quarantine.empty());
}

TEST_F(DeviceQuarantineTest, WhoHasForgottenTheHubKeepsNothing) {
  refuse_models();
  device.session.reset();
  connect(device);
  auto handshake = handshake_of(device);
  handshake.cursor = {};
  handshake.sections = {{Section::settings, sha256("defaults"), {}}};
  handshake.proof =
      base64url_encode(*ed25519_sign(device.keys.private_key, protocol::handshake_proof_text(handshake)));
  say(device, handshake);
  EXPECT_EQ(offered().payload.at("settings").at("hotword.models"), Json(JsonArray{"missing.tflite"}));
}

TEST_F(DeviceQuarantineTest, TheWelcomeTellsOfIt) {
  EXPECT_FALSE(only<protocol::Welcome>(join(device)).at(0).quarantine);
  refuse_models();
  EXPECT_TRUE(only<protocol::Welcome>(join(device)).at(0).quarantine);
}

TEST_F(DeviceQuarantineTest, TwoThatRefuseTheSameShareOneDocument) {
  TestDevice& other = add_device();
  apply(other, only<ConfigUpdate>(join(other)).at(0));
  set("fleet", "hotword.models", JsonArray{"missing.tflite"});
  refuse(offered(), {{"hotword.models", "not here, pid 7"}});
  const auto resolved = hub.documents().counters().resolved_documents;
  const auto update = other.peer.take_all<ConfigUpdate>().at(0);
  say(other, protocol::ConfigStatus{Section::settings,
                                    update.hash,
                                    1,
                                    other.applied,
                                    Phase::refused,
                                    {{"hotword.models", "not here, pid 8"}}});
  EXPECT_EQ(hub.documents().counters().resolved_documents, resolved);
  EXPECT_EQ(DeviceFacts::parse(hub.records().find(other.id)->facts)->quarantine.at(0).why, "not here, pid 8");
}

TEST_F(DeviceQuarantineTest, OthersOfTheFleetAreNotTouched) {
  TestDevice& other = add_device();
  apply(other, only<ConfigUpdate>(join(other)).at(0));
  refuse_models();
  apply(other, other.peer.take_all<ConfigUpdate>().at(0));
  EXPECT_EQ(other.document.at("settings").at("hotword.models"), Json(JsonArray{"missing.tflite"}));
  EXPECT_EQ(sync(other), SyncStatus::in_sync);
  EXPECT_EQ(sync(device), SyncStatus::refused);
}

TEST_F(DeviceQuarantineTest, MoreThanCanBeKeptHoldsTheWholeDocument) {
  JsonArray many;
  for (std::size_t bytes = 0; bytes < max_quarantine_bytes; bytes += 1'000)
    many.push_back(JsonString(std::string(1'000, 'm')));
  set("fleet", "hotword.models", many);
  apply(device, offered());
  set("fleet", "hotword.models", JsonArray{"missing.tflite"});
  refuse(offered(), {{"hotword.models", "missing.tflite is not here"}});
  EXPECT_TRUE(facts().quarantine.empty());
  EXPECT_EQ(facts().errors.size(), 1u);
}

}  // namespace
}  // namespace starling::hub
