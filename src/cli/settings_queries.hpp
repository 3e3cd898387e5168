// Purpose: `starling settings get|list|explain|diff|history`: what only reads.
// Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

// `noun` is the app of `starling settings`.
void add_settings_queries(CommandTree& tree, CLI::App& noun);

}  // namespace starling::cli
