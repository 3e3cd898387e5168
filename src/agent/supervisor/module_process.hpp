// Purpose: the process of one module and the tree below it: never a second one while anything of the first
// lives, and ended whole. Sans-I/O. Owner: SupervisedModule. Thread: one. Lifetime: the module's.
//
// Ending goes: signal, grace, SIGKILL to the whole tree, and again until it is empty. What a module leaves
// behind when it ends by itself goes the same way.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/supervisor/deaths/death.hpp"
#include "agent/supervisor/keeper/keeper_port.hpp"
#include "agent/supervisor/keeper/spawn_plan.hpp"
#include "agent/supervisor/processes/tree_port.hpp"
#include "base/clock.hpp"
#include "base/result.hpp"

namespace starling::agent {

struct ProcessPorts {
  const Clock& clock;
  KeeperPort& keeper;
  TreePort& trees;
  const Environment& environment;  // of every module
};

class ModuleProcess {
 public:
  static constexpr Milliseconds first_sweep{50};  // between looks at a tree that is being killed
  static constexpr Milliseconds longest_sweep{1'000};
  static constexpr Milliseconds kill_repeat{5'000};
  static constexpr Milliseconds long_killed{30'000};  // and lives: it will hardly end by that

  enum class Phase {
    none,
    spawning,  // asked for
    alive,
    lingering,  // its main process has ended; others of its tree may live
  };

  ModuleProcess(std::string module, ProcessPorts ports) : module_(std::move(module)), ports_(ports) {}

  // ---- begin
  // Errors: those of TreePort::make.
  Result<void> spawn(const ModuleManifest& manifest, std::uint64_t run);
  void adopt(const KeptChild& child, std::uint64_t run);

  // ---- what became of it; a run that is not the present one has no place here
  bool is_present(std::uint64_t run) const { return exists() && run == run_; }
  void spawned(std::int32_t pid, std::uint64_t start_time);
  void not_spawned();
  Death ended(const ChildExit& exit, bool was_ready);  // then look_at_tree()
  void vanished();                                     // then look_at_tree()

  // ---- its main process: the one that was spawned, until the keeper has taken another that was named
  void name_main(std::int32_t pid, std::uint64_t start_time);
  void name_main_again();  // the keeper may not have heard
  bool is_naming_main() const { return named_.has_value(); }
  void hold(const ChildExit& exit) { held_ = exit; }  // of the former one, while the next is being named
  void main_taken(std::int32_t pid, std::uint64_t start_time);
  std::optional<ChildExit> main_refused(std::int32_t pid);  // what was held

  // ---- end
  void end(EndedFor why, int signal, Milliseconds grace);  // the first reason stands
  void extend_grace(SteadyTime until);
  void look_at_tree();
  void signal(int number);
  void tick();
  const std::optional<SteadyTime>& ending_at() const { return ending_at_; }  // the next step of ending it
  // From when on it counts as one that cannot be ended; it is killed on and on all the same.
  std::optional<SteadyTime> unkillable_at() const;

  Phase phase() const { return phase_; }
  bool exists() const { return phase_ == Phase::spawning || phase_ == Phase::alive; }
  bool forced() const { return forced_; }
  std::uint64_t run() const { return run_; }
  std::int32_t pid() const { return pid_; }
  std::uint64_t start_time() const { return start_time_; }
  SteadyTime began_at() const;  // its main process; now, if that is not known
  // What it was started with: mark_of() a manifest; empty: that cannot be told.
  const std::string& mark() const { return mark_; }

 private:
  ChildId child_id() const { return module_ + ":" + std::to_string(run_); }
  void kill();

  std::string module_;
  ProcessPorts ports_;
  Phase phase_ = Phase::none;
  std::uint64_t run_ = 0;  // the epoch in which it was spawned
  std::int32_t pid_ = 0;
  std::uint64_t start_time_ = 0;
  std::string mark_;
  EndedFor ended_for_ = EndedFor::none;
  int end_signal_ = 0;
  SteadyTime asked_at_{};  // to end
  Milliseconds grace_{0};
  bool forced_ = false;
  struct Main {
    std::int32_t pid = 0;
    std::uint64_t start_time = 0;
    bool operator==(const Main&) const = default;
  };
  std::optional<Main> named_;      // and not answered
  std::optional<ChildExit> held_;  // it is the end only if that is refused
  std::optional<SteadyTime> ending_at_;
  std::optional<SteadyTime> killed_since_;
  Milliseconds sweep_delay_ = first_sweep;
};

}  // namespace starling::agent
