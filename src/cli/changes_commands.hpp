// Purpose: `starling changes ...`, which is readable lines by itself. Owner: CommandTree. Thread: one.
// Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_changes_commands(CommandTree& tree);

}  // namespace starling::cli
