#include <gtest/gtest.h>

#include "hub/device_link/device_session.hpp"
#include "hub/device_link/link_fixture.hpp"

namespace starling::hub {
namespace {

using protocol::ConfigStatus;
using protocol::ConfigUpdate;
using protocol::Phase;
using protocol::Section;

class ModulesSection : public LinkFixture {
 protected:
  // A device that has applied its settings.
  TestDevice& add(std::vector<std::string> modules, const std::string& room = "nursery") {
    TestDevice& device = add_device(room);
    device.modules = std::move(modules);
    for (const auto& update : only<ConfigUpdate>(join(device))) {
      if (update.section == Section::settings) apply(device, update);
    }
    device.peer.take();
    return device;
  }
  static std::vector<ConfigUpdate> updates(TestDevice& device, Section section = Section::modules) {
    auto all = device.peer.take_all<ConfigUpdate>();
    std::erase_if(all, [&](const ConfigUpdate& update) { return update.section != section; });
    return all;
  }
  void answer(TestDevice& device, const ConfigUpdate& update, Phase phase,
              std::vector<protocol::KeyError> errors = {}) {
    const bool taken = phase == Phase::applied || phase == Phase::provisional;
    if (taken) device.modules_applied = update.hash;
    if (!taken) device.modules_refused = update.hash;
    say(device, ConfigStatus{Section::modules, update.hash, update.revision, device.modules_applied, phase,
                             std::move(errors)});
  }
  const DeviceRecord& record(const TestDevice& device) { return *hub.records().find(device.id); }
  SyncStatuses statuses(const TestDevice& device) {
    return hub.sessions().sync_statuses(*hub.changes().published("default")->device(device.id));
  }
};

TEST_F(ModulesSection, OnlyWhoHasTheModuleIsTold) {
  TestDevice& recorder = add({"recorder"});
  TestDevice& bare = add({});
  EXPECT_EQ(statuses(recorder).modules, SyncStatus::in_sync);
  set("fleet", "modules.recorder.enabled", true);
  EXPECT_TRUE(bare.peer.take().empty());
  const auto told = updates(recorder);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].payload, (Json{{"recorder", {{"enabled", true}}}}));
  EXPECT_EQ(sync(recorder), SyncStatus::pending);
  EXPECT_EQ(statuses(recorder).settings, SyncStatus::in_sync);
  answer(recorder, told[0], Phase::provisional);
  EXPECT_EQ(sync(recorder), SyncStatus::provisional);
  answer(recorder, told[0], Phase::applied);
  EXPECT_EQ(sync(recorder), SyncStatus::in_sync);
  EXPECT_EQ(sync(bare), SyncStatus::in_sync);
  EXPECT_EQ(record(recorder).modules.running, told[0].hash);
  EXPECT_EQ(record(recorder).module_names, "recorder");
}

TEST_F(ModulesSection, TheKnownBaseGetsAPatchAndASettingsChangeSendsNothing) {
  TestDevice& device = add({"hotword", "recorder"});
  set("fleet", "modules.recorder.enabled", true);
  answer(device, updates(device).at(0), Phase::applied);
  set("fleet", "modules.hotword.enabled", false);
  const auto told = updates(device);
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].base, device.modules_applied);
  EXPECT_EQ(told[0].payload, (Json{{"hotword", {{"enabled", false}}}}));
  answer(device, told[0], Phase::applied);
  set("fleet", "hotword.threshold", 0.7);
  EXPECT_TRUE(updates(device).empty());
  join(device);
  EXPECT_TRUE(updates(device).empty()) << "it holds what is desired";
}

