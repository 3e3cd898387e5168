// Purpose: for tests of the API: a device with an open link that is only its messages.
// Owner: the test. Thread: one. Lifetime: shorter than the fixture's hub.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hub/api/api_fixture.hpp"
#include "hub/device_link/link_fixture.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

class LinkedDevice {
 public:
  // Its components are those of `hotword`; it applies its settings at once. `takes_releases`: and runs none.
  LinkedDevice(ApiFixture& api, std::string id, std::vector<std::string> modules,
               protocol::SessionEpoch epoch = {1, 1}, bool takes_releases = false)
      : api_(api), id_(std::move(id)) {
    session_ = api_.hub->sessions().accept({"default", id_, true, protocol::protocol_version});
    session_->on_open(peer);
    peer.take();
    protocol::Handshake handshake;
    handshake.device_id = id_;
    handshake.boot_id = "boot";
    handshake.epoch = epoch;
    handshake.agent_version = "1.2.0";
    handshake.components = {{"hotword", {}}};
    handshake.modules = std::move(modules);
    if (takes_releases) {
      handshake.capabilities = {{protocol::ties_sections, true}};
      handshake.sections.push_back({protocol::Section::software, protocol::empty_section_hash(), {}});
    }
    say(handshake);
    apply_settings();
  }

  void say(const protocol::FromDevice& message) {
    session_->on_text(protocol::encode(message));
    api_.settle();
  }
  std::vector<protocol::ConfigUpdate> updates(protocol::Section section) {
    auto all = peer.take_all<protocol::ConfigUpdate>();
    std::erase_if(all, [&](const auto& update) { return update.section != section; });
    return all;
  }
  void apply_settings() {
    for (const auto& update : updates(protocol::Section::settings))
      answer(update, protocol::Phase::applied);
  }
  void answer(const protocol::ConfigUpdate& update, protocol::Phase phase,
              std::vector<protocol::KeyError> errors = {}) {
    // What is refused, or tried beside something that is, is not all in force.
    const bool whole = phase != protocol::Phase::refused && errors.empty();
    const bool of_settings = update.section == protocol::Section::settings;
    const Digest before = of_settings ? settings_ : protocol::empty_section_hash();
    if (of_settings && whole) settings_ = update.hash;
    if (of_settings && whole) settings_revision_ = update.revision;
    const std::int64_t runs = of_settings ? settings_revision_ : update.revision;
    say(protocol::ConfigStatus{update.section, update.hash, runs, whole ? update.hash : before, phase,
                               std::move(errors)});
  }
  void report(std::string_view reported) {
    protocol::Heartbeat heartbeat;
    heartbeat.reported = parse_json(reported)->get_object();
    say(heartbeat);
  }
  void leave() { session_.reset(); }

  RecordingPeer peer;

 private:
  ApiFixture& api_;
  std::string id_;
  Digest settings_ = protocol::empty_section_hash();
  std::int64_t settings_revision_ = 0;
  std::unique_ptr<ws::Session> session_;
};

// Writes settings, and asks what the devices have made of it.
class ChangeProgressTest : public ApiTest {
 protected:
  std::int64_t write(const std::string& body) {
    const auto answer = put("/api/v1/settings", body);
    EXPECT_EQ(answer.status, 200) << answer.response.body;
    settle();
    return answer.at("/revision").as_int64();
  }
  Answered progress(std::int64_t revision) {
    return get("/api/v1/changes/" + std::to_string(revision) + "/progress");
  }
};

}  // namespace starling::hub
