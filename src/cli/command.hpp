// Purpose: what a command is, and what it is given.
// Owner: Application owns the commands; they live until it ends. Thread: one. Lifetime: a command's options
// are filled by the parser before run() is called, at most once.
#pragma once

#include <memory>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "cli/api_client.hpp"
#include "cli/console.hpp"

namespace CLI {
class App;
}

namespace starling::cli {

// What scripts see; `starling --help` documents them.
enum class ExitCode { done = 0, failed = 1, usage = 2, refused = 3, unfinished = 4 };

enum class Output { table, json };

struct Session {
  ApiClient& api;
  Console& console;
  const Clock& clock;
  Output output = Output::table;

  bool json() const { return output == Output::json; }
};

class Command {
 public:
  virtual ~Command() = default;
  virtual Result<ExitCode> run(Session& session) = 0;
};

// Where the noun files put their commands.
class CommandTree {
 public:
  virtual ~CommandTree() = default;
  virtual CLI::App& root() = 0;
  // Makes `app` run `command`.
  virtual void attach(CLI::App& app, std::unique_ptr<Command> command) = 0;
};

// Makes the subcommand `name` of `noun`, which runs a Kind. Only for files that include CLI11.
template <typename Kind, typename App>
App& add_command(CommandTree& tree, App& noun, const char* name, const char* summary) {
  App& app = *noun.add_subcommand(name, summary);
  tree.attach(app, std::make_unique<Kind>(app));
  return app;
}

// Prints the hub's answer if JSON was asked for; then the caller has nothing more to print.
bool print_json(Session& session, const JsonObject& answer);

}  // namespace starling::cli
