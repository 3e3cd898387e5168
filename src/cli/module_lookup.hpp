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
// The module `name` of a list. Errors: not_found, with what was probably meant.
Result<JsonObject> pick_module(const JsonObject& modules, std::string_view name);

// Fails if the device that `target` names has no such module, and for many devices if none of the fleet has
// and a name near to it is known. A device that is told would say so as well, but not to who does not wait.
Result<void> check_module(Session& session, const Json& target, std::string_view name);

}  // namespace starling::cli
