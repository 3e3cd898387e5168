#include "cli/release_commands.hpp"

#include <CLI/CLI.hpp>

#include "cli/release_pack_commands.hpp"

namespace starling::cli {

void add_release_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("release", "Releases: pack");
  noun.require_subcommand(1);
  add_release_pack_command(tree, noun);
}

}  // namespace starling::cli
