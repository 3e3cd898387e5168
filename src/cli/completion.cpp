#include "cli/completion.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/help_formatter.hpp"

namespace starling::cli {
namespace {

CompletionOption option_of(const CLI::Option& option) {
  CompletionOption out;
  for (const std::string& name : option.get_snames())
    out.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames())
    out.names.push_back("--" + name);
  out.description = option.get_description();
  out.takes_value = option.get_items_expected_max() > 0;
  out.choices = choices_of(option);
  return out;
}

void add_options(const CLI::App& app, std::vector<CompletionOption>& out) {
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_lnames().empty() || !option->get_snames().empty()) out.push_back(option_of(*option));
  }
}

void add_nodes(const CLI::App& app, const std::string& path, const std::vector<CompletionOption>& global,
               std::vector<CompletionNode>& out) {
  CompletionNode node;
  node.path = path;
  node.description = app.get_description();
  if (!path.empty()) add_options(app, node.options);
  for (const CompletionOption& option : global) {
    const bool own = std::any_of(node.options.begin(), node.options.end(),
                                 [&option](const CompletionOption& o) { return o.names == option.names; });
    if (!own) node.options.push_back(option);
  }
  const auto children = app.get_subcommands([](const CLI::App*) { return true; });
  const auto below = [&path](const CLI::App* child) {
    return path.empty() ? child->get_name() : path + " " + child->get_name();
  };
  for (const CLI::App* child : children)
    node.commands.push_back(below(child));
  out.push_back(std::move(node));
  for (const CLI::App* child : children)
    add_nodes(*child, below(child), global, out);
}

std::string last_word(const std::string& path) {
  return path.substr(path.rfind(' ') + 1);
}

std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text)
    out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

const CompletionNode& node_at(const std::vector<CompletionNode>& nodes, const std::string& path) {
  return *std::find_if(nodes.begin(), nodes.end(),
                       [&path](const CompletionNode& n) { return n.path == path; });
}

// The branches of a shell's `case` that say which words go deeper into the tree: " device"|" device list"
std::string path_patterns(const std::vector<CompletionNode>& nodes) {
  std::string out;
  for (const CompletionNode& node : nodes) {
    if (!node.path.empty()) out += (out.empty() ? "\" " : "|\" ") + node.path + "\"";
  }
  return out;
}

// Branches for the word after an option that takes one of a few values.
std::string choice_branches(const std::vector<CompletionNode>& nodes, std::string_view format) {
  std::string out;
  for (const CompletionNode& node : nodes) {
    for (const CompletionOption& option : node.options) {
      if (option.choices.empty()) continue;
      std::string patterns;
      for (const std::string& name : option.names) {
        const std::string path = node.path.empty() ? "" : " " + node.path;
        patterns += (patterns.empty() ? "\"" : "|\"") + path + " " + name + "\"";
      }
      out += fmt::format(fmt::runtime(format), patterns, fmt::join(option.choices, " "));
    }
  }
  return out;
}

std::string bash_script(const std::vector<CompletionNode>& nodes) {
  std::string branches;
  for (const CompletionNode& node : nodes) {
    std::string words;
    for (const std::string& command : node.commands)
      words += last_word(command) + " ";
    for (const CompletionOption& option : node.options) {
      for (const std::string& name : option.names)
        words += name + " ";
    }
    words.pop_back();
    branches += fmt::format("    \"{}\") words=\"{}\" ;;\n", node.path.empty() ? "" : " " + node.path, words);
  }
  return fmt::format(
      R"(# bash completion of starling; load it with: source <(starling completion bash)
_starling() {{
  local cur="${{COMP_WORDS[COMP_CWORD]}}" prev="${{COMP_WORDS[COMP_CWORD-1]}}" at="" words="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at ${{COMP_WORDS[i]}}" in
      {})
        at="$at ${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$at $prev" in
{}  esac
  case "$at" in
{}  esac
  [[ "$cur" == -* || "$words" != -* ]] && COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _starling starling
)",
      path_patterns(nodes),
      choice_branches(nodes, "    {}) COMPREPLY=($(compgen -W \"{}\" -- \"$cur\")); return ;;\n"), branches);
}

