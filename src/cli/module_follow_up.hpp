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

// After the write that `answer` is of, and of what find_to_set() has told before it (`where`): devices that
// are here make the module as it is enabled or not there, if the write has changed nothing or has to be tried
// again. Waits for what becomes of it if that is wanted. How it went is in `answer` then, as `reconciled`.
Result<ExitCode> follow_up(Session& session, std::string_view module, const Json& target,
                           const JsonObject& where, const WaitOptions& wait, JsonObject& answer);

}  // namespace starling::cli
