#include "hub/rollouts/rollout_judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <vector>

#include "hub/device_link/device_records.hpp"
#include "hub/device_link/told_json.hpp"
#include "hub/settings/explain.hpp"
#include "hub/settings/masking.hpp"

namespace starling::hub {
namespace {

using protocol::KeyError;
using protocol::Section;
using BroughtKeys = std::vector<std::string_view>;  // that the rollout brings to the device

bool says_the_same(const DesiredSection& one, const DesiredSection& other, std::string_view key) {
  if (key == protocol::persona_active_key) return one.persona == other.persona;
  const Json* left = one.value(key);
  const Json* right = other.value(key);
  return left == nullptr || right == nullptr ? left == right : *left == *right;
}

// Whether the device has a component or a module that this is for. Every one has software.
bool is_of(const DesiredSection& wanted, const RolloutValue& value) {
  const std::string& key = value.setting.key;
  return value.value.is_null() || wanted.name == Section::software || key == protocol::persona_active_key ||
         wanted.value(key) != nullptr;
}

// Whether a device that has `running` must take something else too on its way to `wanted`.
bool differs_elsewhere(const DesiredSection& running, const DesiredSection& wanted,
                       const BroughtKeys& brought) {
  const Json* now = running.json.get_object().if_contains("settings");
  const Json* then = wanted.json.get_object().if_contains("settings");
  if (now == nullptr || then == nullptr) return now != then;
  const auto differs = [&](const auto& member) {
    return std::ranges::find(brought, std::string_view(member.key())) == brought.end() &&
           !says_the_same(running, wanted, member.key());
  };
  return std::ranges::any_of(then->get_object(), differs) || std::ranges::any_of(now->get_object(), differs);
}

std::string reason_of(const std::vector<KeyError>& errors, const SectionRecord& told) {
  std::string reason;
  for (const KeyError& error : errors)
    reason += (reason.empty() ? "" : "; ") + (error.key.empty() ? "" : error.key + ": ") + error.message;
  return reason.empty() ? fmt::format("{}, without a reason", to_string(told.phase)) : reason;
}

// Of a release that the device has ready; agents of before say it to people alone.
WallTime hour_in(const DeviceRecord& record) {
  const auto facts = DeviceFacts::parse(record.facts);
  const JsonObject* software = facts ? object_in(facts->reported, "software") : nullptr;
  if (software == nullptr) return {};
  const WallTime at{Milliseconds(JsonReader(*software).integer("switches_at_ms").value_or(0))};
  return at > WallTime() && at <= last_rfc3339 ? at : WallTime();
}

class Judge {
 public:
  Judge(const WrittenNames& names, const JudgedDevice& judged, const DesiredDocument& desired,
        const Documents& documents)
      : names_(names), judged_(judged), desired_(desired), documents_(documents) {}

  Outcome of(Section section, const BroughtKeys& brought) const {
    const SectionRecord& told = judged_.record.section(section);
    const DesiredSection& wanted = *desired_.section(section);
    if (section == Section::software && !judged_.record.takes_releases()) return {};
    if (const auto why = refused_of(wanted, brought); !why.empty())
      return {Outcome::Kind::failed, {}, reason_of(why, told)};
    const SharedSection known = section_of_hash(told.running, section);
    const SharedSection refused = told.refused ? section_of_hash(told.refused, section) : nullptr;
    const auto brings_them = [&](const SharedSection& there) {
      return there && std::ranges::all_of(
                          brought, [&](std::string_view key) { return says_the_same(*there, wanted, key); });
    };
    const bool has_them = brings_them(known);
    const bool on_trial = told.phase == protocol::Phase::provisional;
    // Settings and releases are in force whole or not at all, modules but for those that were refused.
    const bool may_refuse = section == Section::modules || !has_them;
    if (may_refuse && !on_trial && told.running != wanted.hash && brings_them(refused)) {
      return refusal(brought, known.get(), *refused);
    }
    if (has_them && !on_trial) return {Outcome::Kind::done, {}, {}};
    // It has something else on trial, or under way.
    const bool had_them = judged_.before.kind == Outcome::Kind::done;
    if (had_them && (has_them || !known)) return {Outcome::Kind::done, {}, {}};
    Outcome none;
    none.on_trial = has_them && on_trial;
    if (section == Section::software && told.phase == protocol::Phase::staging)
      none.switches_at = hour_in(judged_.record);
    return none;
  }

