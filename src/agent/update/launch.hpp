// Purpose: which program goes on as the agent: the one that was installed with the system, or the one of the
// release that the generation names. The installed one is what the keeper starts, and chooses.
// Owner: main(). Thread: one; blocking. Lifetime: none.
#pragma once

#include <filesystem>

#include "base/log.hpp"

namespace starling::agent {

inline constexpr std::string_view release_agent_path = "payload/bin/starling-agent";

struct LaunchKeeper {
  std::filesystem::path socket;  // empty: there is none
  Milliseconds watchdog{0};  // of an agent that begins and never gets so far as to ask for it itself; 0: none
};

// Returns where this program is the agent; otherwise it becomes the one that is.
void become_chosen_agent(const std::filesystem::path& state, const LaunchKeeper& keeper, const Clock& clock,
                         Log& log, char** argv);

// With which this agent ends instead of one of exit_status.hpp that another start would not mend. What the
// keeper starts is the installed agent: where a chosen one does not understand what that one was started
// with, it counts as a crash.
int status_here(int status);

// Begins anew as the installed one. Returns only if that fails.
void become_installed_agent(char** argv);

}  // namespace starling::agent
