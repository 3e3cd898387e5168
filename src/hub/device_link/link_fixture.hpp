// Purpose: for tests of the device link: a hub on a virtual clock, and devices that are only their messages.
// Owner: the test. Thread: one. Lifetime: that of the test.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.hpp"
#include "hub/hub.hpp"
#include "hub/queue_executor.hpp"
#include "hub/state/scripted_store.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/merge_patch.hpp"

namespace starling::hub {

// Keeps what the session sends.
class RecordingPeer final : public ws::Peer {
 public:
  void send(ws::SharedFrame frame) override { sent.push_back(payload_of(*frame)); }
  void send_text(std::string_view text) override { sent.emplace_back(text); }
  void ping() override { ++pings; }
  void close(ws::CloseCode code, std::string_view) override { closed = code; }
  void abort() override { aborted = true; }
  std::size_t queued_bytes() const override { return queued; }
  std::string_view address() const override { return "127.0.0.1"; }

  std::vector<protocol::FromHub> take() {
    std::vector<protocol::FromHub> messages;
    for (const std::string& text : std::exchange(sent, {})) {
      auto message = protocol::decode_from_hub(text);
      EXPECT_TRUE(message) << text;
      if (message) messages.push_back(*std::move(message));
    }
    return messages;
  }
  template <typename T>
  std::vector<T> take_all() {
    std::vector<T> found;
    for (auto& message : take()) {
      if (auto* known = std::get_if<T>(&message)) found.push_back(std::move(*known));
    }
    return found;
  }

  std::vector<std::string> sent;
  int pings = 0;
  std::optional<ws::CloseCode> closed;
  bool aborted = false;
  std::size_t queued = 0;

 private:
  // RFC 6455 section 5.2, unmasked.
  static std::string payload_of(const std::string& frame) {
    const auto length = static_cast<unsigned char>(frame.at(1));
    const std::size_t header = length < 126 ? 2 : length == 126 ? 4 : 10;
    return frame.substr(header);
  }
};

struct TestDevice {
  std::string id;
  Ed25519KeyPair keys = make_ed25519_key_pair();
  protocol::SessionEpoch epoch{1, 0};
  Digest applied;
  Digest refused;
  Json document;
  protocol::Cursor cursor;
  std::vector<std::string> modules;
  Digest modules_applied = protocol::empty_section_hash();
  Digest modules_refused;
  std::vector<protocol::PendingEdit> pending;
  std::string serial = "serial-1";
  std::map<std::string, Digest, std::less<>> components{{"hotword", {}}};
  RecordingPeer peer;
  std::unique_ptr<ws::Session> session;
};

template <typename T>
std::vector<T> only(const std::vector<protocol::FromHub>& messages) {
  std::vector<T> found;
  for (const auto& message : messages) {
    if (const auto* known = std::get_if<T>(&message)) found.push_back(*known);
  }
  return found;
}

class LinkFixture : public ::testing::Test {
 protected:
  LinkFixture() {
    EXPECT_TRUE(hub.load());
    const Json hotword{
        {"x-component", "hotword"},
        {"title", "Hotword"},
        {"type", "object"},
        {"properties",
         {{"models",
           {{"type", "array"},
            {"items", {{"type", "string"}}},
            {"default", JsonArray{}},
            {"x-alias", "HOTWORD_MODELS"}}},
          {"threshold", {{"type", "number"}, {"minimum", 0}, {"maximum", 1}, {"default", 0.5}}},
          {"engine", {{"type", "string"}, {"default", "a"}, {"x-owner", "hub"}}}}}};
    change({{EntityKind::component, "hotword", hotword}});
  }
  ~LinkFixture() override {
    for (auto& device : devices)
      device->session.reset();
  }

