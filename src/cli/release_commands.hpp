// Purpose: the commands of `starling release`. Owner: the command tree. Thread: one. Lifetime: none.
#pragma once

namespace starling::cli {

class CommandTree;

void add_release_commands(CommandTree& tree);

}  // namespace starling::cli
