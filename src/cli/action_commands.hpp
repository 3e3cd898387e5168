// Purpose: `starling action ...`, `starling device identify`, `check-updates` and `reset`,
// `starling settings retry`.
// Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_action_commands(CommandTree& tree);

}  // namespace starling::cli
