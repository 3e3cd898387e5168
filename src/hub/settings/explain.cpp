#include "hub/settings/explain.hpp"

#include <algorithm>
#include <map>

#include "hub/device_link/device_records.hpp"
#include "hub/device_link/running_release.hpp"
#include "hub/settings/documents.hpp"
#include "hub/settings/wanted_modules.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

using protocol::LayerId;
using protocol::LayerKind;

namespace {

struct Side {
  Json value;
  std::string layer;
};
using Sides = std::map<std::string, Side>;

Sides effective_sides(const DeviceView& view) {
  Sides sides;
  for (const auto& setting : resolve_effective(view.state, view.device, view.declared.components)) {
    const std::string layer = setting.layer == nullptr ? "defaults" : setting.layer->text();
    sides.emplace(setting.schema->key, Side{*setting.value, layer});
  }
  for (const auto& [name, module] : wanted_modules(view.state.stack(view.device), view.declared.modules)) {
    sides.emplace(protocol::enabled_key(name), Side{module.enabled, module.layer.text()});
  }
  for (const std::string_view key : {protocol::persona_active_key, protocol::software_release_key}) {
    const std::string name(key);
    if (auto value = effective_value(view.state, view.device, name)) {
      sides.emplace(name, Side{std::move(value->value), value->layer.text()});
    }
  }
  return sides;
}

Sides layer_sides(const FleetState& state) {
  Sides sides;
  for (const auto& [id, layer] : state.layers()) {
    for (const auto& [key, entry] : layer.values)
      sides.emplace(id.text() + " " + key, Side{entry.value, id.text()});
  }
  return sides;
}

std::vector<Difference> compare(const Sides& left, const Sides& right) {
  std::vector<Difference> differences;
  const Side absent;
  const auto add = [&](const std::string& key, const Side& l, const Side& r) {
    if (l.value != r.value) differences.push_back({key, l.value, r.value, l.layer, r.layer});
  };
  for (const auto& [key, side] : left) {
    const auto other = right.find(key);
    add(key, side, other == right.end() ? absent : other->second);
  }
  for (const auto& [key, side] : right) {
    if (!left.contains(key)) add(key, absent, side);
  }
  std::ranges::sort(differences, {}, &Difference::key);
  return differences;
}

}  // namespace

Result<Explanation> explain(const FleetState& state, const Device& device, const std::string& key) {
  auto full = full_key(state, key);
  if (!full) return fail(full);
  Explanation explanation;
  explanation.key = std::move(*full);
  const protocol::SettingSchema* schema = state.catalog().find(explanation.key);
  if (schema != nullptr) {
    explanation.alias = schema->alias;
    explanation.stack.push_back({{LayerKind::defaults, ""}, schema->default_value, 0, false, {}});
  }
  const auto* component =
      schema == nullptr ? nullptr : state.catalog().component(protocol::component_of(schema->key));
  const FleetState::Stack stack = state.stack(device);
  bool written = false;
  for (const protocol::StackEntry& each : protocol::stack_of(explanation.key, component, stack.layers)) {
    explanation.stack.push_back(
        {*each.layer->id, each.entry->value, each.entry->revision, each.effective, each.entry->rollout});
    if (!each.effective) continue;
    written = true;
    explanation.effective = each.entry->value;
    explanation.winner = *each.layer->id;
  }
  if (!written && schema != nullptr) {
    explanation.stack.front().in_force = true;
    explanation.effective = schema->default_value;
  }
  std::ranges::reverse(explanation.stack);
  return explanation;
}

std::vector<Difference> diff_devices(const DeviceView& left, const DeviceView& right) {
  return compare(effective_sides(left), effective_sides(right));
}

std::vector<Difference> diff_layers(const FleetState& left, const FleetState& right) {
  auto differences = compare(layer_sides(left), layer_sides(right));
  // Layers were part of the key only to keep them apart.
  for (Difference& difference : differences) {
    difference.key.erase(0, difference.key.rfind(' ') + 1);
  }
  return differences;
}

Declared declared_by(const FleetState& state, const DeviceRecord* record) {
  Declared declared;
  if (record != nullptr) declared.modules = record->module_names;
  if (record != nullptr) declared.software = record->takes_releases();
  if (record != nullptr) declared.quarantine = DeviceFacts::quarantine_in(record->facts);
  if (declared.software && state.any_tied()) {
    declared.ties = ties_sections(*record);
    declared.runs = record->software.running;
  }
  if (record != nullptr && record->components) {
    declared.components = *record->components;
    return declared;
  }
  for (const auto& [name, component] : state.catalog().components()) {
    declared.components += (declared.components.empty() ? "" : ",") + name;
  }
  return declared;
}

}  // namespace starling::hub