  // Appends one change of the given entities and lets everything settle.
  void change(const std::vector<std::tuple<EntityKind, std::string, Json>>& bodies) {
    Result<SharedChange> outcome = fail(ErrorCode::internal, "not answered");
    hub.changes().append(
        "default",
        [&](const FleetState& head, std::int64_t) -> Result<Draft> {
          Draft draft;
          for (const auto& [kind, id, body] : bodies)
            draft.edits.push_back(head.edit(kind, id, body));
          return draft;
        },
        [&](Result<SharedChange> answer) { outcome = std::move(answer); });
    executor.run_all();
    ASSERT_TRUE(outcome) << outcome.error().message;
  }
  void set(const std::string& layer, const std::string& key, const Json& value) {
    change({{EntityKind::setting, layer + " " + key, value}});
  }

  TestDevice& add_device(const std::string& room = "nursery", bool with_key = true) {
    auto& device = *devices.emplace_back(std::make_unique<TestDevice>());
    device.id = make_uuid_v7(clock.wall());
    Device entity;
    entity.name = "device " + std::to_string(devices.size());
    if (with_key) entity.public_key = base64url_encode(device.keys.public_key);
    entity.serial = device.serial;
    entity.labels = {{"room", room}};
    change({{EntityKind::device, device.id, entity.to_json()}});
    return device;
  }

  // As the documents' clients register.
  TestDevice& add_device_without_key() { return add_device("nursery", false); }

  void connect(TestDevice& device, bool token_valid = true) {
    device.peer = {};
    device.session = hub.sessions().accept({"default", device.id, token_valid, protocol::protocol_version});
    device.session->on_open(device.peer);
  }
  protocol::Handshake handshake_of(TestDevice& device) {
    auto challenges = device.peer.take_all<protocol::Challenge>();
    EXPECT_EQ(challenges.size(), 1u);
    ++device.epoch.connection;
    protocol::Handshake handshake;
    handshake.device_id = device.id;
    handshake.boot_id = "boot";
    handshake.cursor = device.cursor;
    handshake.epoch = device.epoch;
    handshake.agent_version = "1.0";
    handshake.serial = device.serial;
    handshake.components = device.components;
    handshake.modules = device.modules;
    handshake.sections = {{protocol::Section::settings, device.applied, device.refused},
                          {protocol::Section::modules, device.modules_applied, device.modules_refused}};
    handshake.pending = device.pending;
    handshake.nonce = challenges.empty() ? "" : challenges.front().nonce;
    handshake.proof =
        base64url_encode(*ed25519_sign(device.keys.private_key, protocol::handshake_proof_text(handshake)));
    return handshake;
  }
  void say(TestDevice& device, const protocol::FromDevice& message) {
    device.session->on_text(protocol::encode(message));
    executor.run_all();
  }
  // Connects, proves itself and gives what the hub said after the challenge.
  std::vector<protocol::FromHub> join(TestDevice& device, bool token_valid = true) {
    connect(device, token_valid);
    say(device, handshake_of(device));
    return device.peer.take();
  }
  // Applies an update as an agent would and reports it.
  void apply(TestDevice& device, const protocol::ConfigUpdate& update,
             protocol::Phase phase = protocol::Phase::applied) {
    if (update.base) {
      EXPECT_EQ(update.base, device.applied);
      protocol::apply_merge_patch(device.document, update.payload);
    } else {
      device.document = update.payload;
    }
    EXPECT_EQ(protocol::hash_of(device.document), update.hash);
    device.applied = update.hash;
    say(device, protocol::ConfigStatus{
                    protocol::Section::settings, update.hash, update.revision, update.hash, phase, {}});
  }
  SyncStatus sync(const TestDevice& device) {
    const FleetState& state = *hub.changes().published("default");
    return hub.sessions().sync_status(*state.device(device.id));
  }

  QueueExecutor executor;
  ScriptedStore store{executor};
  ManualClock clock;
  Hub hub{store, executor, clock, nullptr, Sessions::Options{}};
  std::vector<std::unique_ptr<TestDevice>> devices;
};

}  // namespace starling::hub
