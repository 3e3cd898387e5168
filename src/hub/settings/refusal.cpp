#include "hub/settings/refusal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/utf8.hpp"

namespace starling::hub {

namespace {

using protocol::EffectiveSetting;
using protocol::KeyError;

constexpr std::size_t max_reason_bytes = 1024;

// What a device is brought that it does not have.
class News {
 public:
  News(const DocumentRefusal& refusal, const FleetState& state, const FleetState::Stack& stack,
       std::span<const EffectiveSetting> effective)
      : refusal_(refusal), effective_(effective) {
    const std::string persona = stack.persona == nullptr ? "" : stack.persona->name;
    if (persona != refusal.running.persona) switch_ = state.persona_choice(stack);
  }

  void refuse(const KeyError& error) {
    if (switch_ && error.key == protocol::persona_active_key) return refuse_switch(error);
    const auto found = std::ranges::find(effective_, error.key,
                                         [](const EffectiveSetting& each) { return each.schema->key; });
    if (found == effective_.end()) return;
    if (!is_new(*found))
      return refuse_all({"", fmt::format("it may be why {} is refused: {}", error.key, error.message)});
    if (switch_ && comes_with_persona(*found)) return refuse_switch(error);
    refuse_change(found->revision, error);
  }

  Quarantine quarantined() const {
    Quarantine all;
    if (switch_why_) {
      const std::string& persona = refusal_.running.persona;
      all.push_back(entry(std::string(protocol::persona_active_key), switch_->newest,
                          persona.empty() ? Json() : Json(persona), *switch_why_));
    }
    for (const EffectiveSetting& each : effective_) {
      const auto by = refused_.find(each.revision);
      if (by == refused_.end() || !is_new(each) || (switch_why_ && comes_with_persona(each))) continue;
      const Json* value = refusal_.running.value(each.schema->key);
      all.push_back(entry(each.schema->key, each.revision, value == nullptr ? Json() : *value, by->second));
    }
    std::ranges::stable_partition(all, [](const QuarantinedSetting& each) { return each.with.empty(); });
    // What was named came with the persona, perhaps, and is not kept by itself.
    const bool switched = find(all, protocol::persona_active_key) != nullptr;
    for (QuarantinedSetting& each : all) {
      if (each.with.empty() || find(all, each.with) != nullptr) continue;
      each.with = switched ? std::string(protocol::persona_active_key) : std::string();
    }
    return all;
  }

 private:
  QuarantinedSetting entry(std::string key, std::int64_t revision, Json value, const KeyError& error) const {
    const bool is_switch = key == protocol::persona_active_key;
    std::string why = is_named(key)       ? message_of(key)
                      : error.key.empty() ? error.message
                      : is_switch         ? fmt::format("{}: {}", error.key, error.message)
                                          : fmt::format("it came with {}, which is refused", error.key);
    why.resize(cut_utf8(why, max_reason_bytes).size());
    const bool itself = is_named(key) || is_switch;
    std::string with = itself ? std::string() : error.key;
    return {std::move(key),  revision,     std::move(value), std::move(why),
            std::move(with), refusal_.ran, refusal_.offered};
  }
  bool is_named(std::string_view key) const {
    return std::ranges::find(refusal_.errors, key, &KeyError::key) != refusal_.errors.end();
  }
  std::string message_of(std::string_view key) const {
    return std::ranges::find(refusal_.errors, key, &KeyError::key)->message;
  }

  bool is_new(const EffectiveSetting& each) const {
    const Json* has = refusal_.running.value(each.schema->key);
    return has == nullptr || *has != *each.value;
  }
  // Or is there because the former one has taken its value away.
  static bool comes_with_persona(const EffectiveSetting& each) {
    return each.layer == nullptr || each.layer->kind == protocol::LayerKind::persona;
  }

  void refuse_change(std::int64_t revision, const KeyError& error) {
    if (revision == 0) return;
    refused_.emplace(revision, error);
    if (switch_ && switch_->revision == revision && !switch_why_) switch_why_ = error;
  }
  void refuse_switch(const KeyError& error) {
    if (!switch_why_) switch_why_ = error;
    refused_.emplace(switch_->revision, error);
  }
  void refuse_all(const KeyError& error) {
    if (switch_) refuse_switch(error);
    for (const EffectiveSetting& each : effective_)
      if (is_new(each)) refuse_change(each.revision, error);
  }

  const DocumentRefusal& refusal_;
  std::span<const EffectiveSetting> effective_;
  std::optional<FleetState::PersonaChoice> switch_;  // if the persona is another one
  std::optional<KeyError> switch_why_;               // it is refused
  std::map<std::int64_t, KeyError> refused_;         // by the revision that brought it
};

}  // namespace

Quarantine quarantined_by(const DocumentRefusal& refusal, const FleetState& state,
                          const FleetState::Stack& stack, std::span<const EffectiveSetting> effective) {
  News news(refusal, state, stack, effective);
  for (const KeyError& error : refusal.errors)
    news.refuse(error);
  return news.quarantined();
}

}  // namespace starling::hub
