#include "hub/settings/scope.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <vector>

#include "base/uuid.hpp"

namespace starling::hub {

using protocol::LayerId;
using protocol::LayerKind;

namespace {

bool is_fleet(const LayerId& layer) {
  return layer.kind == LayerKind::defaults || layer.kind == LayerKind::fleet ||
         layer.kind == LayerKind::policy_fleet;
}

// A layer that says which persona is active.
struct Naming {
  const LayerId* layer = nullptr;
  const protocol::LayerEntry* entry = nullptr;
  std::int64_t priority = 0;
};

// Lowest first, as FleetState::stack has them.
std::vector<Naming> persona_namings(const FleetState& state) {
  std::vector<Naming> namings;
  for (const auto& [id, layer] : state.layers()) {
    const auto entry = layer.values.find(protocol::persona_active_key);
    if (entry == layer.values.end()) continue;
    const auto group = state.groups().find(id.scope);
    const bool of_group = id.kind == LayerKind::group || id.kind == LayerKind::policy_group;
    const bool known = of_group && group != state.groups().end();
    namings.push_back({&id, &entry->second, known ? group->second->priority : 0});
  }
  std::ranges::stable_sort(namings, {}, [](const Naming& naming) {
    return std::tuple(naming.layer->kind, naming.priority, naming.entry->revision);
  });
  return namings;
}

Places persona_places(const FleetState& state, const std::string& name) {
  const std::vector<Naming> namings = persona_namings(state);
  const Json wanted(name);
  // Usually the fleet's own layer alone says it for all.
  if (namings.size() == 1 && is_fleet(*namings.front().layer)) {
    return namings.front().entry->value == wanted ? state.device_index().all() : Places();
  }
  std::vector<bool> active(state.device_index().end_place());
  for (const Naming& naming : namings) {
    const bool this_one = naming.entry->value == wanted;
    for (const Place place : scope_of(state, *naming.layer).places(state))
      active[place] = this_one;
  }
  Places places;
  for (std::size_t place = 0; place < active.size(); ++place) {
    if (active[place]) places.push_back(static_cast<Place>(place));
  }
  return places;
}

}  // namespace

bool Scope::contains(const FleetState& state, const Device& device) const {
  switch (layer.kind) {
    case LayerKind::defaults:
    case LayerKind::fleet:
    case LayerKind::policy_fleet: return true;
    case LayerKind::group:
    case LayerKind::policy_group: return !layer.scope.empty() && selector.matches(device.labels);
    case LayerKind::device:
    case LayerKind::policy_device: return device.id == layer.scope;
    case LayerKind::persona: {
      const Persona* active = state.stack(device).persona;
      return active != nullptr && active->name == layer.scope;
    }
  }
  return false;
}

Places Scope::places(const FleetState& state) const {
  switch (layer.kind) {
    case LayerKind::defaults:
    case LayerKind::fleet:
    case LayerKind::policy_fleet: return state.device_index().all();
    case LayerKind::group:
    case LayerKind::policy_group:
      return layer.scope.empty() ? Places() : state.device_index().matching(selector);
    case LayerKind::device:
    case LayerKind::policy_device: {
      const auto place = state.device_index().place_of(layer.scope);
      return place ? Places{*place} : Places();
    }
    case LayerKind::persona: return persona_places(state, layer.scope);
  }
  return {};
}

std::size_t Scope::count(const FleetState& state) const {
  if (is_fleet(layer)) return state.devices().size();
  const bool of_group = layer.kind == LayerKind::group || layer.kind == LayerKind::policy_group;
  if (of_group && !layer.scope.empty()) return state.device_index().count(selector);
  return places(state).size();
}

Scope scope_of(const FleetState& state, const protocol::LayerId& layer) {
  if (layer.kind != LayerKind::group && layer.kind != LayerKind::policy_group) return {layer, {}};
  const auto group = state.groups().find(layer.scope);
  if (group == state.groups().end()) return {{layer.kind, ""}, {}};
  return {layer, group->second->selector};
}

bool within_selector(const protocol::Selector& inner, const protocol::Selector& outer) {
  if (outer.empty()) return true;
  const std::string narrow = inner.canonical();
  if (narrow.empty()) return false;
  const auto both = protocol::Selector::parse(narrow + "," + outer.canonical());
  return both && both->canonical() == narrow;
}

Result<const Device*> find_device(const FleetState& state, const std::string& id_or_name) {
  if (const Device* device = state.device(id_or_name)) return device;
  if (const auto id = canonical_uuid(id_or_name)) {
    if (const Device* device = state.device(*id)) return device;
  }
  const auto named =
      is_uuid(id_or_name) ? std::vector<const Device*>() : state.device_index().named(id_or_name, 2);
  if (named.empty()) {
    return fail(ErrorCode::not_found, fmt::format("no device has the UUID or name '{}'", id_or_name));
  }
  if (named.size() > 1) {
    return fail(
        ErrorCode::failed_precondition,
        fmt::format("several devices are called '{}'; name the one you mean by its UUID", id_or_name));
  }
  return named.front();
}

}  // namespace starling::hub
