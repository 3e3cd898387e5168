// The section that names a release: who is told, and how they stand.
#include <gtest/gtest.h>

#include "hub/device_link/device_session.hpp"
#include "hub/device_link/link_fixture.hpp"

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
