#include "hub/settings/writes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "hub/rollouts/rollout_edits.hpp"
#include "protocol/excerpt.hpp"
#include "protocol/modules_document.hpp"
#include "protocol/software_document.hpp"
#include "protocol/version.hpp"

namespace starling::hub {

using protocol::LayerId;
using protocol::LayerKind;
using protocol::persona_active_key;

namespace {

LayerKind layer_kind(Target::Kind kind, bool policy) {
  switch (kind) {
    case Target::Kind::fleet: return policy ? LayerKind::policy_fleet : LayerKind::fleet;
    case Target::Kind::device: return policy ? LayerKind::policy_device : LayerKind::device;
    case Target::Kind::selector:
    case Target::Kind::group: return policy ? LayerKind::policy_group : LayerKind::group;
    case Target::Kind::persona: return LayerKind::persona;
  }
  return LayerKind::fleet;
}

const Group* group_with(const FleetState& head, const std::string& canonical_selector) {
  // The one that --on made comes first, then any that happens to select the same.
  const auto named = head.groups().find(canonical_selector);
  if (named != head.groups().end() && named->second->selector.canonical() == canonical_selector) {
    return named->second.get();
  }
  for (const auto& [name, group] : head.groups()) {
    if (group->selector.canonical() == canonical_selector) return group.get();
  }
  return nullptr;
}

Result<ResolvedTarget> resolve_selector(const FleetState& head, const Target& target) {
  auto selector = protocol::Selector::parse(target.name);
  if (!selector) return fail(selector);
  if (selector->empty()) {
    return fail(ErrorCode::invalid_argument,
                "the selector is empty; to write for the whole fleet, use {\"fleet\": true}",
                "/target/selector");
  }
  const LayerKind kind = layer_kind(target.kind, target.policy);
  const std::string canonical = selector->canonical();
  if (const Group* group = group_with(head, canonical)) {
    return ResolvedTarget{{{kind, group->name}, group->selector}, std::nullopt};
  }
  if (head.groups().contains(canonical)) {
    return fail(
        ErrorCode::failed_precondition,
        fmt::format("a group called '{}' exists and selects something else; write to the group by name, "
                    "or write the selector so that it differs from that name",
                    canonical),
        "/target/selector");
  }
  Group group{canonical, *selector, 0};
  return ResolvedTarget{{{kind, canonical}, std::move(*selector)}, std::move(group)};
}

std::string value_pointer(const std::string& key) {
  return "/values/" + key;
}

// A value's own pointer is put behind that of the key.
Error at_key(Error error, const std::string& key) {
  error.field = value_pointer(key) + error.field;
  return error;
}

const protocol::LayerEntry* find_entry(const FleetState& state, const LayerId& layer,
                                       const std::string& key) {
  const auto& values = state.layer(layer);
  const auto found = values.find(key);
  return found == values.end() ? nullptr : &found->second;
}

const Json* find_value(const FleetState& state, const LayerId& layer, const std::string& key) {
  const auto* entry = find_entry(state, layer, key);
  return entry == nullptr ? nullptr : &entry->value;
}

// Among groups of one priority the newest write wins: what an older one says must be said anew to count.
bool is_outdone(const FleetState& head, const LayerId& layer, const std::string& key,
                const protocol::LayerEntry& entry) {
  const auto priority = [&head](const LayerId& group) {
    const auto found = head.groups().find(group.scope);
    return found == head.groups().end() ? 0 : found->second->priority;
  };
  if (layer.kind != LayerKind::group && layer.kind != LayerKind::policy_group) return false;
  for (auto at = head.layers().lower_bound({layer.kind, ""}); at != head.layers().end(); ++at) {
    const auto& [id, other] = *at;
    if (id.kind != layer.kind) break;
    const auto value = other.values.find(key);
    const bool later = value != other.values.end() && value->second.revision > entry.revision;
    if (later && value->second.value != entry.value && priority(id) == priority(layer)) return true;
  }
  return false;
}

Result<std::vector<WriteConflict>> find_conflicts(const FleetState& head, const LayerId& layer,
                                                  const std::map<std::string, Json>& expected) {
  std::vector<WriteConflict> conflicts;
  for (const auto& [name, seen] : expected) {
    auto key = full_key(head, name);
    if (!key) {
      Error error = std::move(key).error();
      error.field = "/expected/" + name;
      return std::unexpected(std::move(error));
    }
    const Json* actual = find_value(head, layer, *key);
    if (actual == nullptr ? seen.is_null() : *actual == seen) continue;
    conflicts.push_back({*key, seen, actual == nullptr ? Json() : *actual});
  }
  return conflicts;
}

Result<CheckedValue> check_persona(const FleetState& head, const LayerId& layer, const Json& value) {
  std::string key(persona_active_key);
  if (layer.kind == LayerKind::persona) {
    return fail(ErrorCode::invalid_argument, "a persona cannot say which persona is active");
  }
  if (value.is_null()) return CheckedValue{std::move(key), Json()};
  if (!value.is_string()) return fail(ErrorCode::invalid_argument, "persona.active is the name of a persona");
  if (!head.personas().contains(std::string_view(value.get_string()))) {
    return fail(ErrorCode::not_found,
                fmt::format("no persona is called '{}'", std::string_view(value.get_string())));
  }
  return CheckedValue{std::move(key), value};
}

// The newest first.
std::string published_versions(const FleetState& head) {
  std::vector<protocol::Version> versions;
  for (const auto& [name, release] : head.releases()) {
    if (auto version = protocol::parse_version(name)) versions.push_back(std::move(*version));
  }
  std::ranges::sort(versions, std::greater<>());
  std::string names;
  for (std::size_t i = 0; i < versions.size() && i < 10; ++i)
    names += (i == 0 ? "" : ", ") + to_string(versions[i]);
  if (versions.empty()) return "none is published yet";
  return (versions.size() > 10 ? "the newest are " : "there are ") + names;
}

Result<CheckedValue> check_release(const FleetState& head, const Json& value) {
  std::string key(protocol::software_release_key);
  if (value.is_null()) return CheckedValue{std::move(key), Json()};
  if (!value.is_string())
    return fail(ErrorCode::invalid_argument, "software.release is a version like v1.2.3");
  if (!head.releases().contains(std::string_view(value.get_string()))) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("no release '{}' is published: {}",
                    protocol::excerpt(std::string_view(value.get_string())), published_versions(head)));
  }
  return CheckedValue{std::move(key), value};
}

}  // namespace

