#include "hub/settings/written_names.hpp"

#include <algorithm>

#include "hub/rollouts/rollout_record.hpp"
#include "hub/settings/wanted_modules.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

WrittenNames::WrittenNames(const Change& change) {
  for (const Edit& edit : change.edits) {
    if (edit.kind == EntityKind::group) continue;
    const auto id =
        edit.kind == EntityKind::setting ? SettingId::parse(edit.id) : fail(ErrorCode::not_found, "");
    if (id) add(id->key, edit.after);
    others_ = others_ || !id;
  }
}

WrittenNames::WrittenNames(const RolloutPlan& rollout) {
  for (const RolloutValue& each : rollout.values)
    add(each.setting.key, each.value);
}

// A persona brings whatever it likes.
void WrittenNames::add(std::string_view key, const Json& value) {
  if (key == protocol::software_release_key) {
    software_ = true;
  } else if (key == protocol::persona_active_key) {
    others_ = true;
  } else if (const auto module = protocol::module_of(key)) {
    modules_.emplace(*module);
    if (value == Json(true)) enabled_.emplace(*module);
  } else {
    components_.emplace(protocol::component_of(key));
  }
}

std::optional<std::string_view> WrittenNames::lacked_by(const DeviceRecord* record) const {
  if (software_ || others_ || record == nullptr || !record->components) return std::nullopt;
  if (declares(components_, *record->components) || declares(modules_, record->module_names)) {
    return std::nullopt;
  }
  return components_.empty() ? lacks_module : lacks_component;
}

bool WrittenNames::concerned_by(const protocol::KeyError& error) const {
  const auto module = protocol::module_of(error.key);
  return others_ || !module || modules_.contains(*module);
}

bool WrittenNames::declares(const Names& names, std::string_view declared) {
  return std::ranges::any_of(split_names(declared),
                             [&](std::string_view name) { return names.contains(name); });
}

}  // namespace starling::hub
