#include "base/usage_error.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/nearest_name.hpp"

namespace starling {
namespace {

// The deepest command that was named, and its words.
std::pair<const CLI::App*, std::string> deepest(const CLI::App& root) {
  const CLI::App* app = &root;
  std::string words = root.get_name();
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
    words += " " + app->get_name();
  }
  return {app, words};
}

// What stands where a command below `app` has to, with what was probably meant. Empty: nothing does.
std::string wrong_command(const CLI::App& app, const std::vector<std::string>& unexpected) {
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  if (commands.empty()) return {};
  for (const std::string& word : unexpected) {
    if (word.starts_with('-')) continue;
    NearestName search(word);
    for (const CLI::App* command : commands)
      search.consider(command->get_name());
    if (!search.name().empty())
      return fmt::format("there is no command '{}'; did you mean '{}'?", word, search.name());
  }
  const bool is_command = !unexpected.empty() && !unexpected.front().starts_with('-');
  return is_command ? fmt::format("there is no command '{}'", unexpected.front()) : std::string();
}

}  // namespace

std::string usage_error(const CLI::ParseError& error, const CLI::App& root) {
  const auto [app, words] = deepest(root);
  const std::string wrong = wrong_command(*app, root.remaining());
  return fmt::format("{}\n  See: {} --help", wrong.empty() ? error.what() : wrong, words);
}

}  // namespace starling
