// Purpose: what is asked of a module, and how it is: for reports, observers and people. Owner: values.
// Thread: any. Lifetime: none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/supervisor/deaths/death.hpp"
#include "agent/supervisor/module_state.hpp"
#include "agent/supervisor/restart_policy.hpp"
#include "agent/supervisor/start_gate.hpp"

namespace starling::agent {

enum class ModuleCommand {
  enable,   // provisional until it is ready
  disable,  // and stop
  start,    // now, whether enabled or not; until it is stopped or the device starts afresh
  stop,     // the same the other way round
  restart,
};

constexpr std::string_view to_string(ModuleCommand command) {
  constexpr std::array<std::string_view, 5> names{"enable", "disable", "start", "stop", "restart"};
  return names[static_cast<std::size_t>(command)];
}

struct ModuleStatus {
  std::string name;
  bool enabled = false;
  bool settled = false;      // `enabled` is what it will stay without another command
  bool provisional = false;  // being enabled, and not ready so far
  bool wanted = false;       // shall run now
  bool finished = false;     // its work in this boot is done: it ended well, and is not to be started again
  std::string quarantine;    // why the last enable was reverted; else empty

  ModuleState state = ModuleState::disabled;
  std::optional<SteadyTime> since;  // in this state
  Cause cause = Cause::none;
  std::string detail;
  StartGate::Wait wait = StartGate::Wait::nothing;
  std::string waits_for;    // why it is not started; else empty
  std::string status_text;  // the module's own words
  bool reloading = false;   // it said so, and not that it is ready again
  std::string problem;      // the last with it since its start: what it said wrongly, or that it does not end
  std::string manifest_problem;
  std::string limits_note;        // limits that are not in force
  bool unkillable = false;        // it does not end, as it seems: `problem` says so
  bool manifest_pending = false;  // it has changed, and counts from the next start

  std::uint64_t epoch = 0;
  int attempt = 0;   // of the starts since the last good run
  int starts = 0;    // since the agent's
  int restarts = 0;  // of those, after a failure and without being asked for
  std::optional<SteadyTime> deadline, next_retry;
  RetryPace pace = RetryPace::quick;

  // What its process has said itself, and only this agent knows:
  std::optional<Milliseconds> own_watchdog;     // another interval than its manifest's
  std::optional<SteadyTime> extended_deadline;  // of its start, past that of its manifest

  std::uint64_t run = 0;  // of the present or last process
  std::int32_t pid = 0;   // of its main process; 0: none
  std::uint64_t start_time = 0;
  std::int32_t main_pid = 0;              // that it names, where the keeper cannot take that one; else 0
  bool forced = false;                    // its last stop needed SIGKILL
  std::optional<DeathReport> last_death;  // the last that nobody asked for
};

// Why nothing can be asked of it over its socket, and what to do; after its name, for people.
std::string why_not_connected(const ModuleStatus& module);

}  // namespace starling::agent
