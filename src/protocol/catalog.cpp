#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "protocol/component.hpp"
#include "protocol/excerpt.hpp"

namespace starling::protocol {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

// Levenshtein's distance, blind to case.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i]) == lower(b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

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
  constexpr std::size_t longest_compared = 140;
  std::string_view nearest;
  std::size_t best = std::max<std::size_t>(2, key_or_alias.size() / 3) + 1;
  const auto consider = [&](std::string_view name) {
    const std::size_t steps = distance(key_or_alias, name);
    if (steps < best) {
      best = steps;
      nearest = name;
    }
  };
  if (key_or_alias.size() <= longest_compared) {
    for (const auto& [name, component] : components_) {
      for (const SettingSchema& setting : component->settings())
        consider(setting.key);
    }
    for (const auto& [alias, key] : aliases_)
      consider(alias);
  }
  std::string message = fmt::format("no setting is called '{}'", excerpt(key_or_alias));
  if (!nearest.empty()) message += fmt::format("; did you mean {}?", nearest);
  return fail(ErrorCode::invalid_argument, std::move(message));
}

Result<Json> Catalog::validate(std::string_view key, const Json& value) const {
  const Result<const SettingSchema*> setting = require(key);
  if (!setting) return fail(setting);
  return component(component_of((*setting)->key))->validate((*setting)->key, value);
}

}  // namespace starling::protocol
