// Purpose: from a wanted write of settings to the edits that make it, or to why it cannot be made.
// Owner: none; pure functions of a state, made to be called from a ChangeLog plan. Thread: the hub's.
// Lifetime: none.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hub/settings/scope.hpp"
#include "hub/state/fleet_state.hpp"
#include "protocol/messages.hpp"

namespace starling::hub {

// Where a write goes, as its author named it.
struct Target {
  enum class Kind { fleet, device, selector, persona, group };
  Kind kind = Kind::fleet;
  std::string name;     // device UUID or unique name, selector, persona or group; empty for the fleet
  bool policy = false;  // the policy layer of that scope

  // {"fleet":true} | {"device":...} | {"selector":...} | {"persona":...} | {"group":...}, plus "policy".
  // Errors: invalid_argument with pointer.
  static Result<Target> from_json(const JsonObject& object, const std::string& path);
};

struct ResolvedTarget {
  Scope scope;                     // scope.layer is the layer to write in
  std::optional<Group> new_group;  // to be made before: no group has the target's selector yet
};
// Errors: not_found, failed_precondition (ambiguous name), invalid_argument (selector; policy of a persona).
Result<ResolvedTarget> resolve_target(const FleetState& head, const Target& target);

struct SettingsWrite {
  Target target;
  std::map<std::string, Json> values;  // full key or alias → value; null takes this layer's value away
  std::map<std::string, Json>
      expected;  // full key or alias → what the author saw in this layer; null: nothing
};

struct WriteConflict {
  std::string key;
  Json expected;
  Json actual;
};

struct SettingsPlan {
  Scope scope;
  std::map<std::string, Json> values;  // by full key, of those that are not null: where masking matters
  std::vector<Edit> edits;             // none if all is as wanted already, or if there are conflicts
  std::int64_t unchanged_since = 0;    // the newest change that wrote one of these values; 0: none is written
  std::vector<WriteConflict> conflicts;
};

// Errors: those of resolve_target; not_found (a persona that does not exist); invalid_argument with the
// pointer /values/<key> (unknown key, a value outside its schema, one setting named twice);
// failed_precondition (the setting belongs to the device, or a rollout brings it).
Result<SettingsPlan> plan_settings(const FleetState& head, const SettingsWrite& write);

// Of a full key or an alias; persona.active, software.release and modules.NAME.enabled belong to no
// component. Errors: invalid_argument (unknown key).
Result<std::string> full_key(const FleetState& head, const std::string& key_or_alias);

// What plan_settings checks of each value, for other writers of layers. `key` may be an alias; persona.active
// must name an existing persona. Gives the full key and the value as it will be stored (null stays null).
struct CheckedValue {
  std::string key;
  Json value;
};
Result<CheckedValue> check_value(const FleetState& head, const protocol::LayerId& layer,
                                 const std::string& key, const Json& value);

// The edit that gives a setting (full key) of a layer this value; null removes it.
Edit setting_edit(const FleetState& head, const protocol::LayerId& layer, const std::string& key, Json value);

// The settlement of an edit that was made on a device: into its device layer if the value that it was made
// from is still what the hub wants there (or already equals the new one).
struct Proposal {
  bool accepted = false;
  std::vector<Edit> edits;  // none although accepted: the hub wants that value already
  Json hub_value;           // what stands if it is not accepted; null if the key is unknown
  std::string message;      // why it is not accepted
};
// `kept`: what the device has instead of what the hub wants, because it refuses that.
Proposal plan_proposal(const FleetState& head, const Device& device, const protocol::PendingEdit& edit,
                       const std::optional<Json>& kept = std::nullopt);

// The value in force for one device by all layers and the default; nullptr if there is none (persona.active,
// a module, an unknown key).
struct EffectiveValue {
  Json value;
  protocol::LayerId layer{protocol::LayerKind::defaults, ""};
  std::int64_t revision = 0;
};
std::optional<EffectiveValue> effective_value(const FleetState& state, const Device& device,
                                              const std::string& key);

}  // namespace starling::hub
