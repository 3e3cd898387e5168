// Purpose: `starling rollout ...`. Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_rollout_commands(CommandTree& tree);

}  // namespace starling::cli
