#include "hub/settings/masking.hpp"

#include <algorithm>
#include <functional>
#include <tuple>
#include <utility>
#include <vector>

#include "hub/rollouts/rollout_record.hpp"

namespace starling::hub {

using protocol::LayerId;
using protocol::LayerKind;

namespace {

bool is_group(const LayerId& layer) {
  return layer.kind == LayerKind::group || layer.kind == LayerKind::policy_group;
}

std::int64_t priority_of(const FleetState& state, const LayerId& layer) {
  const auto group = state.groups().find(layer.scope);
  return group == state.groups().end() ? 0 : group->second->priority;
}

bool beats(const FleetState& state, const LayerId& layer, const LayerId& written) {
  if (layer.kind != written.kind) return layer.kind > written.kind;
  return is_group(layer) && layer.scope != written.scope &&
         priority_of(state, layer) > priority_of(state, written);
}

// The layers that hold the key and beat the written one, highest first: the higher kind, then the higher
// priority, then the newer write.
std::vector<const LayerId*> layers_above(const FleetState& state, const LayerId& written,
                                         const std::string& key) {
  struct Above {
    const LayerId* layer;
    std::int64_t priority;
    std::int64_t revision;
  };
  const auto* component = state.catalog().component(protocol::component_of(key));
  std::vector<Above> above;
  for (auto at = state.layers().lower_bound({written.kind, ""}); at != state.layers().end(); ++at) {
    const auto& [id, layer] = *at;
    const auto entry = layer.values.find(key);
    if (entry == layer.values.end() || !beats(state, id, written)) continue;
    if (component != nullptr && !protocol::accepts(*component, key, entry->second)) continue;
    above.push_back({&id, is_group(id) ? priority_of(state, id) : 0, entry->second.revision});
  }
  std::ranges::stable_sort(above, std::greater(), [](const Above& each) {
    return std::tuple(each.layer->kind, each.priority, each.revision);
  });
  std::vector<const LayerId*> layers;
  for (const Above& each : above)
    layers.push_back(each.layer);
  return layers;
}

bool stands(const FleetState& state, const SettingId& setting, const Json& value) {
  const protocol::LayerValues& layer = state.layer(setting.layer);
  const auto entry = layer.find(setting.key);
  return value.is_null() ? entry == layer.end() : entry != layer.end() && entry->second.value == value;
}

}  // namespace

Masking find_masked(const FleetState& state, const Scope& scope, const std::map<std::string, Json>& values,
                    std::size_t limit) {
  const DeviceIndex& index = state.device_index();
  Masking masking;
  for (const auto& [key, value] : values) {
    const std::vector<const LayerId*> layers = layers_above(state, scope.layer, key);
    if (layers.empty()) continue;
    const Places written = scope.places(state);
    std::vector<const LayerId*> winners(index.end_place());
    Places masked;
    for (const LayerId* layer : layers) {
      // What a rollout brings to some there may differ.
      const bool is_same = stands(state, {*layer, key}, value) && state.rollout_of({*layer, key}) == nullptr;
      for (const Place place : common(scope_of(state, *layer).places(state), written)) {
        if (winners[place] != nullptr) continue;
        winners[place] = layer;
        if (!is_same) masked.push_back(place);
      }
    }
    masking.count += masked.size();
    // In order of id, so that the answer does not depend on how devices and layers are stored.
    for (const Device* device : index.first_by_id(masked, limit - masking.first.size()))
      masking.first.push_back({key, device, *winners[*index.place_of(device->id)]});
  }
  return masking;
}

bool is_in_force(const FleetState& state, const FleetState::Stack& stack, const RolloutValue& value,
                 std::string_view rollout) {
  const auto& [setting, brought] = value;
  const auto* component = state.catalog().component(protocol::component_of(setting.key));
  const auto winner = protocol::winner_of(setting.key, component, stack.layers);
  if (brought.is_null()) {
    const LayerId* layer = winner ? winner->layer->id : nullptr;
    return layer == nullptr || (*layer != setting.layer && !beats(state, *layer, setting.layer));
  }
  return winner && *winner->layer->id == setting.layer && winner->entry->rollout == rollout;
}

SetByChange::SetByChange(const FleetState& state, const Change& change)
    : contested_(state.device_index().end_place()) {
  std::size_t others = 0;
  const auto contest = [this](const Places& places) {
    for (const Place place : places)
      contested_[place] = true;
  };
  for (const Edit& edit : change.edits) {
    if (edit.kind == EntityKind::group) continue;
    const auto setting =
        edit.kind == EntityKind::setting ? SettingId::parse(edit.id) : fail(ErrorCode::not_found, "");
    if (!setting) {
      ++others;
      continue;
    }
    Scope scope = scope_of(state, setting->layer);
    if (!stands(state, *setting, edit.after) || state.rollout_of(*setting) != nullptr)
      contest(scope.places(state));
    // Of groups of equal priority too, of which the newest write wins.
    for (auto at = state.layers().lower_bound({setting->layer.kind, ""}); at != state.layers().end(); ++at) {
      const auto& [id, layer] = *at;
      const bool rival = id != setting->layer && (id.kind != setting->layer.kind || is_group(id));
      if (rival && layer.values.contains(setting->key)) contest(scope_of(state, id).places(state));
    }
    written_.push_back({*setting, edit.after, std::move(scope)});
  }
  settings_only_ = others == 0;
}

bool SetByChange::is_contested(Place place) const {
  return place < contested_.size() && contested_[place];
}

bool SetByChange::takes_away(std::string_view key) const {
  return std::ranges::any_of(
      written_, [&](const Written& each) { return each.setting.key == key && each.value.is_null(); });
}

std::optional<Overruled> SetByChange::overruled_on(const FleetState& state, Place place) const {
  if (!is_contested(place)) return std::nullopt;
  const Device& device = *state.device_index().at(place);
  const FleetState::Stack stack = state.stack(device);
  std::optional<Overruled> first;
  bool wholly = settings_only_;
  for (const auto& [setting, value, scope] : written_) {
    if (!scope.contains(state, device)) continue;
    const auto* component = state.catalog().component(protocol::component_of(setting.key));
    const auto winner = protocol::winner_of(setting.key, component, stack.layers);
    const LayerId* layer = winner ? winner->layer->id : nullptr;
    const bool above = layer != nullptr && beats(state, *layer, setting.layer);
    const bool against = value.is_null() ? above || (layer != nullptr && *layer == setting.layer)
                                         : !winner || winner->entry->value != value;
    wholly = wholly && against;
    if (!against || first) continue;
    first = {above ? Overruled::masked : Overruled::overtaken, setting.key,
             layer == nullptr ? setting.layer : *layer};
  }
  if (first) first->wholly = wholly;
  return first;
}

}  // namespace starling::hub
