// Purpose: the messages between the agent and its modules: JSON lines over a Unix stream socket.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "protocol/messages.hpp"

namespace starling::protocol::module {

inline constexpr int protocol_version = 1;
inline constexpr std::size_t max_line_bytes = std::size_t{256} * 1024;

// ---- module → agent
struct Hello {  // first line
  std::string name;
  int protocol = protocol_version;
  std::vector<std::string> components;  // settings it uses; it hears of no others
  std::vector<std::string> keys;        // in addition, single keys or aliases
  Digest hash;                          // of the settings it runs with, none at a fresh start
  int prepare_seconds = 2;              // up to 10
};
struct Prepared {  // answer to Prepare
  Digest hash;
  bool ok = false;
  std::vector<KeyError> errors;
};
struct Committed {  // answer to Commit
  Digest hash;
};
struct State {        // recording state, free text
  std::string state;  // "idle", "recording"
  std::string status;
};
struct Set {          // a device-side edit
  JsonObject values;  // full key or alias → value
};
struct Report {  // activity, metric, event
  std::string kind;
  JsonObject body;
};
using ActionResult = protocol::ActionResult;  // answer to Action

// ---- agent → module
struct Settings {     // answer to Hello, and after a rollback of a module that had prepared
  Digest hash;        // of `values`
  JsonObject values;  // full key → value
};
struct Prepare {
  Digest hash;
  JsonObject values;                 // all that the module would hear
  std::vector<std::string> changed;  // keys
};
struct Commit {
  Digest hash;
};
struct Rollback {  // the prepared hash will not come into force
  Digest hash;
};
struct Action {  // do this once; never repeated
  std::string id;
  std::string name;
  JsonObject parameters;
};
struct Refused {  // the module's line was wrong; the connection ends if `fatal`
  std::string message;
  bool fatal = false;
};

using FromModule = std::variant<Unknown, Hello, Prepared, Committed, State, Set, Report, ActionResult>;
using FromAgent = std::variant<Unknown, Settings, Prepare, Commit, Rollback, Action, Refused>;

// One line without its line feed. Unknown has no encoding.
std::string encode(const FromModule& message);
std::string encode(const FromAgent& message);
Result<FromModule> decode_from_module(std::string_view line);
Result<FromAgent> decode_from_agent(std::string_view line);

}  // namespace starling::protocol::module
