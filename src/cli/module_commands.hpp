// Purpose: `starling module ...`. Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_module_commands(CommandTree& tree);

}  // namespace starling::cli
