// Purpose: whether a module is enabled is written; where it runs, or not, by what came before (a command, an
// enable that failed) the write alone may change nothing. Devices are asked to make it so.
// Owner: the command. Thread: one. Lifetime: none.
#pragma once

#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"

namespace starling::cli {

// After the write that `answer` is of: devices that are here make the module as it is enabled or not there,
// if the write has changed nothing, or shall enable what could not be (`where`: what find_to_set() told
// before it). Waits for what becomes of it if that is wanted; who is away is told. How it went is in `answer`
// then, as `reconciled`.
Result<ExitCode> follow_up(Session& session, std::string_view module, bool enabled, const Json& target,
                           const JsonObject& where, const WaitOptions& wait, JsonObject& answer);

}  // namespace starling::cli
