#include "cli/help_formatter.hpp"

#include <fmt/format.h>

#include <sstream>

namespace starling::cli {
namespace {

constexpr std::size_t name_column = 30;
constexpr std::size_t last_column = 100;

// "  name   text" with the text in a column of its own.
std::string in_columns(const std::string& name, const std::string& text) {
  std::string out = "  " + name;
  std::size_t column = out.size();
  if (column + 2 > name_column) {
    out += '\n';
    column = 0;
  }
  out.append(name_column - column, ' ');
  column = name_column;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const bool first = column == name_column;
    if (!first && column + 1 + word.size() > last_column) {
      out += "\n" + std::string(name_column, ' ');
      column = name_column;
    } else if (!first) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
  }
  return out + "\n";
}

}  // namespace

std::vector<std::string> choices_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();  // CLI11 shows the members as "{a,b,c}" in it
  const std::size_t open = type.find('{');
  const std::size_t close = type.find('}', open);
  if (open == std::string::npos || close == std::string::npos) return {};
  return CLI::detail::split(type.substr(open + 1, close - open - 1), ',');
}

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) return {};
  const auto choices = choices_of(*option);
  std::string type = option->get_type_name();
  type = choices.empty() ? type.substr(0, type.find(':')) : fmt::format("{}", fmt::join(choices, "|"));
  return type.find_first_not_of(' ') == std::string::npos ? std::string() : " " + type;
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  std::string text = option->get_description();
  if (!option->get_default_str().empty()) text += " (default: " + option->get_default_str() + ")";
  if (is_positional && !option->get_required()) text += " (optional)";
  return in_columns(make_option_name(option, is_positional) + make_option_opts(option), text);
}

std::string HelpFormatter::make_subcommand(const CLI::App* command) const {
  std::string text = command->get_description();
  std::string_view separator = ": ";
  for (const CLI::App* below : command->get_subcommands([](const CLI::App*) { return true; })) {
    text.append(separator).append(below->get_name());
    separator = ", ";
  }
  return in_columns(command->get_name(), text);
}

std::string HelpFormatter::make_footer(const CLI::App* app) const {
  std::string footer = CLI::Formatter::make_footer(app);
  if (app->get_parent() == nullptr) return footer;
  return footer + "\nOptions that all commands have, environment and exit codes: starling --help\n";
}

}  // namespace starling::cli
