// Purpose: whether a module is enabled is written; where it runs, or not, by a command that came before, the
// write alone changes nothing. There it is commanded too.
// Owner: the command. Thread: one. Lifetime: none.
#pragma once

#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"

namespace starling::cli {

// On the devices that find_to_set() has found: `module` is started where it is in quarantine or was stopped,
// or, where it is to be disabled, stopped where it was started. Waits for what becomes of it if that is
// wanted. They are in `answer` then, as `commanded`.
Result<ExitCode> follow_up(Session& session, std::string_view module, bool enabled, const JsonObject& where,
                           const WaitOptions& wait, JsonObject& answer);

}  // namespace starling::cli
