// Purpose: what modules write to stdout and stderr: `starling module logs`, live, and `starling device logs`.
// Owner: CommandTree. Thread: one. Lifetime: the program's.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_module_logs(CommandTree& tree, CLI::App& noun);

}  // namespace starling::cli
