// Purpose: `starling release ...`. Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_release_commands(CommandTree& tree);

}  // namespace starling::cli