TEST_F(ModulesSection, ARefusalHoldsUpNoSettingsAndIsNotOfferedAgain) {
  TestDevice& device = add({"recorder"});
  set("fleet", "modules.recorder.enabled", true);
  const auto told = updates(device);
  answer(device, told.at(0), Phase::refused, {{"modules.recorder.enabled", "exit status 1, three times"}});
  EXPECT_EQ(sync(device), SyncStatus::refused);
  EXPECT_EQ(statuses(device).settings, SyncStatus::in_sync);
  auto facts = DeviceFacts::parse(record(device).facts);
  ASSERT_TRUE(facts);
  ASSERT_EQ(facts->module_errors.size(), 1u);
  EXPECT_TRUE(facts->errors.empty());

  set("fleet", "hotword.threshold", 0.7);
  const auto settings = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(settings.size(), 1u) << "the refused modules are not offered again";
  apply(device, settings[0]);
  EXPECT_EQ(statuses(device).settings, SyncStatus::in_sync);
  facts = DeviceFacts::parse(record(device).facts);
  EXPECT_EQ(facts->module_errors.size(), 1u) << "settings that are applied say nothing of modules";
  EXPECT_TRUE(only<ConfigUpdate>(join(device)).empty());
  EXPECT_EQ(statuses(device).modules, SyncStatus::refused);

  set("fleet", "modules.recorder.enabled", false);
  answer(device, updates(device).at(0), Phase::applied);
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
  facts = DeviceFacts::parse(record(device).facts);
  EXPECT_TRUE(facts->module_errors.empty());
}

TEST_F(ModulesSection, WhatIsTriedBesideARefusalHidesItNotAndIsOfferedOnce) {
  TestDevice& device = add({"broken", "recorder"});
  const std::vector<protocol::KeyError> errors{{"modules.broken.enabled", "no such file"}};
  set("fleet", "modules.broken.enabled", true);
  answer(device, updates(device).at(0), Phase::refused, errors);
  set("fleet", "modules.recorder.enabled", true);
  const auto told = updates(device);
  ASSERT_EQ(told.size(), 1u);
  const Digest in_force = sha256("without the broken one");
  const auto say_phase = [&](Phase phase) {
    say(device, ConfigStatus{Section::modules, told[0].hash, told[0].revision, in_force, phase, errors});
    EXPECT_TRUE(updates(device).empty()) << to_string(phase);
  };
  say_phase(Phase::provisional);
  EXPECT_EQ(statuses(device).modules, SyncStatus::refused);
  EXPECT_EQ(DeviceFacts::parse(record(device).facts)->module_errors.size(), 1u);
  say_phase(Phase::refused);
  EXPECT_EQ(statuses(device).modules, SyncStatus::refused);
  say(device,
      ConfigStatus{Section::modules, told[0].hash, told[0].revision, told[0].hash, Phase::provisional, {}});
  EXPECT_TRUE(DeviceFacts::parse(record(device).facts)->module_errors.empty()) << "that one is tried again";
  EXPECT_EQ(statuses(device).modules, SyncStatus::provisional);
}

TEST_F(ModulesSection, AModuleThatComesBringsItsSection) {
  set("fleet", "modules.recorder.enabled", true);
  TestDevice& device = add({});
  say(device, protocol::Modules{{"recorder"}});
  const auto told = updates(device);
  ASSERT_EQ(told.size(), 1u);
  answer(device, told[0], Phase::applied);
  EXPECT_EQ(record(device).module_names, "recorder");
  say(device, protocol::Modules{});
  const auto gone = updates(device);
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].hash, protocol::empty_section_hash());
}

TEST_F(ModulesSection, DevicesOfEqualModulesShareOneDocument) {
  for (int i = 0; i < 3; ++i)
    add({"recorder"});
  add({});
  const auto before = hub.documents().counters().resolved_documents;
  set("fleet", "modules.recorder.enabled", true);
  EXPECT_EQ(hub.documents().counters().resolved_documents, before + 2) << "two classes";
}

