#include "hub/device_link/device_session.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "hub/device_link/link_fixture.hpp"
#include "hub/settings/explain.hpp"

namespace starling::hub {
namespace {

using protocol::ConfigUpdate;
using protocol::Phase;
using protocol::Section;

using DeviceSessionTest = LinkFixture;

TEST_F(DeviceSessionTest, AFreshDeviceIsWelcomedWithATokenAndGetsItsDocumentWhole) {
  TestDevice& device = add_device();
  const auto messages = join(device, /*token_valid=*/false);
  const auto welcomes = only<protocol::Welcome>(messages);
  ASSERT_EQ(welcomes.size(), 1u);
  EXPECT_FALSE(welcomes[0].token.empty());
  EXPECT_EQ(welcomes[0].heartbeat_seconds, 300);
  EXPECT_NE(hub.records().find_by_token(welcomes[0].token), nullptr);
  const auto updates = only<ConfigUpdate>(messages);
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_FALSE(updates[0].base);
  EXPECT_EQ(sync(device), SyncStatus::pending);
  apply(device, updates[0]);
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
  EXPECT_TRUE(device.peer.take().empty());
}

TEST_F(DeviceSessionTest, AnEqualHashIsSentNothingAndAKnownBaseGetsAPatch) {
  TestDevice& device = add_device();
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  const auto again = join(device);
  EXPECT_TRUE(only<ConfigUpdate>(again).empty());

  set("fleet", "hotword.threshold", 0.7);
  const auto updates = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_EQ(updates[0].base, device.applied);
  EXPECT_EQ(updates[0].payload, (Json{{"settings", {{"hotword.threshold", 0.7}}}}));
  apply(device, updates[0]);
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
}

TEST_F(DeviceSessionTest, DevicesOfOneClassShareOneResolvedDocument) {
  for (int i = 0; i < 5; ++i) {
    TestDevice& device = add_device();
    apply(device, only<ConfigUpdate>(join(device)).at(0));
  }
  const auto before = hub.documents().counters().resolved_documents;
  set("fleet", "hotword.threshold", 0.9);
  EXPECT_EQ(hub.documents().counters().resolved_documents, before + 1);
  for (auto& device : devices)
    EXPECT_EQ(device->peer.take_all<ConfigUpdate>().size(), 1u);
}

TEST_F(DeviceSessionTest, WhatWasSentIsNotKept) {
  for (const char* room : {"nursery", "lab", "hall"}) {
    TestDevice& device = add_device(room);
    set("device:" + device.id, "hotword.threshold", 0.1 * static_cast<double>(devices.size()));
    apply(device, only<ConfigUpdate>(join(device)).at(0));
  }
  EXPECT_GT(hub.sessions().kept_frames(), 0u) << "others may come for the same";
  hub.tick();
  EXPECT_EQ(hub.sessions().kept_frames(), 0u);
  set("fleet", "hotword.engine", "b");
  EXPECT_EQ(hub.sessions().kept_frames(), 0u);
  for (auto& device : devices)
    EXPECT_EQ(device->peer.take_all<ConfigUpdate>().size(), 1u);
}

TEST_F(DeviceSessionTest, WhoDeclaresNothingGetsNothingAndTheHubShowsTheSame) {
  TestDevice& device = add_device();
  const FleetState& fleet = *hub.changes().published("default");
  EXPECT_EQ(declared_by(fleet, hub.records().find(device.id)).components, "hotword") << "never declared";
  device.components.clear();
  const auto updates = only<ConfigUpdate>(join(device));
  EXPECT_EQ(declared_by(fleet, hub.records().find(device.id)).components, "");
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_TRUE(updates[0].payload.at("settings").as_object().empty());
  const auto shown = hub.documents().desired(fleet, *fleet.device(device.id),
                                             declared_by(fleet, hub.records().find(device.id)));
  EXPECT_EQ(shown.settings->hash, updates[0].hash);
}

// Else the two would tell each other the same, as fast as they can.
TEST_F(DeviceSessionTest, AHeartbeatBetweenUpdateAndAnswerAsksForNothing) {
  TestDevice& device = add_device();
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  set("fleet", "hotword.threshold", 0.3);
  const auto updates = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(updates.size(), 1u);
  say(device, protocol::Heartbeat{{{protocol::Section::settings, updates[0].hash, {}}}, 0, {}});
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty());
  apply(device, updates[0]);
  EXPECT_TRUE(device.peer.take_all<ConfigUpdate>().empty());
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
}

TEST_F(DeviceSessionTest, AChangeReachesOnlyThoseWhoseDocumentItChanges) {
  TestDevice& nursery = add_device("nursery");
  TestDevice& lab = add_device("lab");
  for (TestDevice* device : {&nursery, &lab})
    apply(*device, only<ConfigUpdate>(join(*device)).at(0));
  Group group;
  group.selector = *protocol::Selector::parse("room=lab");
  change({{EntityKind::group, "labs", group.to_json()},
          {EntityKind::setting, "group:labs hotword.threshold", 0.1}});
  EXPECT_TRUE(nursery.peer.take().empty());
  EXPECT_EQ(lab.peer.take_all<ConfigUpdate>().size(), 1u);
  set("device:" + nursery.id, "hotword.threshold", 0.2);
  EXPECT_EQ(nursery.peer.take_all<ConfigUpdate>().size(), 1u);
  EXPECT_TRUE(lab.peer.take().empty());
}

TEST_F(DeviceSessionTest, MovingToAnotherRoomBringsThatRoomsDocument) {
  TestDevice& device = add_device("nursery");
  Group group;
  group.selector = *protocol::Selector::parse("room=lab");
  change({{EntityKind::group, "labs", group.to_json()},
          {EntityKind::setting, "group:labs hotword.threshold", 0.1}});
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  Device moved = *hub.changes().published("default")->device(device.id);
  moved.labels["room"] = "lab";
  change({{EntityKind::device, device.id, moved.to_json()}});
  EXPECT_EQ(device.peer.take_all<ConfigUpdate>().size(), 1u);
}

TEST_F(DeviceSessionTest, AnEarlierDocumentComesUnderANewerLabel) {
  TestDevice& stays = add_device();
  TestDevice& leaves = add_device();
  for (TestDevice* device : {&stays, &leaves})
    apply(*device, only<ConfigUpdate>(join(*device)).at(0));
  const std::string layer = "device:" + leaves.id;
  set(layer, "hotword.threshold", 0.2);
  const auto away = leaves.peer.take_all<ConfigUpdate>().at(0);
  apply(leaves, away);
  set(layer, "hotword.threshold", nullptr);
  const auto back = leaves.peer.take_all<ConfigUpdate>().at(0);
  EXPECT_EQ(back.hash, stays.applied);
  EXPECT_GT(back.revision, away.revision);
  EXPECT_TRUE(stays.peer.take().empty());
}

TEST_F(DeviceSessionTest, SwitchingAPersonaAwayTakesItsValuesAndItsName) {
  TestDevice& device = add_device();
  Persona tars;
  tars.fields = {{"voice_id", "v1"}};
  change({{EntityKind::persona, "TARS", tars.to_json()},
          {EntityKind::setting, "persona:TARS hotword.models", JsonArray{"Tars.tflite"}},
          {EntityKind::persona, "Bare", Persona{}.to_json()}});
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  const Json plain = device.document;
  set("fleet", "persona.active", "TARS");
  apply(device, device.peer.take_all<ConfigUpdate>().at(0));
  EXPECT_EQ(device.document.at("settings").at("hotword.models"), (JsonArray{"Tars.tflite"}));
  EXPECT_EQ(device.document.at("persona").at("voice_id"), "v1");
  set("fleet", "persona.active", "Bare");
  apply(device, device.peer.take_all<ConfigUpdate>().at(0));
  EXPECT_EQ(device.document.at("settings"), plain.at("settings"));
  EXPECT_EQ(device.document.at("persona"), (Json{{"name", "Bare"}}));
}

TEST_F(DeviceSessionTest, ARefusedDocumentIsNotOfferedAgainUntilItChanges) {
  TestDevice& device = add_device();
  device.cursor.hub_generation = hub.changes().generation();
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  set("fleet", "hotword.models", JsonArray{"missing.tflite"});
  const ConfigUpdate bad = device.peer.take_all<ConfigUpdate>().at(0);
  say(device, protocol::ConfigStatus{Section::settings,
                                     bad.hash,
                                     2,
                                     device.applied,
                                     Phase::refused,
                                     {{"hotword.models", "missing.tflite is not here"}}});
  EXPECT_EQ(sync(device), SyncStatus::refused);
  const auto facts = *DeviceFacts::parse(hub.records().find(device.id)->facts);
  ASSERT_EQ(facts.quarantine.size(), 1u);
  EXPECT_EQ(facts.quarantine[0].key, "hotword.models");

  device.refused = bad.hash;
  EXPECT_TRUE(only<ConfigUpdate>(join(device)).empty());
  set("fleet", "hotword.models", JsonArray{"present.tflite"});
  apply(device, device.peer.take_all<ConfigUpdate>().at(0));
  EXPECT_EQ(sync(device), SyncStatus::in_sync);
  EXPECT_TRUE(DeviceFacts::parse(hub.records().find(device.id)->facts)->quarantine.empty());
}

TEST_F(DeviceSessionTest, WhileAnAnswerIsOutstandingTheNextOfferIsWhole) {
  TestDevice& device = add_device();
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  set("fleet", "hotword.threshold", 0.1);
  set("fleet", "hotword.threshold", 0.2);
  const auto updates = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(updates.size(), 2u);
  EXPECT_TRUE(updates[0].base);
  EXPECT_FALSE(updates[1].base);
}

TEST_F(DeviceSessionTest, ASlowDeviceGetsOneUpdateToTheNewestStateWhenItsQueueIsEmpty) {
  TestDevice& device = add_device();
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  device.peer.queued = 10 << 20;
  for (int i = 1; i < 10; ++i)
    set("fleet", "hotword.threshold", i / 10.0);
  EXPECT_TRUE(device.peer.take().empty());
  device.peer.queued = 0;
  device.session->on_drained();
  const auto updates = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(updates.size(), 1u);
  apply(device, updates[0]);
  EXPECT_EQ(device.document.at("settings").at("hotword.threshold"), Json(0.9));
}

TEST_F(DeviceSessionTest, AHeartbeatWithAnotherHashBringsTheDocumentAgain) {
  TestDevice& device = add_device();
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  protocol::Heartbeat heartbeat;
  heartbeat.sections = {{Section::settings, sha256("something else"), {}}};
  say(device, heartbeat);
  const auto updates = device.peer.take_all<ConfigUpdate>();
  ASSERT_EQ(updates.size(), 1u);
  EXPECT_FALSE(updates[0].base) << "nobody knows that document";
}

TEST_F(DeviceSessionTest, AHandshakeReplacesWhatAnEarlierLifeReported) {
  TestDevice& device = add_device();
  apply(device, only<ConfigUpdate>(join(device)).at(0), Phase::provisional);
  const Digest first = device.applied;
  protocol::Heartbeat beat;
  beat.sections = {{Section::settings, device.applied, {}}};
  beat.reported = {{"drift", JsonArray{"local_edit"}}, {"modules", {{"hotword", {{"state", "idle"}}}}}};
  say(device, beat);
  EXPECT_EQ(sync(device), SyncStatus::drifted);
  set("fleet", "hotword.threshold", 0.7);
  const ConfigUpdate second = device.peer.take_all<ConfigUpdate>().at(0);
  say(device, protocol::ConfigStatus{Section::settings,
                                     second.hash,
                                     second.revision,
                                     first,
                                     Phase::reverted,
                                     {{"hotword.threshold", "it does not work"}}});
  EXPECT_EQ(sync(device), SyncStatus::reverted);
  const auto record = [&]() -> const DeviceRecord& { return *hub.records().find(device.id); };

  // The same life, connected again: what it refused and why still stands.
  device.refused = second.hash;
  join(device);
  EXPECT_EQ(sync(device), SyncStatus::reverted);
  EXPECT_EQ(DeviceFacts::parse(record().facts)->errors.size(), 1u);
  EXPECT_TRUE(DeviceFacts::parse(record().facts)->reported.empty()) << "the first heartbeat names everything";

  struct Case {
    const char* what;
    std::vector<protocol::SectionState> sections;
  };
  const Case cases[] = {
      {"wiped", {{Section::settings, {}, {}}}},
      {"an older document", {{Section::settings, sha256("of last year"), {}}}},
      {"no section at all", {}},
  };
  for (const Case& life : cases) {
    say(device, beat);
    connect(device);
    device.epoch.start += 1;
    auto handshake = handshake_of(device);
    handshake.sections = life.sections;
    handshake.cursor = {hub.changes().generation(), life.sections.empty() ? 0 : 1};
    handshake.proof =
        base64url_encode(*ed25519_sign(device.keys.private_key, protocol::handshake_proof_text(handshake)));
    say(device, handshake);
    const DeviceFacts facts = *DeviceFacts::parse(record().facts);
    EXPECT_TRUE(facts.reported.empty()) << life.what;
    EXPECT_TRUE(facts.errors.empty()) << life.what;
    EXPECT_EQ(record().settings.running, life.sections.empty() ? Digest{} : life.sections[0].applied)
        << life.what;
    EXPECT_FALSE(record().settings.refused) << life.what;
    EXPECT_EQ(record().settings.running_revision, handshake.cursor.revision) << life.what;
    EXPECT_EQ(record().settings.phase, Phase::applied) << life.what;
    EXPECT_EQ(sync(device), SyncStatus::pending) << life.what;
    EXPECT_FALSE(device.peer.take_all<ConfigUpdate>().at(0).base) << life.what;
  }
}

TEST_F(DeviceSessionTest, AnEditProposedTwiceAreSettledBeforeTheFirstUpdate) {
  TestDevice& device = add_device();
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  set("fleet", "hotword.models", JsonArray{"hub.tflite"});
  device.peer.take();
  device.pending = {{"e1", "hotword.threshold", 0.5, 0.8, 0},
                    {"e2", "hotword.models", JsonArray{"old.tflite"}, JsonArray{"mine.tflite"}, 0},
                    {"e3", "hotword.engine", "a", "b", 0},
                    {"e4", "hotword.nothing", nullptr, 1, 0}};
  const auto messages = join(device);
  const auto answers = only<protocol::ConfigProposed>(messages);
  ASSERT_EQ(answers.size(), 4u);
  EXPECT_TRUE(answers[0].accepted);
  EXPECT_FALSE(answers[1].accepted);
  EXPECT_EQ(answers[1].hub_value, (Json{"hub.tflite"}));
  EXPECT_FALSE(answers[2].accepted) << "the hub owns it";
  EXPECT_FALSE(answers[3].accepted);
  EXPECT_FALSE(answers[3].message.empty());
  ASSERT_TRUE(std::holds_alternative<ConfigUpdate>(messages.back())) << "the update comes last";
  const auto& settings = std::get<ConfigUpdate>(messages.back()).payload.at("settings");
  EXPECT_EQ(settings.at("hotword.threshold"), Json(0.8));
  EXPECT_EQ(store.stored.back()->principal, "device:" + device.id);
}

TEST_F(DeviceSessionTest, AFailureOfTheHubIsNoDecisionAboutAnEdit) {
  for (const ErrorCode code : {ErrorCode::unavailable, ErrorCode::io, ErrorCode::conflict,
                               ErrorCode::corrupted, ErrorCode::already_exists, ErrorCode::internal}) {
    TestDevice& device = add_device();
    device.pending = {{"e1", "hotword.threshold", 0.5, 0.8, 0}};
    store.automatic = false;
    const auto messages = join(device);
    store.finish(fail(code, "the store says no"));
    store.automatic = true;
    executor.run_all();
    EXPECT_TRUE(only<protocol::ConfigProposed>(messages).empty());
    const auto after = device.peer.take();
    EXPECT_TRUE(only<protocol::ConfigProposed>(after).empty()) << static_cast<int>(code);
    ASSERT_EQ(only<protocol::LinkError>(after).size(), 1u) << static_cast<int>(code);
    EXPECT_EQ(only<protocol::LinkError>(after)[0].code, "unavailable");
    EXPECT_TRUE(only<protocol::LinkError>(after)[0].retry);
    const auto answers = only<protocol::ConfigProposed>(join(device));
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_TRUE(answers[0].accepted);
  }
}

TEST_F(DeviceSessionTest, AnEditProposedTwiceChangesOnce) {
  TestDevice& device = add_device();
  device.pending = {{"e1", "hotword.threshold", 0.5, 0.8, 0}};
  join(device);
  const auto changes = store.stored.size();
  const auto answers = only<protocol::ConfigProposed>(join(device));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(answers[0].accepted);
  EXPECT_EQ(store.stored.size(), changes);
}

TEST_F(DeviceSessionTest, HandshakesThatProveNothingAreRefused) {
  using Spoil = void (*)(protocol::Handshake&);
  struct Case {
    const char* name;
    Spoil spoil;
    ws::CloseCode close;
    const char* code;
  };
  const Case cases[] = {
      {"other nonce", [](auto& h) { h.nonce = "x"; }, ws::CloseCode::unauthorized, "bad_proof"},
      {"other signature", [](auto& h) { h.proof = base64url_encode(std::string(64, 'x')); },
       ws::CloseCode::unauthorized, "bad_proof"},
      {"signed for another epoch", [](auto& h) { h.epoch.connection += 5; }, ws::CloseCode::unauthorized,
       "bad_proof"},
      {"other device", [](auto& h) { h.device_id = "someone"; }, ws::CloseCode::unauthorized,
       "unknown_device"},
      {"from the future", [](auto& h) { h.protocol = 99; }, ws::CloseCode::unsupported_version,
       "unsupported_version"},
      {"other board", [](auto& h) { h.serial = "serial-2"; }, ws::CloseCode::unauthorized, "clone"},
  };
  for (const Case& spoiled : cases) {
    TestDevice& device = add_device();
    connect(device);
    auto handshake = handshake_of(device);
    spoiled.spoil(handshake);
    say(device, handshake);
    const auto errors = device.peer.take_all<protocol::LinkError>();
    ASSERT_EQ(errors.size(), 1u) << spoiled.name;
    EXPECT_EQ(errors[0].code, spoiled.code) << spoiled.name;
    EXPECT_EQ(device.peer.closed, spoiled.close) << spoiled.name;
    EXPECT_FALSE(hub.sessions().online(device.id)) << spoiled.name;
  }
}

TEST_F(DeviceSessionTest, ANewerSessionTakesOverAndAnOlderEpochIsFencedOff) {
  TestDevice& device = add_device();
  join(device);
  auto old_session = std::move(device.session);
  RecordingPeer old_peer;
  connect(device);
  say(device, handshake_of(device));
  EXPECT_TRUE(hub.sessions().online(device.id));
  old_session.reset();
  EXPECT_TRUE(hub.sessions().online(device.id)) << "the old one's end does not end the new one";

  connect(device);
  device.epoch.connection = 0;
  say(device, handshake_of(device));
  const auto errors = device.peer.take_all<protocol::LinkError>();
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].code, "stale_session");
  EXPECT_EQ(errors[0].epoch_start, 1);
  EXPECT_EQ(device.peer.closed, ws::CloseCode::superseded);
}

