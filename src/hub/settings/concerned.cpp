#include "hub/settings/concerned.hpp"

#include "hub/rollouts/rollout_record.hpp"
#include "hub/settings/assets.hpp"

namespace starling::hub {

Concerned::Concerned(const FleetState& state, std::span<const Edit> edits) {
  for (const Edit& edit : edits)
    add(state, edit);
}

Places Concerned::places(const FleetState& state) const {
  if (scopes_.size() == 1) return scopes_.front().places(state);
  std::vector<bool> concerned(state.device_index().end_place());
  for (const Scope& scope : scopes_) {
    for (const Place place : scope.places(state))
      concerned[place] = true;
  }
  Places places;
  for (std::size_t place = 0; place < concerned.size(); ++place) {
    if (concerned[place]) places.push_back(static_cast<Place>(place));
  }
  return places;
}

void Concerned::add_group(const Json& body) {
  const auto group = Group::from_json("", body);
  if (group) scopes_.push_back({{protocol::LayerKind::group, "any"}, group->selector});
}

void Concerned::add(const FleetState& state, const Edit& edit) {
  switch (edit.kind) {
    case EntityKind::setting:
      if (const auto id = SettingId::parse(edit.id)) scopes_.push_back(scope_of(state, id->layer));
      break;
    case EntityKind::rollout: {
      const auto rollout = state.rollouts().find(edit.id);
      if (rollout == state.rollouts().end()) break;
      for (const RolloutValue& each : rollout->second->plan.values)
        scopes_.push_back(scope_of(state, each.setting.layer));
      break;
    }
    case EntityKind::asset: {
      const AssetUses uses = asset_uses(state);
      const auto used = uses.find(edit.id);
      if (used == uses.end()) break;
      for (const AssetUse& use : used->second)
        scopes_.push_back(scope_of(state, use.layer));
      break;
    }
    case EntityKind::persona: scopes_.push_back({{protocol::LayerKind::persona, edit.id}, {}}); break;
    case EntityKind::device: scopes_.push_back({{protocol::LayerKind::device, edit.id}, {}}); break;
    case EntityKind::component: scopes_.push_back({{protocol::LayerKind::fleet, ""}, {}}); break;
    case EntityKind::group:
      if (!edit.before.is_null()) add_group(edit.before);
      if (!edit.after.is_null()) add_group(edit.after);
      break;
    case EntityKind::key:
    case EntityKind::action:
    case EntityKind::release: break;
  }
}

}  // namespace starling::hub
