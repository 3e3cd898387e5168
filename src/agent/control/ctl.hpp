// Purpose: `starling-agent ctl`: what a person or a script on the device asks the running agent.
// Owner: main(). Thread: the main one; blocks. Lifetime: the process.
#pragma once

#include <string>
#include <vector>

#include "agent/control/control_client.hpp"

namespace starling::agent {

// argv[0] is "ctl". Gives the exit status: 0, 1 (the agent said no, or is not there, says nothing for so
// long, or ended while it was followed), 2 (wrong command line).
int run_ctl(int argc, char** argv, Milliseconds patience = ControlClient::usual_patience);

// Whether that is a command line, of words after "ctl"; nothing is asked. Errors: invalid_argument.
Result<void> check_ctl(const std::vector<std::string>& words);

}  // namespace starling::agent
