// The section that names a release: who is told, and how they stand.
#include <gtest/gtest.h>

#include "hub/device_link/device_session.hpp"
#include "hub/device_link/link_fixture.hpp"
#include "hub/rollouts/rollout_record.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {
namespace {

using protocol::ConfigStatus;
using protocol::ConfigUpdate;
using protocol::Phase;
using protocol::Section;

class SoftwareSection : public LinkFixture {
 protected:
  SoftwareSection() {
    for (const char* version : {"v1.0.0", "v1.1.0"})
      change({{EntityKind::release, version, JsonObject{{"type", "scheduled"}}}});
  }
  // A device that has applied its settings; `takes_releases`: and says what of software it has.
  TestDevice& add(bool takes_releases) {
    TestDevice& device = add_device();
    connect(device);
    protocol::Handshake handshake = handshake_of(device);
    if (takes_releases) {
      handshake.sections.push_back({Section::software, protocol::empty_section_hash(), {}});
    }
    say(device, handshake);
    for (const auto& update : device.peer.take_all<ConfigUpdate>()) {
      if (update.section == Section::settings) apply(device, update);
    }
    device.peer.take();
    return device;
  }
  // Comes back, with nothing of software applied.
  std::vector<ConfigUpdate> come_back(TestDevice& device, const Digest& refused = {}) {
    connect(device);
    protocol::Handshake handshake = handshake_of(device);
    handshake.sections.push_back({Section::software, protocol::empty_section_hash(), refused});
    say(device, handshake);
    return device.peer.take_all<ConfigUpdate>();
  }
  void answer(TestDevice& device, const ConfigUpdate& update, const Digest& running, Phase phase,
              std::vector<protocol::KeyError> errors = {}) {
    say(device,
        ConfigStatus{Section::software, update.hash, update.revision, running, phase, std::move(errors)});
  }
  SyncStatuses statuses(const TestDevice& device) {
    return hub.sessions().sync_statuses(*hub.changes().published("default")->device(device.id));
  }
};

TEST_F(SoftwareSection, OnlyWhoSpeaksOfReleasesIsToldOfThem) {
  TestDevice& current = add(true);
  TestDevice& old = add(false);
  EXPECT_TRUE(hub.records().find(current.id)->takes_releases());
  EXPECT_FALSE(hub.records().find(old.id)->takes_releases());
  set("fleet", "software.release", "v1.0.0");
  EXPECT_TRUE(old.peer.take().empty());
  EXPECT_EQ(sync(old), SyncStatus::in_sync);
  const auto told = current.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].section, Section::software);
  Json applied = JsonObject();
  protocol::apply_merge_patch(applied, told[0].payload);
  EXPECT_EQ(applied, (Json{{"release", "v1.0.0"}}));
  EXPECT_EQ(told[0].hash, protocol::hash_of(applied));
  EXPECT_EQ(sync(current), SyncStatus::pending);
  EXPECT_EQ(statuses(current).settings, SyncStatus::in_sync);
  answer(current, told[0], protocol::empty_section_hash(), Phase::staging);
  EXPECT_EQ(sync(current), SyncStatus::staging);
  answer(current, told[0], told[0].hash, Phase::provisional);
  EXPECT_EQ(sync(current), SyncStatus::provisional);
  answer(current, told[0], told[0].hash, Phase::applied);
  EXPECT_EQ(sync(current), SyncStatus::in_sync);
}

TEST_F(SoftwareSection, ARefusalIsToldAndHoldsUpNothing) {
  TestDevice& device = add(true);
  set("fleet", "software.release", "v1.0.0");
  const auto told = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(told.size(), 1u);
  answer(device, told[0], protocol::empty_section_hash(), Phase::reverted,
         {{"software.release", "its health did not hold"}});
  EXPECT_EQ(sync(device), SyncStatus::reverted);
  EXPECT_EQ(statuses(device).settings, SyncStatus::in_sync);
  const auto facts = DeviceFacts::parse(hub.records().find(device.id)->facts);
  ASSERT_EQ(facts->software_errors.size(), 1u);
  EXPECT_EQ(facts->software_errors[0].message, "its health did not hold");
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty()) << "not offered again";
  set("fleet", "hotword.threshold", 0.7);
  EXPECT_EQ(device.peer.take_all<ConfigUpdate>().size(), 1u);
  set("fleet", "software.release", "v1.1.0");
  EXPECT_EQ(device.peer.take_all<ConfigUpdate>().size(), 1u);
}

