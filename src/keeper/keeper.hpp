// Purpose: the agent's tiny parent. It holds processes, and wires what does so; it decides nothing.
// Owner: main(). Thread: main, the only one. Lifetime: the process'.
#pragma once

#include <memory>
#include <string>

#include "keeper/agent_link.hpp"
#include "keeper/agent_process.hpp"
#include "keeper/children.hpp"
#include "keeper/command_line.hpp"
#include "keeper/orphans.hpp"
#include "keeper/shutdown.hpp"
#include "keeper/state_folder.hpp"

namespace starling::keeper {

class Keeper final : private AgentLink::Receiver, private Children::Listener, private Poller::Source {
 public:
  // Takes the state folder and listens. Errors: failed_precondition (another keeper has it),
  // invalid_argument, io.
  static Result<std::unique_ptr<Keeper>> open(const Clock& clock, const Log& log, CommandLine line);

  int run();  // until the end; gives the exit status

 private:
  Keeper(const Clock& clock, const Log& log, CommandLine line, StateFolder state, FileDescriptor signals);

  // From the agent.
  void attached() override;
  void requested(const Request& request) override;
  void detached() override;
  template <typename ReportOfChild>
  void hand_over(ReportOfChild report, const Child& child);
  void list();
  void signal(const SignalRequest& request);
  void name_main(const NameMain& request);
  void forget(const std::string& id);

  // From the children.
  void spawned(const Child& child) override;
  void spawn_failed(const std::string& id, SpawnError error) override;
  void exited(const Child& child) override;

  void ready(std::uint32_t events) override;  // a signal has come
  void collect();
  void pass_deadlines();
  std::optional<Milliseconds> until_deadline() const;

  // The end: see Shutdown.
  void stop(int exit_status);
  void enter(Shutdown::Phase phase);
  void stop_agent();
  void end_children(int signal);
  void follow_shutdown();

  const Clock& clock_;
  const Log& log_;
  StateFolder state_;
  FileDescriptor signals_;
  Spawner spawner_;
  StartCounter counter_;
  Poller poller_;
  Children children_;
  Orphans orphans_;
  AgentProcess agent_;
  Shutdown shutdown_;
  std::unique_ptr<AgentLink> link_;
};

}  // namespace starling::keeper
