// Purpose: `starling release schedule`. Owner: the command tree. Thread: the main one. Lifetime: the process.
#pragma once

#include "cli/command.hpp"

namespace CLI {
class App;
}

namespace starling::cli {

void add_release_schedule_command(CommandTree& tree, CLI::App& noun);

}  // namespace starling::cli
