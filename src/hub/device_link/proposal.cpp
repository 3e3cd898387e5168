#include "hub/device_link/proposal.hpp"

#include <utility>

namespace starling::hub {

namespace {

using protocol::LayerKind;

struct Standing {
  Json value;
  bool policy = false;
};

Standing standing_value(const FleetState& state, const Device& device, const std::string& key) {
  Standing standing;
  if (const protocol::SettingSchema* schema = state.catalog().find(key)) standing.value = schema->default_value;
  int rank = -1;
  std::int64_t revision = 0;
  for (const protocol::LayerView& view : state.stack(device).layers) {
    const auto entry = view.values->find(key);
    if (entry == view.values->end()) continue;
    if (view.rank == rank && entry->second.revision < revision) continue;
    standing.value = entry->second.value;
    standing.policy = view.id->kind >= LayerKind::policy_fleet;
    rank = view.rank;
    revision = entry->second.revision;
  }
  return standing;
}

Result<Draft> plan_edit(const FleetState& head, const std::string& device_id,
                        const protocol::PendingEdit& edit) {
  const Device* device = head.device(device_id);
  if (device == nullptr) return fail(ErrorCode::not_found, "no device is registered as '" + device_id + "'");
  const auto schema = head.catalog().require(edit.key);
  if (!schema) return fail(schema);
  const std::string& key = (*schema)->key;
  if ((*schema)->owner == protocol::SettingOwner::hub) {
    return fail(ErrorCode::permission_denied, "'" + key + "' is set at the hub only");
  }
  Draft draft;
  draft.actor = {"device:" + device_id, device->name};
  draft.action = "settings.propose";
  const Standing standing = standing_value(head, *device, key);
  const SettingId id{{LayerKind::device, device_id}, key};
  if (edit.to.is_null()) {
    if (!head.layer(id.layer).contains(key)) return draft;
    draft.edits.push_back(head.edit(EntityKind::setting, id.text(), nullptr));
    return draft;
  }
  auto value = head.catalog().validate(key, edit.to);
  if (!value) return fail(value);
  if (standing.value == *value) return draft;
  if (standing.policy) {
    return fail(ErrorCode::failed_precondition, "a policy sets '" + key + "' and stands above the device's edit");
  }
  if (!edit.from.is_null() && standing.value != edit.from) {
    return fail(ErrorCode::conflict, "'" + key + "' was changed at the hub meanwhile");
  }
  draft.edits.push_back(head.edit(EntityKind::setting, id.text(), JsonObject{{"value", *std::move(value)}}));
  return draft;
}

}  // namespace

Json effective_value(const FleetState& state, const Device& device, const std::string& key) {
  return standing_value(state, device, key).value;
}

ChangeLog::Plan plan_proposal(std::string device_id, protocol::PendingEdit edit) {
  return [device_id = std::move(device_id), edit = std::move(edit)](const FleetState& head, std::int64_t) {
    return plan_edit(head, device_id, edit);
  };
}

}  // namespace starling::hub
