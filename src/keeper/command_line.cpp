#include "keeper/command_line.hpp"

namespace starling::keeper {

const char* const usage =
    "Usage: starling-keeper --state FOLDER [OPTIONS] -- AGENT [ARGUMENTS...]\n"
    "\n"
    "Starts the agent and holds its modules: it starts them, signals them and keeps their output and exit\n"
    "status, so that they outlive an agent that crashes or is upgraded. It decides nothing.\n"
    "\n"
    "  --state FOLDER       for keeper.sock, keeper.state and the modules' notify sockets; made if missing\n"
    "  --log-format FORMAT  text, json or auto (default: text on a terminal)\n"
    "  --without FEATURE    does without clone3, clone-into-cgroup or pidfd of the kernel; may be repeated\n"
    "  --version\n"
    "  --help\n"
    "\n"
    "AGENT is the path of a program; a name without a folder is looked for beside starling-keeper.\n"
    "It is started again when it ends, but for the exit codes 2 and 78: with these the keeper ends too.\n"
    "SIGTERM ends the agent and all modules, a second one at once.\n";

namespace {

class Reader {
 public:
  explicit Reader(std::span<char* const> arguments) : arguments_(arguments) {}

  bool at_end() const { return next_ == arguments_.size(); }
  std::string take() { return arguments_[next_++]; }
  // Of an option: what follows it, or what is behind its '='.
  Result<std::string> value_of(const std::string& option) {
    const std::size_t equals = option.find('=');
    if (equals != std::string::npos) return option.substr(equals + 1);
    if (at_end()) return fail(ErrorCode::invalid_argument, option + " needs a value");
    return take();
  }

 private:
  std::span<char* const> arguments_;
  std::size_t next_ = 0;
};

Result<void> set_log_format(CommandLine& line, const std::string& value) {
  if (value == "text") {
    line.log_format = Log::Format::text;
  } else if (value == "json") {
    line.log_format = Log::Format::json;
  } else if (value != "auto") {
    return fail(ErrorCode::invalid_argument, "--log-format is text, json or auto, not " + value);
  }
  return {};
}

Result<void> do_without(CommandLine& line, const std::string& value) {
  if (value == "clone3") {
    line.features.clone3 = false;
  } else if (value == "clone-into-cgroup") {
    line.features.clone_into_cgroup = false;
  } else if (value == "pidfd") {
    line.features.pidfd = false;
  } else {
    return fail(ErrorCode::invalid_argument, "--without is clone3, clone-into-cgroup or pidfd, not " + value);
  }
  return {};
}

Result<void> set(CommandLine& line, const std::string& option, Reader& reader) {
  const std::string name = option.substr(0, option.find('='));
  if (name != "--state" && name != "--log-format" && name != "--without") {
    return fail(ErrorCode::invalid_argument, option + " is no option of the keeper; see --help");
  }
  const Result<std::string> value = reader.value_of(option);
  if (!value) return fail(value);
  if (name == "--log-format") return set_log_format(line, *value);
  if (name == "--without") return do_without(line, *value);
  line.state = *value;
  return {};
}

}  // namespace

Result<CommandLine> parse_command_line(std::span<char* const> arguments) {
  CommandLine line;
  Reader reader(arguments);
  while (!reader.at_end()) {
    const std::string argument = reader.take();
    if (argument == "--") break;
    if (argument == "--help" || argument == "--version") {
      (argument == "--help" ? line.shows_help : line.shows_version) = true;
      return line;
    }
    if (const Result<void> done = set(line, argument, reader); !done) return fail(done);
  }
  while (!reader.at_end())
    line.agent.push_back(reader.take());
  if (line.state.empty()) return fail(ErrorCode::invalid_argument, "--state FOLDER is missing");
  if (line.agent.empty()) return fail(ErrorCode::invalid_argument, "-- AGENT ARGUMENTS... is missing");
  return line;
}

}  // namespace starling::keeper
