// Purpose: the agent as a process: started, and started again when it ends by itself.
// Owner: Keeper. Thread: main. Lifetime: the keeper's; its process may outlive it only if the keeper is
// killed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keeper/agent_watch.hpp"
#include "keeper/log.hpp"
#include "keeper/restart_backoff.hpp"
#include "keeper/spawn.hpp"
#include "keeper/start_counter.hpp"

namespace starling::keeper {

class AgentProcess {
 public:
  // `command`: the program and its arguments. `socket`: told to it as STARLING_KEEPER.
  AgentProcess(const Clock& clock, const Log& log, const Spawner& spawner, StartCounter& counter,
               std::vector<std::string> command, const std::string& socket);

  void start();
  bool runs() const { return process_.has_value(); }
  pid_t pid() const { return process_ ? process_->pid : 0; }
  void signal(int number) const;

  // From now on it is not started again, and its end is no crash.
  void let_end() {
    ends_ = true;
    watch_ = {};
  }
  // It was heard, and will be again within this time, or hangs. 0: it is not watched.
  void watch(Milliseconds within);

  // Looks whether it has ended, and plans the next start. An exit status with which it asks not to be started
  // again is given back.
  std::optional<int> collect();
  // Of its next start, or of the end of one that hangs.
  std::optional<SteadyTime> next_deadline() const { return process_ ? watch_.deadline() : next_start_; }
  void pass_deadline();

 private:
  void plan_start(Milliseconds life);

  const Clock& clock_;
  const Log& log_;
  const Spawner& spawner_;
  StartCounter& counter_;
  SpawnRequest request_;
  std::optional<Process> process_;
  SteadyTime started_{};
  RestartBackoff backoff_;
  AgentWatch watch_;
  std::optional<SteadyTime> next_start_;
  bool ends_ = false;
};

}  // namespace starling::keeper
