#include <fmt/format.h>

#include "base/nearest_name.hpp"
#include "protocol/component.hpp"
#include "protocol/excerpt.hpp"

namespace starling::protocol {

std::string_view component_of(std::string_view key) {
  const auto dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view() : key.substr(0, dot);
}

Result<void> Catalog::put(std::shared_ptr<const Component> component) {
  for (const SettingSchema& setting : component->settings()) {
    const auto taken = aliases_.find(setting.alias);
    if (taken != aliases_.end() && component_of(taken->second) != component->name()) {
      return fail(ErrorCode::already_exists, fmt::format("{} cannot have the alias {}: it belongs to {}",
                                                         setting.key, setting.alias, taken->second));
    }
  }
  remove(component->name());
  for (const SettingSchema& setting : component->settings()) {
    if (!setting.alias.empty()) aliases_.emplace(setting.alias, setting.key);
  }
  std::string name = component->name();
  components_.emplace(std::move(name), std::move(component));
  return {};
}

void Catalog::remove(std::string_view component) {
  const auto found = components_.find(component);
  if (found == components_.end()) return;
  std::erase_if(aliases_, [&](const auto& alias) { return component_of(alias.second) == component; });
  components_.erase(found);
}

const Component* Catalog::component(std::string_view name) const {
  const auto found = components_.find(name);
  return found == components_.end() ? nullptr : found->second.get();
}

std::shared_ptr<const Component> Catalog::shared(std::string_view name) const {
  const auto found = components_.find(name);
  return found == components_.end() ? nullptr : found->second;
}

const SettingSchema* Catalog::find(std::string_view key_or_alias) const {
  const auto alias = aliases_.find(key_or_alias);
  const std::string_view key = alias == aliases_.end() ? key_or_alias : std::string_view(alias->second);
  const Component* owner = component(component_of(key));
  return owner == nullptr ? nullptr : owner->find(key);
}

Result<const SettingSchema*> Catalog::require(std::string_view key_or_alias) const {
  if (const SettingSchema* setting = find(key_or_alias)) return setting;
  NearestName nearest(key_or_alias);
  for (const auto& [name, component] : components_) {
    for (const SettingSchema& setting : component->settings())
      nearest.consider(setting.key);
  }
  for (const auto& [alias, key] : aliases_)
    nearest.consider(alias);
  return fail(ErrorCode::invalid_argument,
              fmt::format("no setting is called '{}'{}", excerpt(key_or_alias), nearest.hint()));
}

Result<Json> Catalog::validate(std::string_view key, const Json& value) const {
  const Result<const SettingSchema*> setting = require(key);
  if (!setting) return fail(setting);
  return component(component_of((*setting)->key))->validate((*setting)->key, value);
}

}  // namespace starling::protocol
