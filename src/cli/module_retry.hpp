// Purpose: what could not be enabled on some devices is tried again there.
// Owner: the command. Thread: one. Lifetime: none.
#pragma once

#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"

namespace starling::cli {

// Starts `module` on the devices that have it in quarantine, as find_to_set() has found them, and waits for
// what becomes of it if that is wanted. They are in `answer` then, as `retried`.
Result<ExitCode> retry_module(Session& session, std::string_view module, const JsonObject& where,
                              const WaitOptions& wait, JsonObject& answer);

}  // namespace starling::cli