TEST_F(ModulesSection, AToggleOnTheDeviceIsSettledAsAnyEdit) {
  TestDevice& device = add({"recorder"});
  protocol::PendingEdit edit;
  edit.id = "edit-1";
  edit.key = "modules.recorder.enabled";
  edit.from = false;
  edit.to = true;
  say(device, protocol::ConfigPropose{{edit}});
  const auto messages = device.peer.take();
  const auto answers = only<protocol::ConfigProposed>(messages);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers[0].accepted) << answers[0].message;
  EXPECT_EQ(only<ConfigUpdate>(messages).size(), 1u);
  set("policy", "modules.recorder.enabled", false);
  edit.id = "edit-2";
  edit.from = nullptr;
  say(device, protocol::ConfigPropose{{edit}});
  const auto refused = device.peer.take_all<protocol::ConfigProposed>();
  ASSERT_EQ(refused.size(), 1u);
  EXPECT_FALSE(refused[0].accepted);
  EXPECT_EQ(refused[0].hub_value, Json(false));
}

TEST_F(ModulesSection, AFullSectionIsSentOnRequest) {
  TestDevice& device = add({"recorder"});
  set("fleet", "modules.recorder.enabled", true);
  answer(device, updates(device).at(0), Phase::applied);
  say(device, protocol::ConfigRequest{Section::modules});
  const auto again = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].section, Section::modules);
  EXPECT_FALSE(again[0].base);
}

TEST_F(ModulesSection, AnAgentThatKnowsNoModulesHasAppliedNone) {
  TestDevice& device = add_device();
  connect(device);
  auto handshake = handshake_of(device);
  std::erase_if(handshake.sections,
                [](const protocol::SectionState& state) { return state.section == Section::modules; });
  say(device, handshake);
  set("fleet", "modules.recorder.enabled", true);
  EXPECT_TRUE(updates(device).empty());
  EXPECT_EQ(statuses(device).modules, SyncStatus::in_sync);
}

TEST_F(ModulesSection, TheRevisionOfWhatRunsOnIsStillKnownAfterAHandshake) {
  TestDevice& device = add({"recorder"});
  set("fleet", "modules.recorder.enabled", true);
  const ConfigUpdate told = updates(device).at(0);
  answer(device, told, Phase::applied);
  ASSERT_EQ(record(device).modules.running_revision, told.revision);
  const auto come_back = [&](const std::string& generation, std::int64_t revision_of_settings) {
    connect(device);
    auto handshake = handshake_of(device);
    handshake.cursor = {generation, revision_of_settings};
    handshake.proof =
        base64url_encode(*ed25519_sign(device.keys.private_key, protocol::handshake_proof_text(handshake)));
    say(device, handshake);
  };
  for (const std::int64_t revision_of_settings : {std::int64_t{1}, told.revision + 1}) {
    come_back(hub.changes().generation(), revision_of_settings);
    EXPECT_EQ(record(device).modules.running_revision, told.revision);
  }
  say(device, protocol::ConfigStatus{Section::modules, told.hash, 0, told.hash, Phase::applied, {}});
  EXPECT_EQ(record(device).modules.running_revision, told.revision) << "an agent that has restarted";
  come_back("of another life of the hub", told.revision + 1);
  EXPECT_EQ(record(device).modules.running_revision, 0);
}

TEST_F(ModulesSection, HeartbeatsTellWhatIsInForce) {
  TestDevice& device = add({"recorder"});
  set("fleet", "modules.recorder.enabled", true);
  answer(device, updates(device).at(0), Phase::applied);
  protocol::Heartbeat heartbeat;
  heartbeat.sections = {{Section::modules, protocol::empty_section_hash(), {}}};
  say(device, heartbeat);
  EXPECT_EQ(updates(device).size(), 1u) << "it is offered what it should have";
}

TEST_F(ModulesSection, AHeartbeatThatTellsOfARefusalBringsNoSecondOffer) {
  TestDevice& device = add({"recorder"});
  set("fleet", "modules.recorder.enabled", true);
  const auto told = updates(device);
  answer(device, told.at(0), Phase::provisional);
  protocol::Heartbeat heartbeat;
  heartbeat.sections = {{Section::modules, protocol::empty_section_hash(), told[0].hash}};
  say(device, heartbeat);
  EXPECT_TRUE(updates(device).empty()) << "it could not be enabled";
}

}  // namespace
}  // namespace starling::hub
