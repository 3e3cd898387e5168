#include <gtest/gtest.h>

#include "hub/device_link/link_fixture.hpp"

namespace starling::hub {
namespace {

using FlatClientTest = LinkFixture;

TEST_F(FlatClientTest, AClientFromTheDocumentsGetsTheFlatPayload) {
  TestDevice& device = add_device_without_key();
  device.session = hub.sessions().accept({"default", device.id, true, 0});
  device.session->on_open(device.peer);
  executor.run_all();
  ASSERT_EQ(device.peer.sent.size(), 1u);
  EXPECT_EQ(*parse_json(device.peer.sent[0]),
            (Json{{"type", "config_update"}, {"payload", {{"HOTWORD_MODELS", JsonArray{}}}}}));
  device.session->on_text(R"({"type":"handshake","deviceId":"x","capabilities":{"audio":true}})");
  set("fleet", "hotword.models", JsonArray{"Tars.tflite"});
  ASSERT_EQ(device.peer.sent.size(), 2u);
  EXPECT_EQ(parse_json(device.peer.sent[1])->at("payload").at("HOTWORD_MODELS"), (JsonArray{"Tars.tflite"}));
}

TEST_F(FlatClientTest, AFlatClientStandsForNobodyWhoCanSignAndTakesNoProvenPlace) {
  TestDevice& signing = add_device();
  join(signing);
  TestDevice& plain = add_device_without_key();
  join(plain);
  TestDevice& silent = add_device_without_key();
  struct Case {
    const char* what;
    TestDevice& device;
    std::optional<ws::CloseCode> closed;
  };
  const Case cases[] = {
      {"a device with a key", signing, ws::CloseCode::unauthorized},
      {"a device whose session had a handshake", plain, ws::CloseCode::superseded},
      {"a device without either", silent, std::nullopt},
      {"the same again", silent, std::nullopt},
  };
  for (const Case& each : cases) {
    RecordingPeer peer;
    const auto flat = hub.sessions().accept({"default", each.device.id, true, 0});
    flat->on_open(peer);
    executor.run_all();
    EXPECT_EQ(peer.closed, each.closed) << each.what;
    EXPECT_EQ(peer.sent.empty(), each.closed.has_value()) << each.what;
    EXPECT_FALSE(each.device.peer.closed) << each.what;
    flat->on_close(ws::CloseCode::normal, "");
  }
  EXPECT_TRUE(hub.sessions().online(signing.id));
  EXPECT_TRUE(hub.sessions().online(plain.id));
}

TEST_F(FlatClientTest, AFlatClientIsToldOnceWhichMemberCannotBeRead) {
  TestDevice& device = add_device_without_key();
  device.session = hub.sessions().accept({"default", device.id, true, 0});
  device.session->on_open(device.peer);
  executor.run_all();
  device.peer.sent.clear();
  device.session->on_text(R"({"type":"handshake","capabilities":[]})");
  const auto errors = device.peer.take_all<protocol::LinkError>();
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].message, "/capabilities must be an object");
}

TEST_F(FlatClientTest, AFlatClientIsToldWhatCannotBeReadWithinReason) {
  TestDevice& device = add_device_without_key();
  device.session = hub.sessions().accept({"default", device.id, true, 0});
  device.session->on_open(device.peer);
  executor.run_all();
  device.peer.sent.clear();
  struct Case {
    std::string text;
    const char* code;  // nullptr: no answer
  };
  const Case cases[] = {
      {"nonsense", "bad_message"},
      {R"({"type":"handshake","capabilities":[]})", "bad_message"},
      {R"({"type":"audio_chunk","data":"00"})", "unknown_type"},
      {R"({")" + std::string(9000, 'x') + R"(":1,")" + std::string(9000, 'x') + R"(":2})", "bad_message"},
      {R"({"type":"handshake","deviceId":"x"})", nullptr},
      {R"({"type":"heartbeat"})", nullptr},
  };
  for (const Case& each : cases) {
    device.session->on_text(each.text);
    const auto errors = device.peer.take_all<protocol::LinkError>();
    ASSERT_EQ(errors.size(), each.code == nullptr ? 0u : 1u) << each.text.substr(0, 80);
    if (errors.empty()) continue;
    EXPECT_EQ(errors[0].code, each.code);
    EXPECT_FALSE(errors[0].message.empty());
    EXPECT_LT(errors[0].message.size(), 1100u);
  }
  for (int i = 0; i < 500; ++i)
    device.session->on_text("nonsense");
  EXPECT_LT(device.peer.sent.size(), 10u);
  EXPECT_FALSE(device.peer.closed);
  device.peer.sent.clear();
  clock.advance(Seconds(21));
  hub.sessions().tick();
  device.session->on_text("nonsense");
  EXPECT_EQ(device.peer.sent.size(), 1u) << "told again after a while";
}

TEST_F(FlatClientTest, AFlatClientIsSeenWheneverItShowsItselfAndGoneWithItsLink) {
  TestDevice& device = add_device_without_key();
  DeviceRecord& record = hub.records().edit("default", device.id);
  record.rest_status = "online";  // of its registration
  const auto seen = [&] { return hub.records().find(device.id)->last_seen_ms; };
  const auto now = [&] { return clock.wall().time_since_epoch().count(); };
  device.session = hub.sessions().accept({"default", device.id, true, 0});
  device.session->on_open(device.peer);
  EXPECT_EQ(seen(), now());
  clock.advance(Seconds(21));
  hub.sessions().tick();
  device.session->on_pong();
  EXPECT_EQ(seen(), now());
  clock.advance(Seconds(5));
  device.session->on_close(ws::CloseCode::normal, "");
  EXPECT_EQ(seen(), now());
  const FleetState& state = *hub.changes().published("default");
  EXPECT_FALSE(hub.sessions().present(*state.device(device.id))) << "presence came from the link";
}

}  // namespace
}  // namespace starling::hub
