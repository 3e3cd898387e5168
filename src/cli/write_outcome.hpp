// Purpose: what every write says when it is done: the revision, where it is masked, who applied it.
// Owner: the command. Thread: one. Lifetime: short.
#pragma once

#include <string_view>

#include "base/json.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"

namespace starling::cli {

// For commands that name their target: says so if it is nobody at present, perhaps by a slip of the pen.
void note_if_nobody(Session& session, const JsonObject& answer);

// `what` was done, for people: "switched room=nursery to TARS".
Result<ExitCode> finish_write(Session& session, JsonObject answer, std::string_view what,
                              const WaitOptions& wait);
Result<ExitCode> finish_write(Session& session, JsonObject answer, std::string_view what);

}  // namespace starling::cli
