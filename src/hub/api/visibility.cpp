#include "hub/api/visibility.hpp"

#include <algorithm>

#include "hub/rollouts/rollout_record.hpp"

namespace starling::hub {

using protocol::LayerKind;

namespace {

// A device that is gone is judged by what it last was.
bool device_edit_visible(const Reach& reach, const Edit& edit) {
  const Json& body = edit.after.is_null() ? edit.before : edit.after;
  const auto device = Device::from_json(edit.id, body);
  return device && reach.covers(*device);
}

bool edit_visible(const FleetState& state, const Reach& reach, const Edit& edit) {
  switch (edit.kind) {
    case EntityKind::device: return device_edit_visible(reach, edit);
    case EntityKind::setting: {
      const auto id = SettingId::parse(edit.id);
      return id && layer_visible(state, reach, id->layer);
    }
    case EntityKind::action: {
      const auto action = ActionRequest::from_json(edit.id, edit.after.is_null() ? edit.before : edit.after);
      if (!action || action->device.empty()) return action.has_value();
      const Device* device = state.device(action->device);
      return device != nullptr && reach.covers(*device);
    }
    case EntityKind::rollout: {
      const auto rollout = RolloutRecord::from_json(edit.id, edit.after.is_null() ? edit.before : edit.after);
      return rollout && std::ranges::all_of(rollout->plan.values, [&](const RolloutValue& each) {
               return layer_visible(state, reach, each.setting.layer);
             });
    }
    case EntityKind::key: return false;
    case EntityKind::persona:
    case EntityKind::group:
    case EntityKind::component:
    case EntityKind::release:
    case EntityKind::asset: return true;
  }
  return false;
}

}  // namespace

bool is_device_layer(const protocol::LayerId& layer) {
  return layer.kind == LayerKind::device || layer.kind == LayerKind::policy_device;
}

bool layer_visible(const FleetState& state, const Reach& reach, const protocol::LayerId& layer) {
  if (reach.unrestricted() || !is_device_layer(layer)) return true;
  const Device* device = state.device(layer.scope);
  return device != nullptr && reach.covers(*device);
}

std::optional<Json> visible_change(const FleetState& state, const Reach& reach, const Change& change) {
  if (reach.unrestricted()) return change.to_json();
  Change visible = change;
  std::erase_if(visible.edits, [&](const Edit& edit) { return !edit_visible(state, reach, edit); });
  if (visible.edits.empty()) return std::nullopt;
  return visible.to_json();
}

}  // namespace starling::hub
