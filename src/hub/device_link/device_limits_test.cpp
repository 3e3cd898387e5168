// What a device that means no good, or is broken, can make the hub do.
#include "hub/device_link/device_session.hpp"
#include "hub/device_link/link_fixture.hpp"

namespace starling::hub {
namespace {

using protocol::ConfigStatus;
using protocol::ConfigUpdate;
using protocol::Phase;
using protocol::Section;
using DeviceLimits = LinkFixture;

TEST_F(DeviceLimits, ADeviceThatTalksWithoutEndIsCutOffAndOneThatAnswersIsNot) {
  TestDevice& device = add_device();
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  for (int i = 1; i <= 1'500; ++i) {
    set("fleet", "hotword.threshold", i / 2'000.0);
    const ConfigUpdate update = device.peer.take_all<ConfigUpdate>().at(0);
    apply(device, update, Phase::provisional);
    say(device,
        ConfigStatus{Section::settings, update.hash, update.revision, update.hash, Phase::applied, {}});
  }
  ASSERT_FALSE(device.peer.closed) << "3,000 messages, each of them asked for";
  int heard = 0;
  for (; heard < 10'000 && !device.peer.closed; ++heard)
    device.session->on_text(protocol::encode(protocol::FromDevice(protocol::Heartbeat{})));
  EXPECT_LT(heard, 10'000);
  EXPECT_EQ(device.peer.closed, ws::CloseCode::policy_violation);
  EXPECT_EQ(device.peer.take_all<protocol::LinkError>().at(0).code, "rate_limited");
}

TEST_F(DeviceLimits, EditsBeyondWhatCanBeSettledAreLeftToTheDevice) {
  TestDevice& device = add_device();
  join(device);
  const auto stored = store.stored.size();
  protocol::ConfigPropose proposal;
  for (int i = 0; i < 1'024; ++i)
    proposal.edits.push_back({"e" + std::to_string(i), "hotword.threshold", 0.5, 0.8, 0});
  for (int i = 0; i < 3; ++i)
    device.session->on_text(protocol::encode(protocol::FromDevice(proposal)));
  EXPECT_EQ(device.peer.closed, ws::CloseCode::try_again_later);
  EXPECT_EQ(device.peer.take_all<protocol::LinkError>().at(0).code, "unavailable");
  executor.run_all();
  EXPECT_LE(store.stored.size(), stored + 2'048);
}

TEST_F(DeviceLimits, OnlyResultsOfActionsThatItWasSentAreKeptAndTheFirstOfEach) {
  TestDevice& asked = add_device("nursery");
  TestDevice& other = add_device("lab");
  join(asked);
  join(other);
  ActionRequest action;
  action.name = "echo";
  action.device = asked.id;
  action.expires_at_ms = clock.wall().time_since_epoch().count() + 60'000;
  change({{EntityKind::action, "a1", action.to_json()}});
  say(other, protocol::ActionResult{"a1", true, {{"forged", true}}, ""});
  say(asked, protocol::ActionResult{"a2", true, {}, "never asked"});
  EXPECT_TRUE(store.action_results.empty());
  say(asked, protocol::ActionResult{"a1", true, {}, "first"});
  say(asked, protocol::ActionResult{"a1", false, {}, "second"});
  ASSERT_EQ(store.action_results.size(), 1u);
  EXPECT_EQ(store.action_results[0].device_id, asked.id);
  EXPECT_TRUE(store.action_results[0].ok);
}

TEST_F(DeviceLimits, APongThatNobodyAskedForIsNoSignOfLife) {
  TestDevice& device = add_device();
  join(device);
  for (int i = 0; i < 4; ++i) {
    clock.advance(Seconds(5));
    device.session->on_pong();
    hub.tick();
  }
  EXPECT_EQ(device.peer.pings, 1) << "the ones before it counted for nothing";
  clock.advance(Seconds(10));
  hub.tick();
  EXPECT_TRUE(device.peer.aborted);
}

TEST_F(DeviceLimits, WhoDoesNotReadIsNotAnsweredWhatNobodyNeeds) {
  TestDevice& device = add_device();
  join(device);
  device.peer.queued = 10 << 20;
  for (int i = 0; i < 100; ++i)
    device.session->on_text(R"({"type":"from_the_future"})");
  EXPECT_TRUE(device.peer.sent.empty());
  EXPECT_FALSE(device.peer.closed);
}

TEST_F(DeviceLimits, WhatADeviceReportsIsBoundedAndTheFormerStays) {
  TestDevice& device = add_device();
  join(device);
  const auto facts = [&] { return *DeviceFacts::parse(hub.records().find(device.id)->facts); };
  protocol::Heartbeat first;
  first.reported = {{"uptime_s", 1}, {"drift", JsonArray{"local_edit"}}};
  say(device, first);
  for (int i = 0; i < 20; ++i) {
    protocol::Heartbeat beat;
    beat.reported["more" + std::to_string(i)] = std::string(30'000, 'x');
    beat.reported["drift"] = nullptr;
    say(device, beat);
  }
  EXPECT_TRUE(facts().reported.contains("more0"));
  EXPECT_FALSE(facts().reported.contains("more19"));
  EXPECT_EQ(facts().reported.at("uptime_s"), Json(1));
  EXPECT_LE(hub.records().find(device.id)->facts.size(), DeviceFacts::max_bytes);
  EXPECT_FALSE(device.peer.closed);

  std::vector<protocol::KeyError> errors;
  for (int i = 0; i < 64; ++i)
    errors.push_back({"hotword.k" + std::to_string(i), std::string(3'000, 'e')});
  say(device, ConfigStatus{Section::settings, sha256("x"), 1, {}, Phase::refused, errors});
  EXPECT_GT(facts().errors.size(), 5u);
  EXPECT_LT(facts().errors.size(), 32u);
  EXPECT_TRUE(facts().reported.contains("more0")) << "its refusal takes nothing else away";
}

// As an agent has it when all of them have died and say what they can.
JsonObject report_of(int modules, std::size_t text_bytes) {
  JsonObject all;
  for (int i = 0; i < modules; ++i) {
    const std::string name = "module-" + std::to_string(i) + std::string(50, 'm');
    all[name] = JsonObject{
        {"enabled", true},
        {"state", "crashed"},
        {"status", std::string(text_bytes, 's')},
        {"deaths", 3},
        {"last_death", {{"class", "exit"}, {"fingerprint", "f1"}, {"text", std::string(text_bytes, 'd')}}}};
  }
  return {{"modules", std::move(all)}};
}

TEST_F(DeviceLimits, TheReportOfManyModulesIsTakenWholeAndOneTooLargeNotAtAll) {
  constexpr int many = 200;
  TestDevice& device = add_device();
  join(device);
  const auto reported = [&] { return DeviceFacts::parse(hub.records().find(device.id)->facts)->reported; };
  protocol::Heartbeat heartbeat;
  heartbeat.reported = report_of(many, 256);
  ASSERT_GT(boost::json::serialize(heartbeat.reported).size(), 100'000u);
  say(device, heartbeat);
  EXPECT_EQ(reported(), heartbeat.reported);
  EXPECT_EQ(hub.records().modules("default").modules().size(), std::size_t{many});

  const JsonObject before = reported();
  heartbeat.reported = report_of(many, 400);
  say(device, heartbeat);
  EXPECT_FALSE(device.peer.closed);
  EXPECT_EQ(reported().at("modules"), before.at("modules"));
  EXPECT_NE(std::string(reported().at("not_kept").as_string()).find("more than the 131072"),
            std::string::npos)
      << reported().at("not_kept");
  EXPECT_EQ(hub.records().modules("default").modules().size(), std::size_t{many});

  say(device, ConfigStatus{Section::settings, sha256("x"), 1, {}, Phase::refused, {{"a", "says why"}}});
  EXPECT_EQ(DeviceFacts::parse(hub.records().find(device.id)->facts)->errors.size(), 1u)
      << "there is room for that";
  heartbeat.reported = {{"modules", {{"module-0" + std::string(50, 'm'), {{"state", "idle"}}}}}};
  say(device, heartbeat);
  EXPECT_FALSE(reported().contains("not_kept")) << "what fits is taken again";
}

TEST_F(DeviceLimits, KeysThatFindNoRoomAmongTheRefusedAreCounted) {
  TestDevice& device = add_device();
  join(device);
  std::vector<protocol::KeyError> errors;
  for (int i = 0; i < 64; ++i)
    errors.push_back({"hotword.k" + std::to_string(i), std::string(1'000, 'e')});
  say(device, ConfigStatus{Section::settings, sha256("x"), 1, {}, Phase::refused, errors});
  const auto kept = DeviceFacts::parse(hub.records().find(device.id)->facts)->errors;
  ASSERT_GT(kept.size(), 2u);
  EXPECT_EQ(kept.back().key, "") << "of them all";
  EXPECT_EQ(kept.back().message, "and " + std::to_string(64 - kept.size() + 1) + " more");
}

TEST_F(DeviceLimits, WhoSaysNothingNewCostsNoWrite) {
  TestDevice& device = add_device();
  device.modules = {"recorder"};
  for (const auto& update : only<ConfigUpdate>(join(device)))
    apply(device, update);
  const auto saves_after = [&](const auto& said) {
    said();
    store.saved.clear();
    hub.tick();
    executor.run_all();
    return store.saved.size();
  };
  protocol::Heartbeat heartbeat;
  heartbeat.reported = {{"modules", {{"recorder", {{"state", "idle"}}}}}};
  const ConfigStatus status{Section::modules,
                            protocol::empty_section_hash(),
                            1,
                            protocol::empty_section_hash(),
                            Phase::applied,
                            {}};
  const auto the_same = [&] {
    say(device, heartbeat);
    say(device, status);
  };
  EXPECT_EQ(saves_after(the_same), 1u);
  EXPECT_EQ(saves_after(the_same), 0u);
  clock.advance(Seconds(300));
  EXPECT_EQ(saves_after(the_same), 0u);
  EXPECT_EQ(hub.records().find(device.id)->last_seen_ms, clock.wall().time_since_epoch().count());
  clock.advance(Seconds(300));
  EXPECT_EQ(saves_after(the_same), 1u) << "it has not been seen for so long";
  heartbeat.reported = {{"modules", {{"recorder", {{"state", "recording"}}}}}};
  EXPECT_EQ(saves_after(the_same), 1u);
  clock.advance(Seconds(1));
  the_same();
  store.saved.clear();
  hub.stop();
  ASSERT_EQ(store.saved.size(), 1u) << "when it was seen last is known after a stop";
  EXPECT_EQ(store.saved[0].last_seen_ms, clock.wall().time_since_epoch().count());
}

TEST_F(DeviceLimits, EachFrameIsASignOfLifeAndALinkThatEndsCostsNoWrite) {
  TestDevice& device = add_device();
  const auto now = [this] { return clock.wall().time_since_epoch().count(); };
  const auto seen = [&] { return hub.records().find(device.id)->last_seen_ms; };
  const auto saved = [this] {
    hub.tick();
    executor.run_all();
    return std::exchange(store.saved, {});
  };
  const auto answer_ping = [&] {
    clock.advance(Seconds(20));
    hub.sessions().tick();
    clock.advance(Seconds(1));
    device.session->on_pong();
    EXPECT_EQ(seen(), now());
  };
  join(device);
  (void)saved();
  answer_ping();
  EXPECT_TRUE(saved().empty()) << "pings of all devices cost no writes";
  clock.advance(Seconds(3));
  say(device, protocol::LogLines{"nobody reads it", {}, false, ""});
  EXPECT_EQ(seen(), now());
  EXPECT_TRUE(saved().empty());
  const std::int64_t last = now();
  clock.advance(Seconds(20));
  hub.sessions().tick();
  clock.advance(Seconds(10));
  hub.sessions().tick();
  ASSERT_TRUE(device.peer.aborted);
  device.session->on_close(ws::CloseCode::abnormal, "");
  EXPECT_EQ(seen(), last) << "not when its silence was noticed";
  EXPECT_TRUE(saved().empty()) << "the links of a whole fleet may end at once";

  join(device);
  (void)saved();
  std::size_t writes = 0;
  for (Seconds passed{0}; passed < std::chrono::minutes(10); passed += Seconds(21)) {
    answer_ping();
    writes += saved().size();
  }
  EXPECT_EQ(writes, 1u) << "a hub that is killed has kept what is ten minutes old at most";

  answer_ping();
  const std::int64_t at_the_end = now();
  device.session->on_close(ws::CloseCode::abnormal, "");
  clock.advance(Seconds(5));
  EXPECT_TRUE(saved().empty());
  hub.stop();
  ASSERT_EQ(store.saved.size(), 1u) << "of one that is away, too";
  EXPECT_EQ(store.saved[0].last_seen_ms, at_the_end);
}

TEST_F(DeviceLimits, WhatCannotBeReadIsNotTakenForNothing) {
  TestDevice& device = add_device();
  join(device);
  DeviceRecord& record = hub.records().edit("default", device.id);
  record.facts = "{damaged";
  protocol::Heartbeat beat;
  beat.reported = {{"uptime_s", 1}};
  say(device, beat);
  EXPECT_EQ(hub.records().find(device.id)->facts, "{damaged");
  EXPECT_EQ(DeviceFacts::parse("{damaged").error().code, ErrorCode::corrupted);
}

}  // namespace
}  // namespace starling::hub
