// The same for the device link: frames and messages that no agent of ours would send.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/crypto.hpp"
#include "base/uuid.hpp"
#include "e2e/fleet.hpp"
#include "protocol/messages.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;

class BadLink : public testing::Test {
 protected:
  BadLink() : hub(folder.path()) { hub.start(); }
  ~BadLink() override { EXPECT_EQ(hub.stop(), 0) << hub.log(); }

  // Registers a device and gives the headers of its link.
  std::map<std::string, std::string> enrol() {
    const Json registered = hub.call("POST", "/api/v1/devices/register",
                                     JsonObject{{"device_uuid", device_id},
                                                {"device_name", "bad"},
                                                {"public_key", base64url_encode(keys.public_key)},
                                                {"serial", "1"}});
    return {{"Authorization", "Bearer " + std::string(registered.at("token").as_string())},
            {"X-Device-ID", device_id},
            {"X-Starling-Protocol", "1"}};
  }

  protocol::Handshake handshake(std::string nonce) const {
    protocol::Handshake message;
    message.device_id = device_id;
    message.boot_id = make_uuid_v4();
    message.epoch = {.start = 1, .connection = 1};
    message.agent_version = "0";
    message.serial = "1";
    message.nonce = std::move(nonce);
    message.proof =
        base64url_encode(*ed25519_sign(keys.private_key, protocol::handshake_proof_text(message)));
    return message;
  }

  // What the hub closes with, whatever it says before.
  static int close_code(WebSocket& link) {
    for (;;) {
      const auto message = link.receive();
      if (!message) return 1006;
      if (message->opcode == 8) return message->close_code;
    }
  }

  TemporaryFolder folder;
  HubProcess hub;
  const std::string device_id = make_uuid_v4();
  const Ed25519KeyPair keys = make_ed25519_key_pair();
};

TEST_F(BadLink, FramesOutsideTheProtocolEndTheConnection) {
  struct Case {
    const char* what;
    std::vector<WebSocket::Frame> frames;
    int code;
  };
  const std::vector<Case> cases = {
      {"unmasked", {{.opcode = 1, .payload = "{}", .masked = false}}, 1002},
      {"a reserved bit", {{.opcode = 1, .payload = "{}", .reserved_bit = true}}, 1002},
      {"an unknown opcode", {{.opcode = 3, .payload = "{}"}}, 1002},
      {"a fragmented ping", {{.opcode = 9, .payload = "", .final = false}}, 1002},
      {"a long ping", {{.opcode = 9, .payload = std::string(126, 'x')}}, 1002},
      {"a continuation of nothing", {{.opcode = 0, .payload = "{}"}}, 1002},
      {"a text inside a text",
       {{.opcode = 1, .payload = "{", .final = false}, {.opcode = 1, .payload = "}"}},
       1002},
      {"binary", {{.opcode = 2, .payload = "{}"}}, 1003},
      {"invalid UTF-8", {{.opcode = 1, .payload = "\"\xff\""}}, 1007},
      {"an oversized frame", {{.opcode = 1, .payload = std::string(2u << 20, 'x')}}, 1009},
      {"an oversized message in fragments",
       {{.opcode = 1, .payload = std::string(200'000, 'x'), .final = false},
        {.opcode = 0, .payload = std::string(200'000, 'x'), .final = false},
        {.opcode = 0, .payload = std::string(200'000, 'x')}},
       1009},
  };
  const auto headers = enrol();
  for (const auto& bad : cases) {
    WebSocket link(hub.port(), protocol::link_path, headers);
    link.receive_type("challenge");
    for (const auto& frame : bad.frames)
      link.send(frame);
    EXPECT_THAT(close_code(link), testing::AnyOf(bad.code, 1006)) << bad.what;
  }
}

TEST_F(BadLink, MessagesThatMakeNoSenseAreAnsweredAndEndTheConnection) {
  const auto headers = enrol();
  const std::vector<std::string> first_messages = {
      "nonsense",
      "[]",
      "{}",
      R"({"type": 1})",
      R"({"type": "handshake"})",
      R"({"type": "config_status", "target": "00"})",
      "{\"type\": " + std::string(1000, '[') + "}",
  };
  for (const auto& text : first_messages) {
    WebSocket link(hub.port(), protocol::link_path, headers);
    link.receive_type("challenge");
    link.send({.payload = text});
    EXPECT_FALSE(link.receive_type("error").at("message").as_string().empty()) << text;
    EXPECT_NE(close_code(link), 1000) << text;
  }
}

TEST_F(BadLink, AProtocolVersionOfTheFutureIsToldWhichOnesThereAre) {
  WebSocket link(hub.port(), protocol::link_path, enrol());
  auto message = handshake(std::string(link.receive_type("challenge").at("nonce").as_string()));
  message.protocol = 99;
  link.send({.payload = protocol::encode(protocol::FromDevice(message))});
  const JsonObject error = link.receive_type("error");
  EXPECT_THAT(std::string(error.at("message").as_string()), HasSubstr("99"));
  EXPECT_EQ(close_code(link), 4004);
}

TEST_F(BadLink, AProofByAnotherKeyIsRefused) {
  WebSocket link(hub.port(), protocol::link_path, enrol());
  auto message = handshake(std::string(link.receive_type("challenge").at("nonce").as_string()));
  message.proof = base64url_encode(
      *ed25519_sign(make_ed25519_key_pair().private_key, protocol::handshake_proof_text(message)));
  link.send({.payload = protocol::encode(protocol::FromDevice(message))});
  link.receive_type("error");
  EXPECT_EQ(close_code(link), 4003);
}

TEST_F(BadLink, AnUnknownMessageTypeIsPassedOverByAWorkingSession) {
  WebSocket link(hub.port(), protocol::link_path, enrol());
  const auto message = handshake(std::string(link.receive_type("challenge").at("nonce").as_string()));
  link.send({.payload = protocol::encode(protocol::FromDevice(message))});
  link.receive_type("welcome");
  link.send_json(JsonObject{{"type", "of_the_future"}, {"answer", 42}});
  const Json action = hub.call("POST", "/api/v1/actions",
                               JsonObject{{"action", "echo"}, {"target", JsonObject{{"device", "bad"}}}});
  EXPECT_EQ(link.receive_type("action").at("id"), action.at("id"));
}

TEST_F(BadLink, AMessageInFragmentsWithPingsBetweenIsOneMessage) {
  WebSocket link(hub.port(), protocol::link_path, enrol());
  const auto message = handshake(std::string(link.receive_type("challenge").at("nonce").as_string()));
  const std::string text = protocol::encode(protocol::FromDevice(message));
  const std::size_t half = text.size() / 2;
  link.send({.opcode = 1, .payload = text.substr(0, half), .final = false});
  link.send({.opcode = 9, .payload = "still here"});
  link.send({.opcode = 0, .payload = text.substr(half)});
  EXPECT_FALSE(link.receive_type("welcome").at("hub_generation").as_string().empty());
}

}  // namespace
}  // namespace starling::e2e
