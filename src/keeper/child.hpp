// Purpose: one process that the keeper holds for the agent, with its pipes and, at the end, its exit status.
// Owner: Children. Thread: main. Lifetime: from spawn until the agent forgets it.
//
// An exited child stays a zombie until it is forgotten. That keeps its process id and that of its group from
// being given to others: whatever is left of the group can be signalled safely.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "keeper/notify_socket.hpp"
#include "keeper/spawn.hpp"

namespace starling::keeper {

class Child {
 public:
  static std::expected<Child, SpawnError> start(const Spawner& spawner, const SpawnRequest& request,
                                                const FileDescriptor& nothing,
                                                const std::string& notify_folder);

  const std::string& id() const { return id_; }
  pid_t pid() const { return process_.pid; }
  ChildState state() const { return state_; }
  const std::optional<Exit>& exit() const { return exit_; }
  const FileDescriptor& exec_report() const { return process_.exec_report; }

  // What the agent is told of it, and the descriptors that may go along.
  HeldChild held() const;
  struct Handed {
    Handle handle;
    int descriptor;
  };
  std::vector<Handed> handed() const;

  void runs();  // exec has succeeded
  // Looks whether it has ended, and takes down how. It is not reaped.
  bool has_exited(std::chrono::nanoseconds now);
  void reap();  // after it has ended

  // 0, or errno.
  int signal(int number, SignalScope scope) const;

 private:
  Child(std::string id, Process process) : id_(std::move(id)), process_(std::move(process)) {}

  std::string id_;
  Process process_;
  FileDescriptor out_, err_;
  std::optional<NotifySocket> notify_;
  ChildState state_ = ChildState::starting;
  std::optional<Exit> exit_;
};

}  // namespace starling::keeper
