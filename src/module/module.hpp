// Purpose: what a module in C++ needs to take its settings from the agent: plain blocking sockets, no
// threads. Owner: the module's main(). Thread: one. Lifetime: a Module is one connection; the Handler
// outlives it.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "protocol/module_messages.hpp"

namespace starling::module {

using KeyError = protocol::KeyError;

// What the module does about settings. A module that uses none overrides nothing.
class Handler {
 public:
  virtual ~Handler() = default;
  // Could the module run with these? It takes nothing exclusive and changes nothing. What it cannot do is
  // named by key; an empty answer agrees. `changed` are the keys whose values are new.
  virtual std::vector<KeyError> check(const JsonObject& /*values*/,
                                      const std::vector<std::string>& /*changed*/) {
    return {};
  }
  // These are in force from now on: at the start, and after each change.
  virtual void apply(const JsonObject& /*values*/) {}
};

class Module;
// Does what it is asked to once, with these parameters; gives the answer, or why it was not done.
using Action = std::function<Result<JsonObject>(Module& module, const JsonObject& parameters)>;

struct Options {
  std::string name;
  std::string socket;                                  // empty: STARLING_MODULE_SOCKET
  std::vector<std::string> components;                 // whose settings it uses
  std::vector<std::string> keys;                       // single ones in addition
  int prepare_seconds = 2;                             // how long check() may take; up to 10
  std::map<std::string, Action, std::less<>> actions;  // by name
  Digest running;  // of the settings that it runs with already: they are not applied again
};

class Module {
 public:
  // Errors: invalid_argument (no socket was named), unavailable (no agent listens there).
  static Result<Module> connect(Options options, Handler& handler);
  Module(Module&& other) noexcept;
  Module& operator=(Module&&) = delete;
  ~Module();

  // Reads and answers until the connection ends. Errors: unavailable, or why the agent refused this module.
  Result<void> run();
  // For a module with a loop of its own: when descriptor() is readable, process() what is there.
  int descriptor() const { return socket_; }
  const Digest& running() const { return running_; }
  Result<void> process();

  Result<void> report_state(std::string_view state, std::string_view status);
  // A device-side edit: full key or alias → value. It comes back through the handler like any other change.
  Result<void> set(JsonObject values);

 private:
  Module(int socket, Options options, Handler& handler);
  Result<void> send(const protocol::module::FromModule& message);
  Result<void> handle(std::string_view line);
  Result<void> on(const protocol::module::Settings& settings);
  Result<void> on(const protocol::module::Prepare& prepare);
  Result<void> on(const protocol::module::Commit& commit);
  Result<void> on(const protocol::module::Rollback& rollback);
  Result<void> on(const protocol::module::Action& action);
  Result<void> on(const protocol::module::Refused& refused);
  Result<void> on(const protocol::Unknown& unknown);

  int socket_;
  Handler& handler_;
  std::map<std::string, Action, std::less<>> actions_;
  std::string received_;
  Digest running_;   // of the settings that were applied last
  Digest prepared_;  // of those that were agreed to last
  JsonObject prepared_values_;
};

// Connects, runs and connects again for as long as the process lives: the agent may be restarted under it.
[[noreturn]] void run_for_ever(const Options& options, Handler& handler);

}  // namespace starling::module