TEST_F(SoftwareSection, WhatWaitsForItsHourIsCalledOffAfterAReconnect) {
  for (const bool hub_knows : {true, false}) {
    TestDevice& device = add(true);
    set("fleet", "software.release", "v1.0.0");
    const auto told = device.peer.take_all<ConfigUpdate>();
    ASSERT_EQ(told.size(), 1u);
    answer(device, told[0], protocol::empty_section_hash(), Phase::staging);
    device.session.reset();
    set("fleet", "software.release", nullptr);
    if (!hub_knows) hub.records().edit("default", device.id).software.target = {};
    auto offered = come_back(device);
    EXPECT_EQ(offered.size(), hub_knows ? 1u : 0u);
    // As it says after each welcome.
    answer(device, told[0], protocol::empty_section_hash(), Phase::staging);
    for (auto& update : device.peer.take_all<ConfigUpdate>())
      offered.push_back(std::move(update));
    ASSERT_EQ(offered.size(), 1u);
    EXPECT_EQ(offered[0].hash, protocol::empty_section_hash());
    answer(device, offered[0], protocol::empty_section_hash(), Phase::applied);
    EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty());
    EXPECT_EQ(sync(device), SyncStatus::in_sync);
    EXPECT_TRUE(come_back(device).empty()) << "it has forgotten";
  }
}

TEST_F(SoftwareSection, WhatWasRefusedIsForgottenOnceItIsNotWanted) {
  for (const bool reconnects : {true, false}) {
    TestDevice& device = add(true);
    set("fleet", "software.release", "v1.0.0");
    const auto told = device.peer.take_all<ConfigUpdate>();
    ASSERT_EQ(told.size(), 1u);
    answer(device, told[0], protocol::empty_section_hash(), Phase::refused, {{"", "no space"}});
    if (reconnects) {
      EXPECT_TRUE(come_back(device, told[0].hash).empty()) << "not offered again";
      device.session.reset();
    }
    set("fleet", "software.release", nullptr);
    const auto offered = reconnects ? come_back(device, told[0].hash) : device.peer.take_all<ConfigUpdate>();
    ASSERT_EQ(offered.size(), 1u);
    EXPECT_EQ(offered[0].hash, protocol::empty_section_hash());
    answer(device, offered[0], protocol::empty_section_hash(), Phase::applied);
    EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty()) << "once";
  }
}

// A rollout that brings v1.0.0 with a threshold of 0.9.
class TiedSections : public SoftwareSection {
 protected:
  TestDevice& add_tied(bool knows_it = true, const std::string& room = "nursery") {
    TestDevice& device = add_device(room);
    for (const auto& update : come(device, protocol::empty_section_hash(), {}, knows_it)) {
      if (update.section == Section::settings) apply(device, update);
    }
    device.peer.take();
    return device;
  }
  std::vector<ConfigUpdate> come(TestDevice& device, const Digest& software, const Digest& refused = {},
                                 bool knows_it = true) {
    connect(device);
    protocol::Handshake handshake = handshake_of(device);
    if (knows_it) handshake.capabilities = {{protocol::ties_sections, true}};
    handshake.sections.push_back({Section::software, software, refused});
    say(device, handshake);
    return device.peer.take_all<ConfigUpdate>();
  }
  void start_rollout(const std::string& key = "hotword.threshold", const Json& value = 0.9,
                     const std::string& layer = "fleet") {
    RolloutRecord rollout;
    rollout.id = "r1";
    rollout.plan.author = "key:author";
    rollout.plan.values = {{SettingId::parse("fleet software.release").value(), "v1.0.0"},
                           {SettingId::parse(layer + ' ' + key).value(), value}};
    rollout.plan.stages = {{.share = Stage::whole}};
    rollout.state = KeptRolloutState::open;
    rollout.open = 1;
    change({{EntityKind::rollout, "r1", rollout.to_json()}});
  }
  static Json section_of(const ConfigUpdate& update) {
    Json section = JsonObject();
    protocol::apply_merge_patch(section, update.payload);
    EXPECT_EQ(protocol::hash_of(section), update.hash);
    return section;
  }

