#include "hub/rollouts/rollout_edits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "hub/rollouts/rollout.hpp"
#include "hub/settings/writes.hpp"

namespace starling::hub {

using protocol::LayerId;
using protocol::LayerKind;

namespace {

Edit edit_to(const FleetState& head, const RolloutRecord& rollout) {
  return head.edit(EntityKind::rollout, rollout.id, rollout.to_json());
}

Result<void> check_values(const FleetState& head, RolloutPlan& plan) {
  for (std::size_t i = 0; i < plan.values.size(); ++i) {
    RolloutValue& each = plan.values[i];
    auto checked = check_value(head, each.setting.layer, each.setting.key, each.value);
    if (!checked) return fail(checked.error().code, checked.error().message, fmt::format("/values/{}", i));
    const auto* schema = head.catalog().find(checked->key);
    if (schema != nullptr && schema->owner == protocol::SettingOwner::device) {
      return fail(ErrorCode::failed_precondition,
                  fmt::format("{} belongs to the device; it can only be set there", checked->key),
                  fmt::format("/values/{}", i));
    }
    each.setting.key = std::move(checked->key);
    each.value = std::move(checked->value);
  }
  return check_plan(plan);
}

// Those that wait for a rollout's end. If its values have become the layer's, or another's, theirs are over;
// if they were taken back, theirs are what devices have again, unless that rollout was superseded itself.
void add_waiting(const FleetState& head, const RolloutRecord& ended, std::vector<Edit>& edits) {
  const bool taken_back =
      ended.state == KeptRolloutState::aborted || ended.state == KeptRolloutState::stopped;
  for (const auto& [id, record] : head.rollouts()) {
    if (record->state != KeptRolloutState::yielding || record->heir != ended.id) continue;
    if (taken_back && !ended.heir.empty()) {
      RolloutRecord next = *record;
      next.heir = ended.heir;
      edits.push_back(edit_to(head, next));
      continue;
    }
    const Rollout waiting(*record);
    const auto next =
        taken_back ? waiting.take_up()
                   : waiting.release(fmt::format("rollout {} is {}", ended.id, to_string(ended.state)));
    if (!next) continue;
    edits.push_back(edit_to(head, *next));
    if (!taken_back) add_waiting(head, *next, edits);
  }
}

// One that has not ended and brings such a value.
const RolloutRecord* rollout_with(const FleetState& head,
                                  const std::function<bool(const RolloutValue&)>& such) {
  for (const auto& [id, record] : head.rollouts()) {
    if (!has_ended(started_from(record->state)) && std::ranges::any_of(record->plan.values, such)) {
      return record.get();
    }
  }
  return nullptr;
}

// Of a group, a device or a persona.
bool is_layer_of(const LayerId& layer, EntityKind kind, const std::string& id) {
  if (layer.scope != id) return false;
  switch (layer.kind) {
    case LayerKind::group:
    case LayerKind::policy_group: return kind == EntityKind::group;
    case LayerKind::device:
    case LayerKind::policy_device: return kind == EntityKind::device;
    case LayerKind::persona: return kind == EntityKind::persona;
    default: return false;
  }
}

Result<void> check_no_rollout_to(const FleetState& head, const Edit& removal) {
  const RolloutRecord* rollout = rollout_with(head, [&](const RolloutValue& each) {
    const bool switches_to = removal.kind == EntityKind::persona &&
                             each.setting.key == protocol::persona_active_key &&
                             each.value == Json(removal.id);
    return switches_to || is_layer_of(each.setting.layer, removal.kind, removal.id);
  });
  if (rollout == nullptr) return {};
  return fail(ErrorCode::failed_precondition,
              fmt::format("rollout {} is on its way to {} '{}'; abort it, or wait for its end", rollout->id,
                          to_string(removal.kind), removal.id));
}

bool is_there(const FleetState& head, const LayerId& layer) {
  switch (layer.kind) {
    case LayerKind::group:
    case LayerKind::policy_group: return head.groups().contains(layer.scope);
    case LayerKind::device:
    case LayerKind::policy_device: return head.device(layer.scope) != nullptr;
    case LayerKind::persona: return head.personas().contains(layer.scope);
    default: return true;
  }
}

}  // namespace

const RolloutRecord* rollout_to(const FleetState& head, const LayerId& layer) {
  return rollout_with(head, [&](const RolloutValue& each) { return each.setting.layer == layer; });
}

Result<void> check_not_rolled_out(const FleetState& head, const SettingId& setting) {
  const RolloutRecord* holder = head.rollout_of(setting);
  if (holder == nullptr) return {};
  return fail(ErrorCode::failed_precondition,
              fmt::format("rollout {} brings {} to {}; abort it, or wait for its end", holder->id,
                          setting.key, setting.layer.text()));
}

Result<void> check_not_rolled_out(const FleetState& head, std::span<const Edit> edits) {
  for (const Edit& edit : edits) {
    if (edit.kind != EntityKind::setting) {
      if (!edit.after.is_null()) continue;
      if (auto free = check_no_rollout_to(head, edit); !free) return free;
      continue;
    }
    const auto setting = SettingId::parse(edit.id);
    if (!setting) return fail(setting);
    if (auto free = check_not_rolled_out(head, *setting); !free) return free;
  }
  return {};
}

Result<std::vector<Edit>> plan_rollout(const FleetState& head, RolloutRecord rollout, std::int64_t revision,
                                       bool supersede) {
  if (head.rollouts().contains(rollout.id)) {
    return fail(ErrorCode::already_exists, fmt::format("there is a rollout {}", rollout.id));
  }
  if (auto checked = check_values(head, rollout.plan); !checked) return fail(checked);
  rollout.started = revision;
  std::vector<Edit> edits;
  std::set<std::string> superseded;
  for (const RolloutValue& each : rollout.plan.values) {
    const RolloutRecord* holder = head.rollout_of(each.setting);
    if (holder == nullptr) continue;
    if (!supersede) return fail(check_not_rolled_out(head, each.setting));
    if (!superseded.insert(holder->id).second) continue;
    const auto next = Rollout(*holder).supersede(rollout.id);
    if (!next) return fail(next);
    edits.push_back(edit_to(head, *next));
  }
  edits.push_back(edit_to(head, rollout));
  return edits;
}

Result<std::vector<Edit>> plan_rollout_step(const FleetState& head, const RolloutRecord& former,
                                            const RolloutRecord& next) {
  const auto found = head.rollouts().find(next.id);
  if (found == head.rollouts().end()) {
    return fail(ErrorCode::not_found, fmt::format("there is no rollout {}", next.id));
  }
  if (found->second->to_json() != former.to_json()) {
    return fail(ErrorCode::conflict, fmt::format("rollout {} has moved in the meantime", next.id));
  }
  std::vector<Edit> edits{edit_to(head, next)};
  if (next.state == KeptRolloutState::finished) {
    for (const RolloutValue& each : next.plan.values) {
      if (!is_there(head, each.setting.layer)) continue;
      Edit edit = setting_edit(head, each.setting.layer, each.setting.key, each.value);
      if (edit.before != edit.after) edits.push_back(std::move(edit));
    }
  }
  if (has_ended(started_from(next.state))) add_waiting(head, next, edits);
  return edits;
}

}  // namespace starling::hub
