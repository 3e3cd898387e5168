// Purpose: `starling release list` and `show`, and a schedule as people read it.
// Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include <string>

#include "base/json.hpp"
#include "cli/command.hpp"

namespace starling::cli {

// "at 02:00 of the device's time, for 2 h", "at once"; empty if there is none.
std::string schedule_text(const JsonObject& schedule);

// When devices that shall have it take it, and how it would be at once. Only a hint.
void note_when_taken(Session& session, const std::string& version);

void add_release_queries(CommandTree& tree, CLI::App& noun);

}  // namespace starling::cli
