#include "hub/state/fleet_state.hpp"

#include <algorithm>

#include "hub/rollouts/rollout_record.hpp"

namespace starling::hub {

namespace {

using protocol::LayerId;
using protocol::LayerKind;
using protocol::LayerValues;
using protocol::LayerView;

template <typename T, typename Map>
Result<void> put_entity(Map& map, const std::string& id, const Json& body) {
  auto entity = T::from_json(id, body);
  if (!entity) return fail(entity);
  map.insert_or_assign(id, std::make_shared<const T>(*std::move(entity)));
  return {};
}

template <typename Map>
Json body_in(const Map& map, const std::string& id) {
  const auto found = map.find(id);
  return found == map.end() ? Json(nullptr) : found->second->to_json();
}

}  // namespace

Result<void> FleetState::apply(const Change& change) {
  if (auto done = apply_components(change); !done)
    return fail(done, "change " + std::to_string(change.revision));
  for (const Edit& edit : change.edits) {
    if (edit.kind == EntityKind::component) continue;
    if (edit.after.is_null()) {
      remove(edit.kind, edit.id, change.revision);
    } else if (auto done = put(edit.kind, edit.id, edit.after, change.revision); !done) {
      return fail(done, "change " + std::to_string(change.revision));
    }
    if (edit.kind == EntityKind::action) drop_old_actions(change.at_ms);
  }
  revision_ = change.revision;
  return {};
}

// All of them together, because an alias may go from one to another in the same change; and before everything
// else, because nothing may have been applied if one of them is refused.
Result<void> FleetState::apply_components(const Change& change) {
  protocol::Catalog catalog = catalog_;
  std::vector<std::shared_ptr<const protocol::Component>> components;
  bool any = false;
  for (const Edit& edit : change.edits) {
    if (edit.kind != EntityKind::component) continue;
    any = true;
    catalog.remove(edit.id);
    if (edit.after.is_null()) continue;
    auto component = protocol::Component::from_json(edit.after);
    if (!component) return fail(component, "component '" + edit.id + "' in the log");
    components.push_back(*std::move(component));
  }
  if (!any) return {};
  for (const auto& component : components) {
    if (auto put = catalog.put(component); !put) return fail(put, "component '" + component->name() + "'");
  }
  catalog_ = std::move(catalog);
  catalog_revision_ = change.revision;
  for (const auto& component : components)
    accept_values_of(*component);
  return {};
}

Result<void> FleetState::load(EntityKind kind, const std::string& id, const Json& body,
                              std::int64_t revision) {
  return put(kind, id, body, revision);
}

Result<void> FleetState::put(EntityKind kind, const std::string& id, const Json& body,
                             std::int64_t revision) {
  switch (kind) {
    case EntityKind::device: return put_device(id, body);
    case EntityKind::persona:
      persona_revisions_[id] = revision;
      return put_entity<Persona>(personas_, id, body);
    case EntityKind::group: return put_entity<Group>(groups_, id, body);
    case EntityKind::key: return put_entity<Key>(keys_, id, body);
    case EntityKind::action: return put_entity<ActionRequest>(actions_, id, body);
    case EntityKind::release: return put_entity<Release>(releases_, id, body);
    case EntityKind::rollout: return put_rollout(id, body);
    case EntityKind::asset:
      assets_revision_ = std::max(assets_revision_, revision);
      return put_entity<Asset>(assets_, id, body);
    case EntityKind::component: {
      auto component = protocol::Component::from_json(body);
      if (!component) return fail(component, "component '" + id + "' in the log");
      if (auto put = catalog_.put(*component); !put) return fail(put, "component '" + id + "'");
      accept_values_of(**component);
      catalog_revision_ = std::max(catalog_revision_, revision);
      return {};
    }
    case EntityKind::setting: {
      const auto setting = SettingId::parse(id);
      if (!setting) return fail(setting, "a setting in the log");
      write_setting(*setting, &body, revision);
      return {};
    }
  }
  return fail(ErrorCode::internal, "unknown kind of entity");
}

void FleetState::remove(EntityKind kind, const std::string& id, std::int64_t revision) {
  switch (kind) {
    case EntityKind::device: remove_device(id); break;
    case EntityKind::persona:
      persona_revisions_[id] = revision;
      personas_.erase(id);
      break;
    case EntityKind::group: groups_.erase(id); break;
    case EntityKind::key: keys_.erase(id); break;
    case EntityKind::action: actions_.erase(id); break;
    case EntityKind::release: releases_.erase(id); break;
    case EntityKind::rollout:
      rollouts_.erase(id);
      gated_layers_.remove(id);
      break;
    case EntityKind::asset:
      assets_revision_ = revision;
      assets_.erase(id);
      break;
    case EntityKind::component: break;  // apply_components() has done it
    case EntityKind::setting:
      if (const auto setting = SettingId::parse(id)) write_setting(*setting, nullptr, revision);
      break;
  }
}

void FleetState::accept_values_of(const protocol::Component& component) {
  for (auto& [layer_id, layer] : layers_)
    protocol::mark_accepted(layer.values, component);
  gated_layers_.catalog_changed();
}

Result<void> FleetState::put_device(const std::string& id, const Json& body) {
  auto device = Device::from_json(id, body);
  if (!device) return fail(device);
  std::shared_ptr<const Device>& kept = devices_[id];
  if (kept) device_index_.remove(*kept);
  kept = std::make_shared<const Device>(*std::move(device));
  device_index_.add(*kept);
  return {};
}

void FleetState::remove_device(const std::string& id) {
  const auto found = devices_.find(id);
  if (found == devices_.end()) return;
  device_index_.remove(*found->second);
  devices_.erase(found);
}

Result<void> FleetState::put_rollout(const std::string& id, const Json& body) {
  auto rollout = RolloutRecord::from_json(id, body);
  if (!rollout) {
    return fail(ErrorCode::corrupted,
                "rollout '" + id + "' in the log is damaged: " + rollout.error().message,
                rollout.error().field);
  }
  auto kept = std::make_shared<const RolloutRecord>(*std::move(rollout));
  gated_layers_.put(kept);
  rollouts_.insert_or_assign(id, std::move(kept));
  return {};
}

void FleetState::write_setting(const SettingId& id, const Json* value, std::int64_t revision) {
  Layer& layer = layers_[id.layer];
  layer.revision = std::max(layer.revision, revision);
  gated_layers_.layer_changed(id.layer);
  if (value == nullptr) {
    layer.values.erase(id.key);
    return;
  }
  protocol::LayerEntry entry{*value, revision};
  const protocol::Component* component = catalog_.component(protocol::component_of(id.key));
  if (component != nullptr && component->validate(id.key, *value))
    entry.accepted_by = component->schema_hash();
  layer.values.insert_or_assign(id.key, std::move(entry));
}

void FleetState::drop_old_actions(std::int64_t now_ms) {
  constexpr std::int64_t kept_ms = 7 * 24 * 3'600'000LL;
  std::erase_if(actions_, [&](const auto& entry) { return entry.second->expires_at_ms + kept_ms < now_ms; });
}

Json FleetState::body(EntityKind kind, const std::string& id) const {
  switch (kind) {
    case EntityKind::device: return body_in(devices_, id);
    case EntityKind::persona: return body_in(personas_, id);
    case EntityKind::group: return body_in(groups_, id);
    case EntityKind::key: return body_in(keys_, id);
    case EntityKind::action: return body_in(actions_, id);
    case EntityKind::release: return body_in(releases_, id);
    case EntityKind::rollout: return body_in(rollouts_, id);
    case EntityKind::asset: return body_in(assets_, id);
    case EntityKind::component: {
      const protocol::Component* component = catalog_.component(id);
      return component == nullptr ? Json(nullptr) : component->file();
    }
    case EntityKind::setting: {
      const auto setting = SettingId::parse(id);
      if (!setting) return nullptr;
      const LayerValues& values = layer(setting->layer);
      const auto entry = values.find(setting->key);
      return entry == values.end() ? Json(nullptr) : entry->second.value;
    }
  }
  return nullptr;
}

Edit FleetState::edit(EntityKind kind, std::string id, Json after) const {
  Edit edit;
  edit.before = body(kind, id);
  edit.kind = kind;
  edit.id = std::move(id);
  edit.after = std::move(after);
  return edit;
}

const Device* FleetState::device(const std::string& id) const {
  const auto place = device_index_.place_of(id);
  return place ? device_index_.at(*place) : nullptr;
}

const LayerValues& FleetState::layer(const LayerId& id) const {
  static const LayerValues empty;
  const auto found = layers_.find(id);
  return found == layers_.end() ? empty : found->second.values;
}

std::int64_t FleetState::layer_revision(const LayerId& id) const {
  const auto found = layers_.find(id);
  return found == layers_.end() ? 0 : found->second.revision;
}

std::int64_t FleetState::persona_revision(const std::string& name) const {
  const auto found = persona_revisions_.find(name);
  return found == persona_revisions_.end() ? 0 : found->second;
}

std::vector<const Group*> FleetState::groups_of(const protocol::Labels& labels) const {
  std::vector<const Group*> groups;
  for (const auto& [name, group] : groups_) {
    if (group->selector.matches(labels)) groups.push_back(group.get());
  }
  std::ranges::stable_sort(groups, {}, &Group::priority);
  return groups;
}

std::optional<FleetState::PersonaChoice> FleetState::persona_choice(const Stack& stack) const {
  const auto active = protocol::winner_of(protocol::persona_active_key, nullptr, stack.layers);
  if (!active || !active->entry->value.is_string()) return std::nullopt;
  const std::string_view name = active->entry->value.get_string();
  const std::string owned(name);
  const std::int64_t chosen = active->entry->revision;
  return PersonaChoice{
      name, chosen, std::max({chosen, persona_revision(owned), layer_revision({LayerKind::persona, owned})})};
}

FleetState::Stack FleetState::stack(const Device& device, const HeldBack& held,
                                    const std::optional<KeptPersona>& kept) const {
  const std::vector<const Group*> groups = groups_of(device.labels);
  Stack stack;
  int rank = 0;
  const auto add = [&](const LayerId& id) {
    if (const auto form = gated_layers_.form_for(id, device, layer(id), catalog_, held)) {
      if (!form->values->empty()) stack.layers.push_back({form->layer, form->values, rank, form->name});
      return;
    }
    const auto found = layers_.find(id);
    if (found == layers_.end() || found->second.values.empty()) return;
    stack.layers.push_back(LayerView{&found->first, &found->second.values, rank});
  };
  const auto add_groups = [&](LayerKind kind) {
    for (std::size_t i = 0; i < groups.size(); ++i) {
      if (i == 0 || groups[i]->priority != groups[i - 1]->priority) ++rank;
      add({kind, groups[i]->name});
    }
    ++rank;
  };
  add({LayerKind::fleet, {}});
  rank = 2;  // 1 is the persona's, known only when all others are
  add_groups(LayerKind::group);
  add({LayerKind::device, device.id});
  ++rank;
  add({LayerKind::policy_fleet, {}});
  add_groups(LayerKind::policy_group);
  add({LayerKind::policy_device, device.id});

  const auto choice = persona_choice(stack);
  if (!choice) return stack;
  auto persona = personas_.find(choice->name);
  if (kept && kept->instead_of == choice->newest) {
    const auto former = personas_.find(kept->name);
    stack.keeps_persona = kept->name.empty() || former != personas_.end();
    if (stack.keeps_persona) persona = former;
  }
  if (persona == personas_.end()) return stack;
  stack.persona = persona->second.get();
  rank = 1;
  add({LayerKind::persona, persona->first});
  std::ranges::stable_sort(stack.layers, {}, &LayerView::rank);
  return stack;
}

}  // namespace starling::hub
