// Purpose: which settings and personas name which files, and what an asset's writes and removal change.
// Owner: none; pure functions of a state, made to be called from a ChangeLog plan. Thread: the hub's.
// Lifetime: none.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "hub/state/fleet_state.hpp"

namespace starling::hub {

// Where a file is named: a setting in a layer, or a persona's list, whose key is "assets".
struct AssetUse {
  protocol::LayerId layer;
  std::string key;
  std::string rollout;  // the id of the one that brings it; empty: it is written
};
using AssetUses = std::map<std::string, std::vector<AssetUse>, std::less<>>;  // by the file's name
AssetUses asset_uses(const FleetState& state);
JsonObject to_json(const AssetUse& use);

// The files that these edits name and that no asset of the state has. A device then takes the name as it is.
std::vector<std::string> missing_assets(const FleetState& state, std::span<const Edit> edits);

// What a device's document says of the files that its settings and persona name.
protocol::Assets named_assets(const FleetState& state, std::span<const protocol::EffectiveSetting> effective,
                              const JsonObject& persona);

// Errors: not_found; conflict while something names it, saying what.
Result<std::vector<Edit>> plan_asset_removal(const FleetState& head, const std::string& name);

// The files of an edit, before and after it.
std::vector<Digest> asset_files_of(const Edit& edit);

}  // namespace starling::hub
