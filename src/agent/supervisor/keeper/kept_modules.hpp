// Purpose: ends the modules that an agent before this one left running, before there is a supervisor that
// could. Owner: values. Thread: any; blocks. Lifetime: none.
#pragma once

#include <filesystem>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace starling::agent {

// Everything that the keeper at this socket holds, with what else of its module is found, and at once: nobody
// asks it to finish. The keeper holds nothing afterwards. `state` is the agent's state folder. Errors:
// invalid_argument (the socket's path is too long), timed_out.
Result<void> end_kept_modules(const std::filesystem::path& keeper_socket, const std::filesystem::path& state,
                              const Clock& clock, Milliseconds patience, Logger log);

}  // namespace starling::agent