Result<std::string> full_key(const FleetState& head, const std::string& key_or_alias) {
  if (key_or_alias == persona_active_key || protocol::module_of(key_or_alias)) return key_or_alias;
  if (key_or_alias == protocol::software_release_key) return key_or_alias;
  if (protocol::is_module_key(key_or_alias)) {
    return fail(ErrorCode::invalid_argument, "the setting of a module is modules.NAME.enabled; NAME has " +
                                                 std::string(protocol::module_name_rule));
  }
  auto schema = head.catalog().require(key_or_alias);
  if (!schema) return fail(schema);
  return (*schema)->key;
}

Result<Target> Target::from_json(const JsonObject& object, const std::string& path) {
  const JsonReader reader(object, path);
  if (auto known = reader.only({"fleet", "device", "selector", "persona", "group", "policy"}); !known) {
    return fail(known);
  }
  Target target;
  if (auto policy = reader.optional_boolean("policy"); !policy) {
    return fail(policy);
  } else {
    target.policy = policy->value_or(false);
  }
  const auto fleet = reader.optional_boolean("fleet");
  if (!fleet) return fail(fleet);
  int named = fleet->value_or(false) ? 1 : 0;
  constexpr std::pair<const char*, Kind> kinds[] = {{"device", Kind::device},
                                                    {"selector", Kind::selector},
                                                    {"persona", Kind::persona},
                                                    {"group", Kind::group}};
  for (const auto& [name, kind] : kinds) {
    auto value = reader.optional_string(name, 512);
    if (!value) return fail(value);
    if (!*value) continue;
    target.kind = kind;
    target.name = std::move(**value);
    ++named;
  }
  // {"policy": true} alone is the policy of the fleet.
  if (named > 1 || (named == 0 && !target.policy)) {
    return fail(ErrorCode::invalid_argument,
                "a target names exactly one of fleet, device, selector, persona and group", path);
  }
  return target;
}

