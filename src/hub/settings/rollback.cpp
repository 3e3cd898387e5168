#include "hub/settings/rollback.hpp"

#include "hub/rollouts/rollout_edits.hpp"

namespace starling::hub {

namespace {

bool rolls_back(EntityKind kind) {
  return kind == EntityKind::setting || kind == EntityKind::persona || kind == EntityKind::group ||
         kind == EntityKind::asset;
}

// A layer of a device that has been removed since stays away.
bool belongs_to_missing_device(const FleetState& head, const std::string& setting_id) {
  const auto id = SettingId::parse(setting_id);
  if (!id) return true;
  const auto kind = id->layer.kind;
  const bool of_device = kind == protocol::LayerKind::device || kind == protocol::LayerKind::policy_device;
  return of_device && head.device(id->layer.scope) == nullptr;
}

}  // namespace

void Rollback::read(std::span<const SharedChange> changes) {
  for (const SharedChange& change : changes) {
    for (const Edit& edit : change->edits) {
      if (rolls_back(edit.kind)) before_.try_emplace({edit.kind, edit.id}, edit.before);
    }
    read_until_ = change->revision;
  }
}

protocol::Assets Rollback::assets() const {
  protocol::Assets assets;
  for (const auto& [entity, body] : before_) {
    if (entity.first != EntityKind::asset || body.is_null()) continue;
    if (const auto file = protocol::AssetFile::from_json(body)) assets.emplace(entity.second, *file);
  }
  return assets;
}

Result<std::vector<Edit>> Rollback::plan(const FleetState& head) const {
  if (head.revision() != read_until_) {
    return fail(ErrorCode::conflict, "the fleet was changed while its log was read; try again");
  }
  std::vector<Edit> edits;
  for (const auto& [entity, body] : before_) {
    const auto& [kind, id] = entity;
    if (kind == EntityKind::setting && belongs_to_missing_device(head, id)) continue;
    // One that has come since stays: without values it changes nothing, and somebody may count on its name.
    if (kind == EntityKind::group && body.is_null()) continue;
    Edit edit = head.edit(kind, id, body);
    if (edit.before != edit.after) edits.push_back(std::move(edit));
  }
  if (auto free = check_not_rolled_out(head, edits); !free) return fail(free);
  return edits;
}

}  // namespace starling::hub
