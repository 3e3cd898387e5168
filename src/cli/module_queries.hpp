// Purpose: `starling module list`, `show` and `crashes`, which change nothing.
// Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_module_queries(CommandTree& tree, CLI::App& noun);

}  // namespace starling::cli
