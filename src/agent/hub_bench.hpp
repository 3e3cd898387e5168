// Purpose: a hub for one device, in memory, for tests of whole devices: offers its document, takes every edit
// once, and keeps what it is told. Owner: a test. Thread: one. Lifetime: a test; it outlives agents.
#pragma once

#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "agent/settings/values.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/merge_patch.hpp"
#include "protocol/messages.hpp"
#include "protocol/modules_document.hpp"

namespace starling::agent {

class HubBench {
 public:
  explicit HubBench(const protocol::Catalog& catalog) : settings_(default_document(catalog)) {}

  // ---- what operators do; push() brings it to a device that is connected
  void set(const std::string& key, const Json& value) {
    if (std::exchange(settings_.settings[key], value) != value) ++revision_;
  }
  void enable(const std::string& module, bool enabled) {
    const Json value = JsonObject{{"enabled", enabled}};
    if (std::exchange(modules_[module], value) != value) ++revision_;
  }
  void leave_open(const std::string& module) {  // no layer says anything of it any more
    if (modules_.erase(module) > 0) ++revision_;
  }
  std::vector<protocol::FromHub> push() {
    std::vector<protocol::FromHub> updates;
    for (const auto section : {protocol::Section::settings, protocol::Section::modules}) {
      const Digest hash = wanted(section);
      if (offered_[section] == hash || states[section].applied == hash || states[section].refused == hash)
        continue;
      offered_[section] = hash;
      updates.push_back(update(section));
    }
    return updates;
  }

  // ---- the link
  std::vector<protocol::FromHub> greet() {
    offered_.clear();
    reported.clear();
    return {protocol::Challenge{"nonce"}};
  }
  std::vector<protocol::FromHub> hear(const protocol::FromDevice& message) {
    return std::visit([this](const auto& one) { return on(one); }, message);
  }

  // ---- what it knows
  Digest wanted(protocol::Section section) const {
    return section == protocol::Section::settings ? settings_.hash() : protocol::hash_of(modules_);
  }
  std::set<std::string> devices;
  std::map<protocol::Section, protocol::SectionState> states;
  std::map<protocol::Section, protocol::ConfigStatus> told;
  JsonObject reported;
  std::vector<std::string> accepted;   // edits, in their order: "modules.a.enabled=false"
  std::vector<std::string> conflicts;  // the same

 private:
  using Answers = std::vector<protocol::FromHub>;

  Answers on(const protocol::Handshake& handshake) {
    devices.insert(handshake.device_id);
    for (const protocol::SectionState& state : handshake.sections)
      states[state.section] = state;
    Answers answers{protocol::Welcome{0, 300, "g1", revision_, "", ""}};
    settle(handshake.pending, answers);
    return answers;
  }
  Answers on(const protocol::ConfigPropose& proposal) {
    Answers answers;
    settle(proposal.edits, answers);
    return answers;
  }
  Answers on(const protocol::ConfigStatus& status) {
    told[status.section] = status;
    states[status.section].applied = status.running;
    const bool refused =
        status.phase == protocol::Phase::refused || status.phase == protocol::Phase::reverted;
    states[status.section].refused = refused ? status.target : Digest();
    return {};
  }
  Answers on(const protocol::Heartbeat& beat) {
    for (const protocol::SectionState& state : beat.sections)
      states[state.section] = state;
    Json whole = reported;
    protocol::apply_merge_patch(whole, Json(beat.reported));
    reported = whole.get_object();
    return {};
  }
  Answers on(const protocol::ConfigRequest& request) { return {update(request.section)}; }
  template <typename Other>
  Answers on(const Other&) {
    return {};
  }

  void settle(const std::vector<protocol::PendingEdit>& edits, Answers& answers) {
    for (const protocol::PendingEdit& edit : edits)
      answers.emplace_back(settle(edit));
    std::ranges::move(push(), std::back_inserter(answers));
  }
  const protocol::ConfigProposed& settle(const protocol::PendingEdit& edit) {
    protocol::ConfigProposed& answer = answers_[edit.id];
    if (!answer.id.empty()) return answer;
    answer.id = edit.id;
    answer.hub_value = value(edit.key);
    answer.accepted = answer.hub_value == edit.from;
    (answer.accepted ? accepted : conflicts).push_back(edit.key + "=" + boost::json::serialize(edit.to));
    if (!answer.accepted) return answer;
    if (const auto module = protocol::module_of(edit.key)) {
      enable(std::string(*module), edit.to.get_bool());
    } else {
      set(edit.key, edit.to);
    }
    answer.revision = revision_;
    return answer;
  }
  Json value(const std::string& key) const {
    if (const auto module = protocol::module_of(key)) {
      const Json* said = modules_.if_contains(*module);
      return said == nullptr ? Json() : said->at("enabled");
    }
    return settings_.settings.at(key);
  }
  protocol::ConfigUpdate update(protocol::Section section) const {
    protocol::ConfigUpdate update;
    update.section = section;
    update.revision = revision_;
    update.hub_generation = "g1";
    update.hash = wanted(section);
    update.payload = section == protocol::Section::settings ? settings_.to_json() : Json(modules_);
    return update;
  }

  protocol::SettingsDocument settings_;
  JsonObject modules_;
  std::int64_t revision_ = 1;
  std::map<std::string, protocol::ConfigProposed> answers_;  // by edit
  std::map<protocol::Section, Digest> offered_;              // in this session
};

}  // namespace starling::agent
