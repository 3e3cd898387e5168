// Purpose: what the keeper is told when it is started.
// Owner: main(). Thread: main. Lifetime: a value.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "keeper/log.hpp"
#include "keeper/spawn.hpp"

namespace starling::keeper {

struct CommandLine {
  std::string state;  // a folder
  Log::Format log_format = Log::Format::automatic;
  Spawner::Features features;
  std::vector<std::string> agent;  // its program and arguments
  bool shows_help = false;
  bool shows_version = false;
};

extern const char* const usage;

// Errors: invalid_argument.
Result<CommandLine> parse_command_line(std::span<char* const> arguments);

}  // namespace starling::keeper