  const Json plain{{"release", "v1.0.0"}};
};

TEST_F(TiedSections, GoWithTheReleaseAndAreNotSentAgainOnceItRuns) {
  TestDevice& device = add_tied();
  start_rollout();
  const auto told = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].section, Section::software);
  const Json section = section_of(told[0]);
  EXPECT_EQ(section.at("release"), Json("v1.0.0"));
  EXPECT_EQ(section.at("with"), parse_json(R"({"settings":{"settings":{"hotword.threshold":0.9}}})").value());
  EXPECT_EQ(statuses(device).settings, SyncStatus::in_sync);
  answer(device, told[0], protocol::empty_section_hash(), Phase::staging);
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty());
  // It switches: one rename, and the agent begins anew.
  const Digest before = device.applied;
  protocol::apply_merge_patch(device.document, section.at("with").at("settings"));
  device.applied = protocol::hash_of(device.document);
  const Digest runs = protocol::hash_of(plain);
  say(device, ConfigStatus{Section::software, runs, told[0].revision, runs, Phase::provisional, {}});
  for (const auto& update : device.peer.take_all<ConfigUpdate>()) {
    EXPECT_EQ(update.hash, update.section == Section::settings ? device.applied : runs)
        << "what it has already, should this agent still be there";
  }
  EXPECT_TRUE(come(device, runs).empty());
  EXPECT_EQ(statuses(device).settings, SyncStatus::in_sync);
  EXPECT_EQ(statuses(device).software, SyncStatus::provisional);
  // It does not work, and goes back.
  device.applied = before;
  EXPECT_TRUE(come(device, protocol::empty_section_hash(), told[0].hash).empty());
  EXPECT_EQ(statuses(device).settings, SyncStatus::in_sync);
  EXPECT_EQ(statuses(device).software, SyncStatus::refused);
}

TEST_F(TiedSections, AreNotSentAfterASwitchThatTheHubHasNotHeardOf) {
  TestDevice& device = add_tied();
  start_rollout();
  const auto told = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(told.size(), 1u);
  protocol::apply_merge_patch(device.document, section_of(told[0]).at("with").at("settings"));
  device.applied = protocol::hash_of(device.document);
  for (const auto& update : come(device, protocol::hash_of(plain)))
    EXPECT_EQ(update.section, Section::software) << "it may still have worked towards what was sent";
}

TEST_F(TiedSections, TravelWholeBecausePatchesHaveNulls) {
  change({{EntityKind::persona, "TARS", Persona{"TARS", {{"voice_id", "deep"}}}.to_json()}});
  set("fleet", "persona.active", "TARS");
  set("fleet", "software.release", "v1.1.0");
  TestDevice& device = add_tied();
  EXPECT_TRUE(come(device, protocol::hash_of(Json{{"release", "v1.1.0"}})).empty());
  start_rollout("persona.active", Json());
  const auto told = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_FALSE(told[0].base);
  EXPECT_EQ(protocol::hash_of(told[0].payload), told[0].hash);
  EXPECT_EQ(told[0].payload.at("with").at("settings"), parse_json(R"({"persona":null})").value());
}

TEST_F(TiedSections, FollowWhatElseIsWritten) {
  TestDevice& device = add_tied();
  start_rollout();
  device.peer.take();
  set("fleet", "hotword.engine", "b");
  const auto told = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(told.size(), 1u) << "the patch is the same";
  EXPECT_EQ(told[0].section, Section::settings);
  apply(device, told[0]);
  EXPECT_EQ(device.document.at("settings").at("hotword.threshold"), Json(0.5));
}