TEST_F(DeviceSessionTest, BadMessagesCloseTheLinkAndUnknownOnesDoNot) {
  TestDevice& device = add_device();
  join(device);
  device.session->on_text(R"({"type":"from_the_future","x":1})");
  EXPECT_EQ(device.peer.take_all<protocol::LinkError>().at(0).code, "unknown_type");
  EXPECT_FALSE(device.peer.closed);
  device.session->on_text("{nonsense");
  EXPECT_EQ(device.peer.closed, ws::CloseCode::invalid_payload);
}

TEST_F(DeviceSessionTest, SilenceIsPingedThenDropped) {
  TestDevice& device = add_device();
  join(device);
  clock.advance(Seconds(20));
  hub.tick();
  EXPECT_EQ(device.peer.pings, 1);
  device.session->on_pong();
  clock.advance(Seconds(20));
  hub.tick();
  EXPECT_EQ(device.peer.pings, 2);
  clock.advance(Seconds(10));
  hub.tick();
  EXPECT_TRUE(device.peer.aborted);
}

TEST_F(DeviceSessionTest, ALinkWithoutHandshakeIsClosed) {
  TestDevice& device = add_device();
  connect(device);
  clock.advance(Seconds(10));
  hub.tick();
  EXPECT_EQ(device.peer.closed, ws::CloseCode::policy_violation);
}

