// Purpose: `starling persona ...`. Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_persona_commands(CommandTree& tree);

}  // namespace starling::cli
