#include "hub/settings/assets.hpp"

#include <fmt/format.h>

#include "hub/rollouts/rollout_record.hpp"
#include "protocol/document.hpp"

namespace starling::hub {

using protocol::LayerId;
using protocol::LayerKind;
using protocol::persona_assets_field;

namespace {

using Named = std::function<void(std::string_view)>;

void files_of_persona(const JsonObject& fields, const Named& named) {
  if (const Json* listed = fields.if_contains(persona_assets_field)) protocol::for_each_file(*listed, named);
}

void files_of_setting(const FleetState& state, const std::string& key, const Json& value,
                      const Named& named) {
  const protocol::SettingSchema* schema = state.catalog().find(key);
  if (schema != nullptr && schema->names_files) protocol::for_each_file(value, named);
}

std::string shown(const AssetUse& use) {
  const std::string place = fmt::format("{} of {}", use.key, use.layer.text());
  return use.rollout.empty() ? place : fmt::format("rollout {} ({})", use.rollout, place);
}

}  // namespace

AssetUses asset_uses(const FleetState& state) {
  AssetUses uses;
  const auto use_of = [&](AssetUse use) {
    return [&uses, use = std::move(use)](std::string_view name) { uses[std::string(name)].push_back(use); };
  };
  for (const auto& [name, persona] : state.personas()) {
    files_of_persona(persona->fields,
                     use_of({{LayerKind::persona, name}, std::string(persona_assets_field), {}}));
  }
  for (const auto& [id, layer] : state.layers()) {
    for (const auto& [key, entry] : layer.values)
      files_of_setting(state, key, entry.value, use_of({id, key, {}}));
  }
  for (const auto& [id, rollout] : state.rollouts()) {
    if (has_ended(started_from(rollout->state))) continue;
    for (const RolloutValue& each : rollout->plan.values)
      files_of_setting(state, each.setting.key, each.value,
                       use_of({each.setting.layer, each.setting.key, id}));
  }
  return uses;
}

JsonObject to_json(const AssetUse& use) {
  JsonObject json{{"layer", use.layer.text()}, {"key", use.key}};
  if (!use.rollout.empty()) json["rollout"] = use.rollout;
  return json;
}

std::vector<std::string> missing_assets(const FleetState& state, std::span<const Edit> edits) {
  std::set<std::string> missing;
  const Named look = [&](std::string_view name) {
    if (!state.assets().contains(name)) missing.emplace(name);
  };
  for (const Edit& edit : edits) {
    if (edit.kind == EntityKind::persona) {
      if (const auto persona = Persona::from_json(edit.id, edit.after))
        files_of_persona(persona->fields, look);
    }
    const auto id = edit.kind == EntityKind::setting ? SettingId::parse(edit.id) : Result<SettingId>();
    if (edit.kind == EntityKind::setting && id) files_of_setting(state, id->key, edit.after, look);
  }
  return {missing.begin(), missing.end()};
}

protocol::Assets named_assets(const FleetState& state, std::span<const protocol::EffectiveSetting> effective,
                              const JsonObject& persona) {
  protocol::Assets named;
  if (state.assets().empty()) return named;
  protocol::for_each_file(effective, persona, [&](std::string_view name) {
    const auto asset = state.assets().find(name);
    if (asset == state.assets().end() || named.size() == protocol::max_assets) return;
    named.emplace(asset->first, asset->second->file);
  });
  return named;
}

Result<std::vector<Edit>> plan_asset_removal(const FleetState& head, const std::string& name) {
  constexpr std::size_t shown_uses = 5;
  if (!head.assets().contains(name)) {
    return fail(ErrorCode::not_found, fmt::format("no asset is called '{}'", name));
  }
  const AssetUses uses = asset_uses(head);
  const auto used = uses.find(name);
  if (used == uses.end()) return std::vector<Edit>{head.edit(EntityKind::asset, name, Json())};
  std::string by;
  for (std::size_t i = 0; i < used->second.size() && i < shown_uses; ++i)
    by += (i == 0 ? "" : ", ") + shown(used->second[i]);
  if (used->second.size() > shown_uses) by += fmt::format(" and {} more", used->second.size() - shown_uses);
  return fail(ErrorCode::conflict, fmt::format("'{}' is named by {}; take it out there first", name, by));
}

std::vector<Digest> asset_files_of(const Edit& edit) {
  std::vector<Digest> files;
  if (edit.kind != EntityKind::asset) return files;
  for (const Json* body : {&edit.before, &edit.after}) {
    if (const auto asset = Asset::from_json(edit.id, *body)) files.push_back(asset->file.sha256);
  }
  return files;
}

}  // namespace starling::hub
