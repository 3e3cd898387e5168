// Purpose: starling asset: files that personas and settings name.
// Owner: none. Thread: one. Lifetime: none.
#pragma once

#include "cli/command.hpp"

namespace starling::cli {

void add_asset_commands(CommandTree& tree);

}  // namespace starling::cli
