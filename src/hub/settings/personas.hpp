// Purpose: personas as people write them (fields and pi_config in one object) against personas as they are
// kept: an entity of fields, and settings in the layer persona:<name>. Owner: none; pure functions of a
// state, made to be called from a ChangeLog plan. Thread: the hub's. Lifetime: none.
#pragma once

#include <string>
#include <vector>

#include "hub/settings/writes.hpp"

namespace starling::hub {

struct PersonaWrite {
  std::string name;
  JsonObject fields;     // all but pi_config
  JsonObject pi_config;  // alias or full key → value
};

// Errors: invalid_argument with pointer (a name that cannot be one, pi_config or the body not an object),
// too_large.
Result<PersonaWrite> parse_persona(const std::string& name, const Json& body, const std::string& pointer);
// A personas.json: an object of them by name.
Result<std::vector<PersonaWrite>> parse_personas(const Json& body);

// {..fields, "pi_config": {alias or key: value}}
JsonObject persona_json(const FleetState& state, const Persona& persona);

// The edits that make these personas exactly as written; personas that are not named stay.
// Errors: invalid_argument naming persona and key, with the pointer /<name>/pi_config/<key> if `in_import`,
// else /pi_config/<key>; failed_precondition (a rollout brings one of them).
Result<std::vector<Edit>> plan_personas(const FleetState& head, const std::vector<PersonaWrite>& personas,
                                        bool in_import);

// Errors: not_found; conflict while some layer makes it active, naming the layers.
Result<std::vector<Edit>> plan_persona_removal(const FleetState& head, const std::string& name);

// The write that makes a persona active at a target; "none" takes the target's say away.
SettingsWrite persona_switch(const std::string& name, Target target);

}  // namespace starling::hub
