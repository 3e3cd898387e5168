// Purpose: one process that the keeper holds for the agent, with its pipes and, at the end, its exit status.
// Owner: Children. Thread: main. Lifetime: from spawn until the agent forgets it.
//
// The agent may name another process as the main one: then the child's state, end and signals are that one's.
//
// An exited child stays a zombie until it is forgotten. That keeps its process id and that of its group from
// being given to others: whatever is left of the group can be signalled safely.
#pragma once

#include <expected>
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
  pid_t pid() const { return main_ ? main_->pid : process_.pid; }
  bool holds(pid_t pid) const;  // as a zombie, too
  bool has_other_main() const { return main_.has_value(); }
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

  // In place of the spawned process.
  struct Main {
    pid_t pid = 0;
    std::uint64_t start = 0;
    FileDescriptor pidfd;  // until it has ended
    bool is_ours = false;  // it has ended, and is the keeper's to reap
  };
  // None: it is the spawned process. Error: errno.
  std::expected<std::optional<Main>, int> find_main(const Spawner& spawner, pid_t pid,
                                                    std::uint64_t start) const;
  void replace_main(std::optional<Main> main);

  // 0, or errno.
  int signal(int number, SignalScope scope) const;

 private:
  Child(std::string id, std::string mark, Process process)
      : id_(std::move(id)), mark_(std::move(mark)), process_(std::move(process)) {}

  std::string id_, mark_;
  Process process_;
  std::optional<Main> main_;
  FileDescriptor out_, err_;
  std::optional<NotifySocket> notify_;
  ChildState state_ = ChildState::starting;
  std::optional<Exit> exit_;
};

}  // namespace starling::keeper
