// Purpose: the states of a module and every arrow between them: one table, and nothing else decides.
// Owner: constants. Thread: any. Lifetime: none.
//
// Why a module is in a state, until when, and what comes next is SupervisedModule's; whether the table leaves
// no state without a way out is proved by the model check in its tests.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

namespace starling::agent {

enum class ModuleState {
  disabled,   // no process
  starting,   // a process that is not ready; has a deadline
  idle,       // ready
  recording,  // ready, and recording
  stopping,   // its processes are being ended; has a deadline
  error,      // could not be started
  crashed,    // ended by itself, or had to be ended
};
inline constexpr std::size_t module_states = 7;

enum class ModuleEvent {
  start,   // a process is asked for
  ready,   // it says, or lives long enough, that it can work
  record,  // it says that it records
  pause,   // it says that it no longer does
  failed,  // it was not spawned, or not ready in time
  died,    // it ended unasked, or no longer fed its watchdog
  stop,    // it shall end
  gone,    // nothing of its process tree lives
};
inline constexpr std::size_t module_events = 8;

namespace transition_table {
using enum ModuleState;
using Row = std::array<std::optional<ModuleState>, module_events>;
inline constexpr std::optional<ModuleState> stays = std::nullopt;

// clang-format off
inline constexpr std::array<Row, module_states> table{{
  //               start     ready   record     pause   failed  died     stop      gone
  /* disabled  */ {starting, stays,  stays,     stays,  stays,  stays,   stays,    stays   },
  /* starting  */ {stays,    idle,   stays,     stays,  error,  crashed, stopping, stays   },
  /* idle      */ {stays,    stays,  recording, stays,  stays,  crashed, stopping, stays   },
  /* recording */ {stays,    stays,  stays,     idle,   stays,  crashed, stopping, stays   },
  /* stopping  */ {stays,    stays,  stays,     stays,  stays,  stays,   stays,    disabled},
  /* error     */ {starting, stays,  stays,     stays,  stays,  stays,   stopping, stays   },
  /* crashed   */ {starting, stays,  stays,     stays,  stays,  stays,   stopping, stays   },
}};
// clang-format on
}  // namespace transition_table

constexpr std::optional<ModuleState> next_state(ModuleState from, ModuleEvent event) {
  return transition_table::table[static_cast<std::size_t>(from)][static_cast<std::size_t>(event)];
}

constexpr bool is_ready(ModuleState state) {
  return state == ModuleState::idle || state == ModuleState::recording;
}
// Has a deadline.
constexpr bool is_transient(ModuleState state) {
  return state == ModuleState::starting || state == ModuleState::stopping;
}
// Left by a retry, or by a command.
constexpr bool is_failed(ModuleState state) {
  return state == ModuleState::error || state == ModuleState::crashed;
}

// Why a module went from one state to another.
enum class Cause {
  none,
  enabled,  // commands
  disabled,
  started,
  stopped,
  restarted,
  boot,             // a fresh start: it is enabled
  recovery,         // it ran when the device went down
  adopted,          // it ran on while the agent was away
  retry,            // after a failure
  settings,         // settings that it uses changed
  requirement,      // a module that it requires went away or came back
  ready,            // it said so
  recording,        // it said that it records
  paused,           // it said that it no longer does
  not_spawned,      // the process could not be made
  start_timeout,    // not ready in time
  exited,           // it ended
  watchdog,         // it fell silent
  keeper_lost,      // with the keeper that held it
  finished,         // it ended well, and is not to be started again
  enable_reverted,  // it could not be enabled
  shutdown,         // the device's modules end
  removed,          // its folder is gone
};

constexpr std::string_view to_string(ModuleState state) {
  constexpr std::array<std::string_view, module_states> names{"disabled", "starting", "idle",   "recording",
                                                              "stopping", "error",    "crashed"};
  return names[static_cast<std::size_t>(state)];
}
constexpr std::string_view to_string(ModuleEvent event) {
  constexpr std::array<std::string_view, module_events> names{"start",  "ready", "record", "pause",
                                                              "failed", "died",  "stop",   "gone"};
  return names[static_cast<std::size_t>(event)];
}
constexpr std::string_view to_string(Cause cause) {
  constexpr std::array<std::string_view, 24> names{
      "none",     "enabled",     "disabled", "started",         "stopped",       "restarted",
      "boot",     "recovery",    "adopted",  "retry",           "settings",      "requirement",
      "ready",    "recording",   "paused",   "not_spawned",     "start_timeout", "exited",
      "watchdog", "keeper_lost", "finished", "enable_reverted", "shutdown",      "removed"};
  return names[static_cast<std::size_t>(cause)];
}

}  // namespace starling::agent
