// Purpose: makes one process of a request: clone3 into its cgroup where the kernel can, fork otherwise.
// Owner: Keeper. Thread: main; it must be the only one. Lifetime: the process'.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>

#include "base/file_descriptor.hpp"
#include "keeper/protocol.hpp"

namespace starling::keeper {

struct SpawnError {
  SpawnStep step = SpawnStep::fork;
  int error = 0;  // errno
};

// What the keeper itself adds to a request.
struct SpawnContext {
  int in = 0, out = 1, err = 2;       // what the process gets as its standard streams
  std::string notify_socket{};        // the value of NOTIFY_SOCKET; empty: none
  bool is_told_of_our_death = false;  // gets SIGTERM when the keeper is gone
};

struct Process {
  pid_t pid = 0;
  std::uint64_t start = 0;
  FileDescriptor pidfd;        // none if the kernel has none
  FileDescriptor exec_report;  // closed by a successful exec; what failed before is written to it
  bool in_cgroup = false;
};

class Spawner {
 public:
  // What the kernel may be asked for. Turned off by --without, for sandboxes and kernels that only pretend.
  struct Features {
    bool clone3 = true;
    bool clone_into_cgroup = true;
    bool pidfd = true;
  };

  // Raises the soft limit of descriptors for itself; processes get the former one.
  explicit Spawner(Features features);

  // Does not wait for exec: see exec_outcome().
  std::expected<Process, SpawnError> spawn(const SpawnRequest& request, const SpawnContext& context) const;
  // None if the kernel has none, or no such process; errno says which.
  FileDescriptor open_pidfd(pid_t pid) const;

 private:
  Features features_;
  std::uint64_t descriptor_limit_ = 0;
};

// How exec went, once it is known: nothing yet, no error (it runs), or what failed.
struct ExecOutcome {
  std::optional<SpawnError> failure;
};
std::optional<ExecOutcome> exec_outcome(const FileDescriptor& exec_report);

}  // namespace starling::keeper
