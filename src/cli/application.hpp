// Purpose: the program: parses the command line, runs one command, says how it went.
// Owner: main() or a test. Thread: one. Lifetime: one run.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "cli/console.hpp"

namespace starling::cli {

// Reads an environment variable; absent and empty are the same.
using Environment = std::function<std::optional<std::string>(const char* name)>;

// `arguments` without the program's name. Returns the process's exit code; never throws.
int run_application(const std::vector<std::string>& arguments, const Environment& environment,
                    Console& console, const Clock& clock);

}  // namespace starling::cli
