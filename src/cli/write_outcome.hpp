// Purpose: what every write says when it is done: the revision, where it is masked, who applied it.
// Owner: the command. Thread: one. Lifetime: short.
#pragma once

#include <functional>
#include <string_view>

#include "base/json.hpp"
#include "cli/command.hpp"
#include "cli/progress.hpp"

namespace starling::cli {

// For commands that name their target: says so if it is nobody at present, perhaps by a slip of the pen.
// Where a higher layer has another value, as the answer to a write lists it.
void note_masked(Session& session, const JsonObject& answer);

void note_if_nobody(Session& session, const JsonObject& answer);

// Done once it is said what was written, and before it is waited for; may add to the answer.
using Meanwhile = std::function<Result<ExitCode>(JsonObject& answer)>;

// `what` was done, for people: "switched room=nursery to TARS". `target`: as the write named it, so that one
// which changed nothing waits for those devices alone.
Result<ExitCode> finish_write(Session& session, JsonObject answer, std::string_view what,
                              const WaitOptions& wait, const Json& target = {},
                              const Meanwhile& meanwhile = {});
Result<ExitCode> finish_write(Session& session, JsonObject answer, std::string_view what);

}  // namespace starling::cli