 private:
  SharedSection section_of_hash(const Digest& hash, Section section) const {
    const SharedSection& wanted = desired_.section(section);
    return hash == wanted->hash ? wanted : documents_.recent(hash);
  }

  std::vector<KeyError> refused_of(const DesiredSection& wanted, const BroughtKeys& brought) const {
    std::vector<std::string> refused = wanted.quarantined;
    std::erase_if(refused, [&](const std::string& key) {
      return std::ranges::find(brought, std::string_view(key)) == brought.end();
    });
    if (refused.empty()) return {};
    return reasons_of(DeviceFacts::parse(judged_.record.facts).value_or(DeviceFacts{}).quarantine, refused);
  }

  Outcome refusal(const BroughtKeys& brought, const DesiredSection* known,
                  const DesiredSection& refused) const {
    const Section section = refused.name;
    auto facts = DeviceFacts::parse(judged_.record.facts).value_or(DeviceFacts{});
    const std::vector<KeyError>& all = facts.errors_of(section);
    std::vector<KeyError> errors;
    std::ranges::copy_if(all, std::back_inserter(errors), [&](const KeyError& error) {
      return section == Section::settings ? answers(error, brought, known, refused)
                                          : names_.concerned_by(error);
    });
    if (!errors.empty() || all.empty()) {
      return {Outcome::Kind::failed, {}, reason_of(errors, judged_.record.section(section))};
    }
    if (section == Section::modules) return {Outcome::Kind::done, {}, {}};
    return {Outcome::Kind::hindered, {}, reason_of(all, judged_.record.section(section))};
  }

  // A value that it had before may be named because it does not go with a new one. If somebody else's is new
  // as well, and the device names neither, nobody knows which of them it refused.
  bool answers(const KeyError& error, const BroughtKeys& brought, const DesiredSection* known,
               const DesiredSection& refused) const {
    const auto is_brought = [&](std::string_view key) {
      return key == error.key || key == protocol::persona_active_key;
    };
    if (std::ranges::any_of(brought, is_brought)) return true;
    const bool is_setting = judged_.state.catalog().find(error.key) != nullptr;
    if (known == nullptr) return !is_setting;
    return is_setting ? says_the_same(*known, refused, error.key)
                      : !differs_elsewhere(*known, refused, brought);
  }

  const WrittenNames& names_;
  const JudgedDevice& judged_;
  const DesiredDocument& desired_;
  const Documents& documents_;
};

}  // namespace

Outcome judge(const RolloutRecord& rollout, const WrittenNames& names, const JudgedDevice& judged,
              Documents& documents) {
  const FleetState& state = judged.state;
  if (!rollout.gate().admits(judged.device.id, judged.device.labels)) return {};
  const FleetState::Stack stack = state.stack(judged.device);
  const DesiredDocument desired = documents.desired(state, judged.device, declared_by(state, &judged.record));
  std::map<Section, BroughtKeys> brought;
  const bool keeps_persona = desired.settings->holds_back(protocol::persona_active_key);
  bool is_masked = false;
  const bool is_tied = !tied_releases(rollout.plan).empty();
  for (const RolloutValue& each : rollout.plan.values) {
    const std::string& key = each.setting.key;
    if (!is_in_force(state, stack, each, rollout.id)) {
      is_masked = true;
      if (is_tied && key == protocol::software_release_key) return {Outcome::Kind::masked, {}, {}};
    } else if (is_of(*desired.section(section_of(key)), each)) {
      brought[section_of(key)].push_back(key);
    }
    // With a persona that the device refuses, all that comes by it.
    if (each.setting.layer.kind == protocol::LayerKind::persona && keeps_persona) {
      brought[Section::settings].push_back(protocol::persona_active_key);
    }
  }
  if (brought.empty()) return {is_masked ? Outcome::Kind::masked : Outcome::Kind::lacking, {}, {}};
  const Judge judge(names, judged, desired, documents);
  Outcome whole{Outcome::Kind::done, {}, {}};
  for (const auto& [section, keys] : brought) {
    Outcome outcome = judge.of(section, keys);
    if (outcome.kind == Outcome::Kind::failed) return outcome;
    const bool holds_up = outcome.kind == Outcome::Kind::hindered || whole.kind == Outcome::Kind::done;
    if (outcome.kind != Outcome::Kind::done && holds_up) whole = std::move(outcome);
  }
  const bool has_failed = judged.before.kind == Outcome::Kind::failed;
  return whole.kind == Outcome::Kind::none && has_failed ? judged.before : whole;
}

}  // namespace starling::hub