TEST_F(TiedSections, FollowThePersonaThatTheDeviceHasUntilItSwitches) {
  change({{EntityKind::persona, "TARS", Persona{"TARS", {{"voice_id", "deep"}}}.to_json()},
          {EntityKind::persona, "CASE", Persona{"CASE", {{"voice_id", "flat"}}}.to_json()}});
  set("fleet", "persona.active", "TARS");
  set("persona:TARS", "hotword.threshold", 0.6);
  for (const bool to_another : {true, false}) {
    TestDevice& device = add_tied();
    start_rollout("persona.active", to_another ? Json("CASE") : Json());
    device.peer.take();
    const int humour = to_another ? 75 : 60;
    const JsonObject fields{{"voice_id", "deep"}, {"humour", humour}};
    change({{EntityKind::persona, "TARS", Persona{"TARS", fields}.to_json()}});
    auto told = device.peer.take_all<ConfigUpdate>();
    ASSERT_EQ(told.size(), to_another ? 2u : 1u) << "to none, the patch is the same";
    ASSERT_EQ(told[0].section, Section::settings);
    apply(device, told[0]);
    EXPECT_EQ(device.document.at("persona").at("humour"), Json(humour));
    if (to_another) {
      const Json& with = told[1].payload.at("with").at("settings");
      EXPECT_EQ(with.at("persona"), parse_json(R"({"humour":null,"name":"CASE","voice_id":"flat"})").value());
    }
    const double threshold = to_another ? 0.7 : 0.8;
    set("persona:TARS", "hotword.threshold", threshold);
    told = device.peer.take_all<ConfigUpdate>();
    ASSERT_EQ(told.size(), 1u);
    apply(device, told[0]);
    EXPECT_EQ(device.document.at("settings").at("hotword.threshold"), Json(threshold));
    change({{EntityKind::rollout, "r1", Json()}});
  }
}

// The rollout leaves the layer of the group empty, as if the device were not in it.
TEST_F(TiedSections, AreOfTheLayersThatADeviceSeesUntilItSwitches) {
  change({{EntityKind::group, "lab", Group{"lab", protocol::Selector::parse("room=lab").value()}.to_json()}});
  set("group:lab", "hotword.threshold", 0.7);
  TestDevice& inside = add_tied(true, "lab");
  TestDevice& outside = add_tied();
  start_rollout("hotword.threshold", Json(), "group:lab");
  const auto told_inside = inside.peer.take_all<ConfigUpdate>();
  const auto told_outside = outside.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(told_inside.size(), 1u);
  ASSERT_EQ(told_outside.size(), 1u);
  EXPECT_EQ(section_of(told_inside[0]).at("with"),
            parse_json(R"({"settings":{"settings":{"hotword.threshold":0.5}}})").value());
  EXPECT_EQ(section_of(told_outside[0]), plain);
  EXPECT_EQ(statuses(inside).settings, SyncStatus::in_sync);
  EXPECT_EQ(statuses(outside).settings, SyncStatus::in_sync);
}

TEST_F(TiedSections, ComeAloneToADeviceThatRunsTheReleaseAndToOneThatDoesNotKnowThem) {
  for (const bool knows_them : {true, false}) {
    TestDevice& device = add_tied(knows_them);
    if (knows_them) come(device, protocol::hash_of(plain));
    start_rollout();
    std::vector<ConfigUpdate> told = device.peer.take_all<ConfigUpdate>();
    std::erase_if(told, [](const ConfigUpdate& update) { return update.section != Section::settings; });
    ASSERT_EQ(told.size(), 1u) << knows_them;
    apply(device, told[0]);
    EXPECT_EQ(device.document.at("settings").at("hotword.threshold"), Json(0.9));
    change({{EntityKind::rollout, "r1", Json()}});
  }
}

// Both are {} then, by the same hash.
TEST_F(SoftwareSection, TwoEmptySectionsAreToldApart) {
  TestDevice& device = add_device();
  connect(device);
  protocol::Handshake handshake = handshake_of(device);
  handshake.modules = {"recorder"};
  handshake.sections = {{Section::settings, {}, {}},
                        {Section::modules, sha256("modules of another hub"), {}},
                        {Section::software, sha256("software of another hub"), {}}};
  say(device, handshake);
  std::vector<Section> told;
  for (const auto& update : device.peer.take_all<ConfigUpdate>())
    told.push_back(update.section);
  EXPECT_EQ(told, (std::vector{Section::settings, Section::modules, Section::software}));
}

}  // namespace
}  // namespace starling::hub