Result<ResolvedTarget> resolve_target(const FleetState& head, const Target& target) {
  const LayerKind kind = layer_kind(target.kind, target.policy);
  switch (target.kind) {
    case Target::Kind::fleet: return ResolvedTarget{{{kind, ""}, {}}, std::nullopt};
    case Target::Kind::selector: return resolve_selector(head, target);
    case Target::Kind::device: {
      auto device = find_device(head, target.name);
      if (!device) return fail(device.error().code, device.error().message, "/target/device");
      return ResolvedTarget{{{kind, (*device)->id}, {}}, std::nullopt};
    }
    case Target::Kind::persona:
      if (target.policy) {
        return fail(ErrorCode::invalid_argument, "a persona has no policy layer", "/target/policy");
      }
      if (!head.personas().contains(target.name)) {
        return fail(ErrorCode::not_found, fmt::format("no persona is called '{}'", target.name),
                    "/target/persona");
      }
      return ResolvedTarget{{{kind, target.name}, {}}, std::nullopt};
    case Target::Kind::group: {
      const auto group = head.groups().find(target.name);
      if (group == head.groups().end()) {
        return fail(ErrorCode::not_found, fmt::format("no group is called '{}'", target.name),
                    "/target/group");
      }
      return ResolvedTarget{{{kind, target.name}, group->second->selector}, std::nullopt};
    }
  }
  return fail(ErrorCode::internal, "a target of unknown kind");
}

Result<CheckedValue> check_value(const FleetState& head, const LayerId& layer, const std::string& key,
                                 const Json& value) {
  if (key == persona_active_key) return check_persona(head, layer, value);
  if (key == protocol::software_release_key) return check_release(head, value);
  // What is there can be taken away, also if no component has such a setting any more.
  if (value.is_null() && find_value(head, layer, key) != nullptr) return CheckedValue{key, Json()};
  auto full = full_key(head, key);
  if (!full) return fail(full);
  if (value.is_null()) return CheckedValue{std::move(*full), Json()};
  if (protocol::module_of(*full)) {
    if (!value.is_bool()) return fail(ErrorCode::invalid_argument, *full + " is true or false");
    return CheckedValue{std::move(*full), value};
  }
  auto checked = head.catalog().validate(*full, value);
  if (!checked) return fail(checked);
  return CheckedValue{std::move(*full), std::move(*checked)};
}

Edit setting_edit(const FleetState& head, const LayerId& layer, const std::string& key, Json value) {
  return head.edit(EntityKind::setting, SettingId{layer, key}.text(), std::move(value));
}

