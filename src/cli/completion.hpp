// Purpose: shell completion, generated from the parser's own tree, so that it cannot lag behind.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace starling::cli {

struct CompletionOption {
  std::vector<std::string> names;  // "-o", "--output"
  std::string description;
  bool takes_value = false;
  std::vector<std::string> choices;  // of the value; empty: anything
};

// One command: its words after the program's name, and what may follow.
struct CompletionNode {
  std::string path;  // "device list"; empty for the program itself
  std::string description;
  std::vector<std::string> commands;  // paths of the commands below
  std::vector<CompletionOption> options;
};

// Every command, parents before children. Options of the program are in every node.
std::vector<CompletionNode> completion_nodes(const CLI::App& root);

enum class Shell { bash, zsh, fish };
std::string completion_script(Shell shell, const CLI::App& root);

}  // namespace starling::cli
