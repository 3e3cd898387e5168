// Purpose: help texts for people: what an option takes, what it does and its default, wrapped to the column.
// Owner: the parser. Thread: one. Lifetime: the parser's. Includes CLI11: only for files that do so too.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace starling::cli {

class HelpFormatter final : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_subcommand(const CLI::App* command) const override;
  std::string make_footer(const CLI::App* app) const override;
};

// The values that IsMember allows; empty if any is allowed.
std::vector<std::string> choices_of(const CLI::Option& option);

}  // namespace starling::cli