TEST_F(DeviceSessionTest, ActionsReachThoseWhomTheyNameAlsoLaterButNotWhenExpired) {
  TestDevice& nursery = add_device("nursery");
  TestDevice& lab = add_device("lab");
  join(nursery);
  ActionRequest action;
  action.name = "identify";
  action.selector = *protocol::Selector::parse("room=lab");
  action.expires_at_ms = clock.wall().time_since_epoch().count() + 60'000;
  change({{EntityKind::action, "a1", action.to_json()}});
  EXPECT_TRUE(nursery.peer.take_all<protocol::Action>().empty());
  EXPECT_EQ(only<protocol::Action>(join(lab)).size(), 1u);
  say(lab, protocol::ActionResult{"a1", true, {{"seen", true}}, ""});
  ASSERT_EQ(store.action_results.size(), 1u);
  EXPECT_EQ(store.action_results[0].device_id, lab.id);
  clock.advance(Seconds(61));
  EXPECT_TRUE(only<protocol::Action>(join(lab)).empty());
}

TEST_F(DeviceSessionTest, AnActionComesAfterWhatWasSaidBeforeIt) {
  TestDevice& device = add_device();
  apply(device, only<ConfigUpdate>(join(device)).at(0));
  ActionRequest action;
  action.name = "identify";
  action.device = device.id;
  action.expires_at_ms = clock.wall().time_since_epoch().count() + 60'000;
  const auto write_threshold_then_action = [&](const std::string& id, double threshold) {
    const std::pair<EntityKind, Json> steps[] = {{EntityKind::setting, threshold},
                                                 {EntityKind::action, action.to_json()}};
    for (const auto& [kind, body] : steps) {
      hub.changes().append(
          "default",
          [kind = kind, body = body, id](const FleetState& head, std::int64_t) -> Result<Draft> {
            Draft draft;
            draft.edits.push_back(
                head.edit(kind, kind == EntityKind::action ? id : "fleet hotword.threshold", body));
            return draft;
          },
          [](const Result<SharedChange>& outcome) { EXPECT_TRUE(outcome); });
    }
  };
  const auto threshold_then_action = [&](const std::string& id, double threshold) {
    write_threshold_then_action(id, threshold);
    executor.run_all();
  };
  const auto expect_action_last = [&](const std::vector<protocol::FromHub>& messages, std::string_view when) {
    EXPECT_EQ(only<ConfigUpdate>(messages).size(), 1u) << when;
    ASSERT_FALSE(messages.empty()) << when;
    EXPECT_TRUE(std::holds_alternative<protocol::Action>(messages.back())) << when;
  };
  threshold_then_action("a1", 0.6);
  const auto live = device.peer.take();
  expect_action_last(live, "both at once");
  apply(device, only<ConfigUpdate>(live).at(0));
  say(device, protocol::ActionResult{"a1", true, {}, ""});

  device.session.reset();
  threshold_then_action("a2", 0.7);
  expect_action_last(join(device), "while it was away");

  device.session.reset();
  device.pending = {{"e1", "hotword.models", JsonArray{}, JsonArray{"mine.tflite"}, 0}};
  const auto settled = join(device);
  expect_action_last(settled, "with an edit to settle first");
  apply(device, only<ConfigUpdate>(settled).at(0));

  write_threshold_then_action("a3", 0.8);
  say(device, protocol::ConfigPropose{
                  {{"e2", "hotword.models", JsonArray{"mine.tflite"}, JsonArray{"new.tflite"}, 0}}});
  const auto proposed = device.peer.take();
  expect_action_last(proposed, "with an edit to settle in the session");
  EXPECT_EQ(only<protocol::Action>(proposed).size(), 1u) << "only the new one";
  apply(device, only<ConfigUpdate>(proposed).at(0));

  device.peer.queued = hub.sessions().options().max_queued_bytes + 1;
  threshold_then_action("a4", 0.9);
  EXPECT_TRUE(device.peer.sent.empty());
  device.peer.queued = 1;
  action.name = "echo";
  change({{EntityKind::action, "a5", action.to_json()}});
  expect_action_last(device.peer.take(), "once it can be sent again");
  device.session->on_drained();
  EXPECT_TRUE(device.peer.sent.empty()) << "nothing twice";
}

