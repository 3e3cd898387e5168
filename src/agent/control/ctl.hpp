// Purpose: `starling-agent ctl`: what a person or a script on the device asks the running agent.
// Owner: main(). Thread: the main one; blocks. Lifetime: the process.
#pragma once

namespace starling::agent {

// argv[0] is "ctl". Gives the exit status: 0, 1 (the agent said no, or is not there), 2 (wrong command line).
int run_ctl(int argc, char** argv);

}  // namespace starling::agent