Result<SettingsPlan> plan_settings(const FleetState& head, const SettingsWrite& write) {
  if (write.values.empty()) {
    return fail(ErrorCode::invalid_argument, "nothing to write: 'values' is empty", "/values");
  }
  auto target = resolve_target(head, write.target);
  if (!target) return fail(target);
  SettingsPlan plan{target->scope, {}, {}, 0, {}};
  const LayerId& layer = plan.scope.layer;

  std::map<std::string, Json> values;
  for (const auto& [name, value] : write.values) {
    auto checked = check_value(head, layer, name, value);
    if (!checked) return std::unexpected(at_key(std::move(checked).error(), name));
    const auto* schema = head.catalog().find(checked->key);
    if (schema != nullptr && schema->owner == protocol::SettingOwner::device && !value.is_null()) {
      return fail(ErrorCode::failed_precondition,
                  fmt::format("{} belongs to the device; it can only be set there", checked->key),
                  value_pointer(name));
    }
    if (!values.emplace(checked->key, std::move(checked->value)).second) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("{} is named twice, once by its alias", checked->key), value_pointer(name));
    }
  }
  auto conflicts = find_conflicts(head, layer, write.expected);
  if (!conflicts) return fail(conflicts);
  plan.conflicts = std::move(*conflicts);

  for (auto& [key, value] : values) {
    if (!value.is_null()) plan.values.emplace(key, value);
    const auto* current = find_entry(head, layer, key);
    if (current != nullptr) plan.unchanged_since = std::max(plan.unchanged_since, current->revision);
    const bool same = current == nullptr ? value.is_null()
                                         : current->value == value && !is_outdone(head, layer, key, *current);
    if (!plan.conflicts.empty() || same) continue;
    if (auto free = check_not_rolled_out(head, {layer, key}); !free) {
      return fail(free.error().code, free.error().message, value_pointer(key));
    }
    plan.edits.push_back(setting_edit(head, layer, key, std::move(value)));
  }
  if (!plan.edits.empty() && target->new_group) {
    plan.edits.insert(plan.edits.begin(),
                      head.edit(EntityKind::group, target->new_group->name, target->new_group->to_json()));
  }
  return plan;
}

std::optional<EffectiveValue> effective_value(const FleetState& state, const Device& device,
                                              const std::string& key) {
  const auto* schema = state.catalog().find(key);
  const std::string& full = schema == nullptr ? key : schema->key;
  const auto* component = state.catalog().component(protocol::component_of(full));
  const FleetState::Stack stack = state.stack(device);
  if (const auto winner = protocol::winner_of(full, schema == nullptr ? nullptr : component, stack.layers)) {
    return EffectiveValue{winner->entry->value, *winner->layer->id, winner->entry->revision};
  }
  if (schema == nullptr) return std::nullopt;
  return EffectiveValue{schema->default_value, {LayerKind::defaults, ""}, 0};
}

Proposal plan_proposal(const FleetState& head, const Device& device, const protocol::PendingEdit& edit,
                       const std::optional<Json>& kept) {
  const auto refuse = [](Json hub_value, std::string message) {
    return Proposal{false, {}, std::move(hub_value), std::move(message)};
  };
  const LayerId layer{LayerKind::device, device.id};
  auto checked = check_value(head, layer, edit.key, edit.to);
  if (!checked) {
    const auto* known = head.catalog().find(edit.key);
    const auto current = effective_value(head, device, known != nullptr ? known->key : edit.key);
    return refuse(current ? current->value : Json(), checked.error().message);
  }
  const std::string& key = checked->key;
  const auto current = effective_value(head, device, key);
  const Json hub_value = current ? current->value : Json();
  const auto* schema = head.catalog().find(key);
  const bool of_hub = schema != nullptr && schema->owner == protocol::SettingOwner::hub;
  if (of_hub || key == protocol::software_release_key) {
    return refuse(hub_value, fmt::format("{} belongs to the hub; it cannot be set on a device", key));
  }
  if (!checked->value.is_null() && checked->value == hub_value) return {true, {}, hub_value, ""};
  if (current && current->layer.kind >= LayerKind::policy_fleet) {
    return refuse(hub_value, fmt::format("{} is set by policy", key));
  }
  // Of a module that no layer speaks of the device decides: there is nothing that could have changed. Edited
  // from null is one of which the hub had said nothing, but a setting of which the device knows nothing.
  const bool comparable = protocol::is_module_key(key) ? current.has_value() : !edit.from.is_null();
  if (comparable && edit.from != hub_value && edit.from != kept) {
    return refuse(hub_value, fmt::format("{} was changed at the hub in the meantime", key));
  }
  if (auto free = check_not_rolled_out(head, {layer, key}); !free) {
    return refuse(hub_value, free.error().message);
  }
  Edit change = setting_edit(head, layer, key, std::move(checked->value));
  Proposal proposal{true, {}, hub_value, ""};
  if (change.before != change.after) proposal.edits.push_back(std::move(change));
  return proposal;
}

}  // namespace starling::hub
