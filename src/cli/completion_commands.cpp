#include "cli/completion_commands.hpp"

#include <CLI/CLI.hpp>

#include "cli/completion.hpp"

namespace starling::cli {
namespace {

class PrintCompletion final : public Command {
 public:
  PrintCompletion(const CLI::App& root, Shell shell) : root_(root), shell_(shell) {}

  Result<ExitCode> run(Session& session) override {
    session.console.raw(completion_script(shell_, root_));
    return ExitCode::done;
  }

 private:
  const CLI::App& root_;
  Shell shell_;
};

}  // namespace

void add_completion_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("completion", "Shell completion");
  noun.require_subcommand(1);
  noun.footer(
      "Load it in the running shell with one of:\n"
      "  source <(starling completion bash)\n"
      "  source <(starling completion zsh)\n"
      "  starling completion fish | source");
  const auto add = [&](const char* name, Shell shell, const char* summary) {
    tree.attach(*noun.add_subcommand(name, summary), std::make_unique<PrintCompletion>(tree.root(), shell));
  };
  add("bash", Shell::bash, "Print the completion script for bash");
  add("zsh", Shell::zsh, "Print the completion script for zsh");
  add("fish", Shell::fish, "Print the completion script for fish");
}

}  // namespace starling::cli