TEST_F(DeviceSessionTest, AnActionOfTheFleetGoesInTheSlicesOfWhatWasSaidBeforeIt) {
  const std::size_t slice = hub.sessions().options().slice;
  for (std::size_t i = 0; i <= slice; ++i)
    join(add_device());
  ActionRequest action;
  action.name = "identify";
  action.selector = *protocol::Selector::parse("room=nursery");
  action.expires_at_ms = clock.wall().time_since_epoch().count() + 60'000;
  for (const auto& [kind, id, body] : {std::tuple{EntityKind::setting, "fleet hotword.threshold", Json(0.6)},
                                       std::tuple{EntityKind::action, "a1", action.to_json()}}) {
    hub.changes().append(
        "default",
        [kind = kind, id = id, body = body](const FleetState& head, std::int64_t) -> Result<Draft> {
          Draft draft;
          draft.edits.push_back(head.edit(kind, id, body));
          return draft;
        },
        [](const Result<SharedChange>& outcome) { EXPECT_TRUE(outcome); });
  }
  const auto told = [&] {
    return static_cast<std::size_t>(
        std::ranges::count_if(devices, [](const auto& device) { return !device->peer.sent.empty(); }));
  };
  while (!executor.idle()) {
    const std::size_t before = told();
    executor.run_one();
    EXPECT_LE(told() - before, slice);
  }
  for (const auto& device : devices) {
    const auto messages = device->peer.take();
    ASSERT_EQ(messages.size(), 2u);
    EXPECT_TRUE(std::holds_alternative<ConfigUpdate>(messages[0]));
    EXPECT_TRUE(std::holds_alternative<protocol::Action>(messages[1]));
  }
}

TEST_F(DeviceSessionTest, ARemovedDeviceIsShownOut) {
  TestDevice& device = add_device();
  join(device);
  change({{EntityKind::device, device.id, nullptr}});
  EXPECT_EQ(device.peer.closed, ws::CloseCode::unauthorized);
  EXPECT_EQ(hub.records().find(device.id), nullptr);
}

}  // namespace
}  // namespace starling::hub
