// Purpose: what a new process does between being made and exec. Nothing here allocates.
// Owner: Spawner::spawn(). Thread: the new process'. Lifetime: up to exec.
#pragma once

#include "keeper/spawn.hpp"

namespace starling::keeper {

struct ExecReport {
  SpawnStep step;
  int error;
};

struct Become {
  const SpawnRequest& request;
  const SpawnContext& context;
  pid_t keeper;
  char* const* arguments;
  char* const* environment;
  std::uint64_t descriptor_limit;  // unless the request has one
  int cgroup_processes;            // cgroup.procs of the cgroup to join, or -1
  int report;

  [[noreturn]] void run(bool is_in_cgroup) const;

 private:
  [[noreturn]] void fail(SpawnStep step, int error) const;
  void need(SpawnStep step, bool done) const;
  void reset_signals() const;
  void hear_of_our_death() const;
  void join_cgroup() const;
  void set_priority() const;
  void set_limits() const;
  void drop_privileges() const;
  void connect_streams() const;
};

}  // namespace starling::keeper
