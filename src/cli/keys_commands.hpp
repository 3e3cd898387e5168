// Purpose: `starling keys ...`: the keys that releases are signed with. Owner: CommandTree. Thread: one.
// Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_keys_commands(CommandTree& tree);

}  // namespace starling::cli
