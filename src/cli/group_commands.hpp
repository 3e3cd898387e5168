// Purpose: `starling group ...`. Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_group_commands(CommandTree& tree);

}  // namespace starling::cli
