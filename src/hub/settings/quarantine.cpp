#include "hub/settings/quarantine.hpp"

#include <algorithm>

namespace starling::hub {

namespace {

// Its schema may have become another one since.
bool is_valid(const QuarantinedSetting& kept, const protocol::Catalog& catalog) {
  if (kept.value.is_null()) return true;
  const auto* component = catalog.component(protocol::component_of(kept.key));
  return component != nullptr && component->validate(kept.key, kept.value);
}

}  // namespace

std::size_t bytes_of(const Quarantine& quarantine) {
  return quarantine.empty() ? 0 : boost::json::serialize(to_json(quarantine)).size();
}

JsonArray to_json(const Quarantine& quarantine) {
  JsonArray list;
  for (const QuarantinedSetting& each : quarantine) {
    list.push_back(JsonObject{{"key", each.key},
                              {"revision", each.revision},
                              {"value", each.value},
                              {"why", each.why},
                              {"with", each.with},
                              {"ran", each.ran},
                              {"offered", each.offered}});
  }
  return list;
}

Quarantine quarantine_from_json(const Json* json) {
  Quarantine quarantine;
  if (json == nullptr || !json->is_array()) return quarantine;
  for (const Json& one : json->get_array()) {
    if (!one.is_object()) continue;
    const JsonReader reader(one.get_object());
    const Json* value = one.get_object().if_contains("value");
    QuarantinedSetting setting{reader.string("key").value_or(""),    reader.integer("revision").value_or(0),
                               value == nullptr ? Json() : *value,   reader.string("why").value_or(""),
                               reader.string("with").value_or(""),   reader.integer("ran").value_or(0),
                               reader.integer("offered").value_or(0)};
    if (!setting.key.empty() && setting.revision > 0) quarantine.push_back(std::move(setting));
  }
  return quarantine;
}

const QuarantinedSetting* find(const Quarantine& quarantine, std::string_view key) {
  const auto found = std::ranges::find(quarantine, key, &QuarantinedSetting::key);
  return found == quarantine.end() ? nullptr : &*found;
}

std::optional<KeptPersona> kept_persona(const Quarantine& quarantine) {
  const QuarantinedSetting* kept = find(quarantine, protocol::persona_active_key);
  if (kept == nullptr) return std::nullopt;
  return KeptPersona{kept->revision, kept->value.is_string() ? std::string(kept->value.get_string()) : ""};
}

std::vector<std::string> lay_over(const Quarantine& quarantine, const FleetState& state,
                                  const FleetState::Stack& stack,
                                  std::vector<protocol::EffectiveSetting>& effective) {
  std::vector<std::string> in_force;  // causes come first
  for (const QuarantinedSetting& each : quarantine) {
    if (each.key == protocol::persona_active_key) {
      if (stack.keeps_persona) in_force.push_back(each.key);
      continue;
    }
    const auto found =
        std::ranges::find(effective, each.key, [](const auto& setting) { return setting.schema->key; });
    if (found == effective.end() || found->revision != each.revision) continue;
    const bool cause_is_over = !each.with.empty() && std::ranges::find(in_force, each.with) == in_force.end();
    if (cause_is_over || !is_valid(each, state.catalog())) continue;
    found->value = each.value.is_null() ? &found->schema->default_value : &each.value;
    in_force.push_back(each.key);
  }
  return in_force;
}

std::vector<protocol::KeyError> reasons_of(const Quarantine& quarantine,
                                           const std::vector<std::string>& keys) {
  std::vector<protocol::KeyError> reasons;
  for (const std::string& key : keys) {
    const QuarantinedSetting* kept = find(quarantine, key);
    reasons.push_back({key, kept == nullptr ? "it was refused" : kept->why});
  }
  return reasons;
}

}  // namespace starling::hub
