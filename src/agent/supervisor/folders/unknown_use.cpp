#include "agent/supervisor/folders/unknown_use.hpp"

#include "base/nearest_name.hpp"

namespace starling::agent {
namespace {

bool is_known(const protocol::Catalog& catalog, const std::string& name) {
  const bool persona =
      name == protocol::persona_active_key || name == protocol::component_of(protocol::persona_active_key);
  if (persona || catalog.component(name) != nullptr) return true;
  const protocol::SettingSchema* setting = catalog.find(name);
  return setting != nullptr && setting->key == name;  // an alias names no setting here
}

}  // namespace

std::string unknown_use(const ModuleManifest& manifest, const protocol::Catalog& catalog) {
  for (const std::string& name : manifest.uses) {
    if (is_known(catalog, name)) continue;
    const bool key = !protocol::component_of(name).empty();
    NearestName nearest(name);
    for (const auto& [component_name, component] : catalog.components()) {
      nearest.consider(component_name);
      for (const protocol::SettingSchema& setting : component->settings())
        if (key) nearest.consider(setting.key);
    }
    return "it uses '" + name + "', but no component of this device has such a " +
           (key ? "setting" : "name") + nearest.hint();
  }
  return {};
}

}  // namespace starling::agent
