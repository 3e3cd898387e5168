// Purpose: whether there is a module of that name, where a command wants to do something with it.
// Owner: values. Thread: one. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/api_client.hpp"
#include "cli/command.hpp"

namespace starling::cli {

// The modules of a device: as the API lists them.
Result<JsonObject> modules_of(ApiClient& api, const std::string& device_id);
// The module `name` of a list, which is of "bear-1 has", or else of the fleet. Errors: not_found, with what
// was probably meant.
Result<JsonObject> pick_module(const JsonObject& modules, std::string_view name,
                               std::string_view whose = "there is");

// Errors: not_found, if no device of the fleet has such a module.
Result<void> check_known(Session& session, std::string_view name);

// Where a module lies among the devices of a target, as the API tells it: before something is done there.
// What a target lacks is noted. Errors: invalid_argument (no module can be called so), not_found, with what
// was probably meant, of a module that nobody has; but its setting may be written before the module comes,
// and after it has gone.
Result<JsonObject> find_to_set(Session& session, const Json& target, std::string_view name);
Result<JsonObject> find_to_ask(Session& session, const Json& target, std::string_view name);

}  // namespace starling::cli
