#include "agent/settings/values.hpp"

#include "protocol/canonical_json.hpp"

namespace starling::agent {

bool same_value(const Json& a, const Json& b) {
  return a == b || protocol::canonical_json(a) == protocol::canonical_json(b);
}

Values values_in_force(const protocol::Catalog& catalog, const protocol::SettingsDocument& document,
                       const JournalEntries& edits) {
  Values values;
  for (const auto& [name, component] : catalog.components()) {
    for (const protocol::SettingSchema& setting : component->settings()) {
      const auto written = document.settings.find(setting.key);
      if (written != document.settings.end()) {
        if (auto valid = component->validate(setting.key, written->second)) {
          values.emplace(setting.key, std::move(*valid));
          continue;
        }
      }
      values.emplace(setting.key, setting.default_value);
    }
  }
  for (const JournalEntry& entry : edits) {
    const auto value = values.find(entry.edit.key);
    if (value == values.end() || entry.edit.to.is_null()) continue;
    if (auto valid = catalog.validate(entry.edit.key, entry.edit.to)) value->second = std::move(*valid);
  }
  if (const Json* name = document.persona.if_contains("name")) {
    values.insert_or_assign(std::string(protocol::persona_active_key), *name);
  }
  return values;
}

std::vector<std::string> changed_keys(const Values& before, const Values& after) {
  std::vector<std::string> changed;
  auto old = before.begin();
  auto fresh = after.begin();
  while (old != before.end() || fresh != after.end()) {
    if (fresh == after.end() || (old != before.end() && old->first < fresh->first)) {
      changed.push_back((old++)->first);
    } else if (old == before.end() || fresh->first < old->first) {
      changed.push_back((fresh++)->first);
    } else {
      if (!same_value(old->second, fresh->second)) changed.push_back(fresh->first);
      ++old;
      ++fresh;
    }
  }
  return changed;
}

protocol::SettingsDocument default_document(const protocol::Catalog& catalog) {
  protocol::SettingsDocument document;
  for (const auto& [name, component] : catalog.components()) {
    document.components.emplace(name, component->schema_hash());
    for (const protocol::SettingSchema& setting : component->settings()) {
      document.settings.emplace(setting.key, setting.default_value);
    }
  }
  return document;
}

}  // namespace starling::agent
