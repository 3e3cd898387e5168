#include "hub/settings/scope.hpp"

#include <fmt/format.h>

#include "base/uuid.hpp"

namespace starling::hub {

using protocol::LayerKind;

namespace {

// Usually a persona is active for all or for none by the fleet's own layer; only other layers that say
// something about it make it necessary to ask device by device.
bool only_fleet_sets_persona(const FleetState& state) {
  for (const auto& [id, layer] : state.layers()) {
    if (id.kind != LayerKind::fleet && layer.values.contains(protocol::persona_active_key)) return false;
  }
  return true;
}

bool fleet_persona_is(const FleetState& state, const std::string& name) {
  const auto& values = state.layer({LayerKind::fleet, ""});
  const auto found = values.find(protocol::persona_active_key);
  return found != values.end() && found->second.value == Json(name);
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

void Scope::for_each(const FleetState& state, const std::function<void(const Device&)>& visit) const {
  if (layer.kind == LayerKind::device || layer.kind == LayerKind::policy_device) {
    if (const Device* device = state.device(layer.scope)) visit(*device);
    return;
  }
  bool all = layer.kind == LayerKind::fleet || layer.kind == LayerKind::policy_fleet;
  if (layer.kind == LayerKind::persona && only_fleet_sets_persona(state)) {
    if (!fleet_persona_is(state, layer.scope)) return;
    all = true;
  }
  for (const auto& [id, device] : state.devices()) {
    if (all || contains(state, *device)) visit(*device);
  }
}

std::size_t Scope::count(const FleetState& state) const {
  if (layer.kind == LayerKind::fleet || layer.kind == LayerKind::policy_fleet) return state.devices().size();
  if (layer.kind == LayerKind::persona && only_fleet_sets_persona(state)) {
    return fleet_persona_is(state, layer.scope) ? state.devices().size() : 0;
  }
  std::size_t count = 0;
  for_each(state, [&count](const Device&) { ++count; });
  return count;
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
  const Device* found = nullptr;
  if (!is_uuid(id_or_name)) {
    for (const auto& [id, device] : state.devices()) {
      if (device->name != id_or_name) continue;
      if (found != nullptr) {
        return fail(
            ErrorCode::failed_precondition,
            fmt::format("several devices are called '{}'; name the one you mean by its UUID", id_or_name));
      }
      found = device.get();
    }
  }
  if (found == nullptr) {
    return fail(ErrorCode::not_found, fmt::format("no device has the UUID or name '{}'", id_or_name));
  }
  return found;
}

}  // namespace starling::hub
