// Purpose: running_modules.json: what ran when the device went down, and so what comes back. Owner: Agent.
// Thread: one. Lifetime: outlives SupervisorCore.
//
// The file says what was wanted, not only what was ready: a module between two attempts comes back too. It
// also says what was enabled then. Where the generation says something else now, somebody has spoken since,
// and the generation counts. While a recovery goes on, names are not taken off the list; when all of it that
// is there runs, the file goes, unless more or less is wanted than what is enabled, or a process has said
// something of itself that the next agent has to know. A name whose folder is
// missing holds up nothing; it is forgotten when it is missing at the next start too. A recovery is counted
// before it begins; after two that did not come to their end the generation counts.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "agent/disk.hpp"
#include "agent/supervisor/module_status.hpp"
#include "base/json.hpp"
#include "base/log.hpp"

namespace starling::agent {

// How one module begins.
struct StartPlanEntry {
  bool wanted = false;
  Cause cause = Cause::boot;
  bool provisional = false;  // it was being enabled, in this boot
  bool finished = false;     // its work in this boot is done
};

// What the last agent knew of a process that outlived it.
struct OutlivedRun {
  bool known = true;  // else it may have been ready
  bool ready = false;
  bool recording = false;
  std::optional<Milliseconds> own_watchdog;     // as in ModuleStatus
  std::optional<SteadyTime> extended_deadline;  // a little later, perhaps
};

struct StartPlan {
  std::map<std::string, StartPlanEntry, std::less<>> modules;
};

class SessionRecovery {
 public:
  static constexpr std::string_view path = "running_modules.json";
  static constexpr std::string_view aside_path = "corrupt-running_modules.json";
  static constexpr int max_attempts = 2;

  using Enabled = std::map<std::string, bool, std::less<>>;  // of all modules that there are
  using Names = std::set<std::string, std::less<>>;

  SessionRecovery(Disk& disk, std::string boot_id, Logger log)
      : disk_(disk), boot_id_(std::move(boot_id)), log_(log) {}

  // Once, before anything starts. `living`: modules whose process outlived the agent; where they are all that
  // was wanted, nothing needs recovery. A file that cannot be used is told by problem() and moved aside.
  StartPlan plan(const Enabled& enabled, const Names& living);
  // Whether a module was ready when the last agent ended.
  bool was_ready(std::string_view module) const;
  OutlivedRun outlived(std::string_view module, std::uint64_t run) const;

  // Brings the file in step. Errors: those of Disk; call again.
  Result<void> sync(std::span<const ModuleStatus> modules);
  // Its folder was taken away while the agent runs.
  void uninstalled(std::string_view module);
  // From now on the list loses only what had to be killed: the device goes down in order.
  void going_down() { going_down_ = true; }

  bool recovering() const { return attempts_ > 0; }
  const std::string& problem() const { return problem_; }  // empty: none

 private:
  struct Run {
    std::uint64_t run = 0;
    std::int32_t pid = 0;
    std::uint64_t start_time = 0;
    ModuleState state = ModuleState::starting;
    bool provisional = false;
    std::optional<Milliseconds> own_watchdog;
    std::optional<SteadyTime> extended_deadline;
    bool operator==(const Run&) const = default;
  };
  struct Session {
    std::string boot_id;
    bool clean = false;  // the device was shut down in order
    int attempts = 0;    // recoveries begun since all of it ran
    Names wanted;
    Names enabled;
    Names finished;  // their work was done in that boot
    Names missing;   // of the wanted ones: those whose folder is
    std::map<std::string, Run, std::less<>> runs;
    bool operator==(const Session&) const = default;
  };
  void read();
  StartPlan plan_from_enabled(const Enabled& enabled) const;
  bool was_listed(const std::string& module, bool enabled) const;
  static Result<Run> parse_run(const JsonReader& fields);
  static Result<Session> parse(std::string_view text);
  static JsonObject to_json(const Session& session);
  Session session_of(std::span<const ModuleStatus> modules) const;
  bool all_run(std::span<const ModuleStatus> modules) const;
  Result<void> write(Session session);
  Result<void> remove(Session session);

  Disk& disk_;
  std::string boot_id_;
  Logger log_;
  std::optional<Session> former_;  // as found
  Names to_recover_;               // while recovering; then those that are missing
  int attempts_ = 0;               // 0: not recovering
  bool list_may_go_ = false;       // a recovery has come to its end
  bool going_down_ = false;
  std::optional<Session> synced_;  // what the disk knows, by the file or by its absence
  std::string problem_;
};

}  // namespace starling::agent
