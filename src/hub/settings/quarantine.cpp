#include "hub/settings/quarantine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "hub/settings/documents.hpp"

namespace starling::hub {

namespace {

using protocol::EffectiveSetting;
using protocol::KeyError;

template <typename Settings>
auto find_setting(Settings& effective, std::string_view key) {
  return std::ranges::find(effective, key,
                           [](const EffectiveSetting& each) { return std::string_view(each.schema->key); });
}

std::optional<protocol::StackEntry> persona_switch(const FleetState::Stack& stack) {
  return protocol::winner_of(protocol::persona_active_key, nullptr, stack.layers);
}

bool decides(const KeptSetting& kept, const protocol::SettingSchema* schema,
             const protocol::Catalog& catalog) {
  if (kept.value.is_null()) return true;
  const auto* component = catalog.component(protocol::component_of(schema->key));
  return component != nullptr && component->validate(kept.key, kept.value);
}

// What a device is brought that it does not have.
class News {
 public:
  News(const DesiredSection& running, const FleetState::Stack& stack,
       std::span<const EffectiveSetting> effective)
      : running_(running), effective_(effective), switch_(persona_switch(stack)) {
    const std::string persona = stack.persona == nullptr ? "" : stack.persona->name;
    if (persona == running.persona) switch_.reset();
  }

  void refuse(const KeyError& error) {
    if (switch_ && error.key == protocol::persona_active_key) return refuse_switch(error.message);
    const auto found = find_setting(effective_, error.key);
    if (found == effective_.end()) return;
    if (!is_new(*found)) return refuse_all(error);
    if (switch_ && comes_with_persona(*found)) return refuse_switch(reason(error));
    if (found->revision > 0) refused_.emplace(found->revision, error);
  }

  KeptSettings kept() const {
    KeptSettings kept;
    if (switch_ && switch_why_) {
      kept.push_back({std::string(protocol::persona_active_key), switch_->entry->revision,
                      running_.persona.empty() ? Json() : Json(running_.persona), *switch_why_});
    }
    for (const EffectiveSetting& each : effective_) {
      const auto by = refused_.find(each.revision);
      const bool apart = by != refused_.end() && is_new(each);
      if (!apart || (switch_why_ && comes_with_persona(each))) continue;
      const Json* value = running_.value(each.schema->key);
      const bool itself = by->second.key == each.schema->key;
      kept.push_back({each.schema->key, each.revision, value == nullptr ? Json() : *value,
                      itself ? by->second.message : reason(by->second)});
    }
    // The causes first.
    std::ranges::stable_partition(kept, [&](const KeptSetting& each) {
      const auto by = refused_.find(each.revision);
      return by == refused_.end() || by->second.key == each.key;
    });
    return kept;
  }

 private:
  static std::string reason(const KeyError& error) {
    return fmt::format("it came with {}, which is refused: {}", error.key, error.message);
  }

  bool is_new(const EffectiveSetting& each) const {
    const Json* has = running_.value(each.schema->key);
    return has == nullptr || *has != *each.value;
  }
  // Or is there because the former one has taken its value away.
  static bool comes_with_persona(const EffectiveSetting& each) {
    return each.layer == nullptr || each.layer->kind == protocol::LayerKind::persona;
  }

  void refuse_switch(std::string why) {
    if (!switch_why_) switch_why_ = std::move(why);
  }
  void refuse_all(const KeyError& error) {
    const std::string why = fmt::format("it came while {} was refused: {}", error.key, error.message);
    if (switch_) refuse_switch(why);
    for (const EffectiveSetting& each : effective_) {
      if (each.revision > 0 && is_new(each)) refused_.emplace(each.revision, error);
    }
  }

  const DesiredSection& running_;
  std::span<const EffectiveSetting> effective_;
  std::optional<protocol::StackEntry> switch_;  // if the persona is another one
  std::optional<std::string> switch_why_;       // it is refused
  std::map<std::int64_t, KeyError> refused_;    // by the revision that brought it
};

}  // namespace

JsonArray to_json(const KeptSettings& kept) {
  JsonArray list;
  for (const KeptSetting& each : kept) {
    list.push_back(
        JsonObject{{"key", each.key}, {"revision", each.revision}, {"value", each.value}, {"why", each.why}});
  }
  return list;
}

KeptSettings kept_from_json(const Json* json) {
  KeptSettings kept;
  if (json == nullptr || !json->is_array()) return kept;
  for (const Json& one : json->get_array()) {
    if (!one.is_object()) continue;
    const JsonReader reader(one.get_object());
    const Json* value = one.get_object().if_contains("value");
    KeptSetting setting{reader.string("key").value_or(""), reader.integer("revision").value_or(0),
                        value == nullptr ? Json() : *value, reader.string("why").value_or("")};
    if (!setting.key.empty() && setting.revision > 0) kept.push_back(std::move(setting));
  }
  return kept;
}

std::optional<KeptPersona> kept_persona(const KeptSettings& kept) {
  const auto found = std::ranges::find(kept, protocol::persona_active_key, &KeptSetting::key);
  if (found == kept.end()) return std::nullopt;
  return KeptPersona{found->revision,
                     found->value.is_string() ? std::string(found->value.get_string()) : std::string()};
}

KeptSettings lay_over(const KeptSettings& kept, const FleetState::Stack& stack,
                      const protocol::Catalog& catalog, std::vector<EffectiveSetting>& effective) {
  KeptSettings apart;
  for (const KeptSetting& each : kept) {
    if (each.key == protocol::persona_active_key) {
      const auto active = persona_switch(stack);
      if (active && active->entry->revision == each.revision) apart.push_back(each);
      continue;
    }
    const auto found = find_setting(effective, each.key);
    if (found == effective.end() || found->revision != each.revision) continue;
    if (!decides(each, found->schema, catalog)) continue;
    found->value = each.value.is_null() ? &found->schema->default_value : &each.value;
    apart.push_back(each);
  }
  return apart;
}

KeptSettings refused_with(std::span<const KeyError> errors, const DesiredSection& running,
                          const FleetState::Stack& stack, std::span<const EffectiveSetting> effective) {
  News news(running, stack, effective);
  for (const KeyError& error : errors)
    news.refuse(error);
  return news.kept();
}

}  // namespace starling::hub