std::string zsh_item(std::string_view word, std::string_view description) {
  std::string escaped;
  for (const char c : word)
    escaped += c == ':' ? std::string("\\:") : std::string(1, c);
  return single_quoted(escaped + ":" + std::string(description));
}

std::string zsh_script(const std::vector<CompletionNode>& nodes) {
  std::string branches;
  for (const CompletionNode& node : nodes) {
    std::string commands;
    for (const std::string& command : node.commands) {
      commands += " " + zsh_item(last_word(command), node_at(nodes, command).description);
    }
    std::string options;
    for (const CompletionOption& option : node.options) {
      for (const std::string& name : option.names)
        options += " " + zsh_item(name, option.description);
    }
    branches += fmt::format("    (\"{}\") commands=({} ) options=({} ) ;;\n",
                            node.path.empty() ? "" : " " + node.path, commands, options);
  }
  return fmt::format(R"(#compdef starling
# zsh completion of starling; load it with: source <(starling completion zsh)
_starling() {{
  local at="" i
  local -a commands options
  for ((i = 2; i < CURRENT; i++)); do
    case "$at ${{words[i]}}" in
      ({})
        at="$at ${{words[i]}}" ;;
    esac
  done
  case "$at ${{words[CURRENT-1]}}" in
{}  esac
  case "$at" in
{}  esac
  if [[ "${{words[CURRENT]}}" == -* ]]; then
    _describe option options
  elif (( $#commands )); then
    _describe command commands
  else
    _files
  fi
}}
compdef _starling starling
)",
                     path_patterns(nodes), choice_branches(nodes, "    ({}) compadd -- {}; return ;;\n"),
                     branches);
}

std::string fish_condition(const CompletionNode& node) {
  const auto seen = [](const std::string& words) { return "__fish_seen_subcommand_from " + words; };
  std::string siblings;
  for (const std::string& command : node.commands)
    siblings += " " + last_word(command);
  const std::size_t space = node.path.find(' ');
  if (node.path.empty()) return "not " + seen(siblings.substr(1));
  std::string out = seen(node.path.substr(0, space));
  if (space != std::string::npos) out += "; and " + seen(node.path.substr(space + 1));
  if (!siblings.empty()) out += "; and not " + seen(siblings.substr(1));
  return out;
}

std::string fish_option(const CompletionOption& option) {
  std::string out;
  for (const std::string& name : option.names) {
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.choices.empty()) {
    out += fmt::format(" -x -a {}", single_quoted(fmt::format("{}", fmt::join(option.choices, " "))));
  } else if (option.takes_value) {
    out += " -r";
  }
  return out + " -d " + single_quoted(option.description);
}

std::string fish_script(const std::vector<CompletionNode>& nodes) {
  std::string out = "# fish completion of starling; load it with: starling completion fish | source\n";
  for (const CompletionNode& node : nodes) {
    const std::string condition = single_quoted(fish_condition(node));
    for (const std::string& command : node.commands) {
      out += fmt::format("complete -c starling -f -n {} -a {} -d {}\n", condition, last_word(command),
                         single_quoted(node_at(nodes, command).description));
    }
    if (node.path.empty()) continue;
    for (const CompletionOption& option : node.options) {
      const bool inherited = option.names == std::vector<std::string>{"-h", "--help"};
      if (!inherited) out += fmt::format("complete -c starling -n {}{}\n", condition, fish_option(option));
    }
  }
  return out + "complete -c starling -s h -l help -d 'Say what it does'\n";
}

}  // namespace

std::vector<CompletionNode> completion_nodes(const CLI::App& root) {
  std::vector<CompletionOption> global;
  add_options(root, global);
  std::vector<CompletionNode> nodes;
  add_nodes(root, "", global, nodes);
  return nodes;
}

std::string completion_script(Shell shell, const CLI::App& root) {
  const std::vector<CompletionNode> nodes = completion_nodes(root);
  switch (shell) {
    case Shell::bash: return bash_script(nodes);
    case Shell::zsh: return zsh_script(nodes);
    case Shell::fish: return fish_script(nodes);
  }
  return {};
}

}  // namespace starling::cli
