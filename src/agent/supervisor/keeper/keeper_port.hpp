// Purpose: what the supervisor asks of the keeper, and what it hears from it. KeeperClient is the real one,
// over the keeper's socket. Owner: the port is implemented by KeeperClient or a test; the listener by whoever
// takes the descriptors. Thread: one. Lifetime: both outlive each other's use; wired by Agent.
//
// No answer comes from within a call. While no keeper is attached, requests are dropped: the list at the next
// attached() tells what became of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/supervisor/notify/notify.hpp"
#include "base/clock.hpp"
#include "base/file_descriptor.hpp"

namespace starling::agent {

// Of a child, unique among those that the keeper holds: "recorder:17", the module and its run.
using ChildId = std::string;

struct SpawnRequest {
  struct Credentials {
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::vector<std::uint32_t> groups;
  };
  ChildId id;
  std::string exec;
  std::vector<std::string> args;  // without the zeroth
  std::vector<std::pair<std::string, std::string>> environment;
  std::string working_folder;
  std::optional<Credentials> credentials;  // nullopt: the keeper's own
  std::optional<std::int32_t> nice;
  std::optional<std::uint64_t> limit_files;  // RLIMIT_NOFILE
  std::optional<std::uint64_t> limit_core_bytes;
  std::optional<std::uint64_t> limit_address_space_bytes;
  std::optional<std::uint32_t> umask;
  std::string cgroup;   // an existing folder; empty: the keeper's own
  bool notify = false;  // with a notify socket
  std::string mark;     // told with the child to this agent and the next
};

enum class SignalScope {
  main,   // the child's main process, and no other that got its number
  group,  // the process group of the one that was spawned
};

class KeeperPort {
 public:
  virtual ~KeeperPort() = default;
  virtual void spawn(SpawnRequest request) = 0;  // then spawned() or spawn_failed()
  virtual void signal(std::string_view id, int number, SignalScope scope) = 0;
  // From now on that process is the child's, in place of the one that was spawned or named before. Then
  // main_taken() or main_refused().
  virtual void name_main(std::string_view id, std::int32_t pid, std::uint64_t start_time) = 0;
  virtual void forget(std::string_view id) = 0;  // an exited child; until then it is in every list
  virtual void list() = 0;                       // then attached() once more
  virtual void healthy() = 0;  // the agent is well: start and crash counters go back to zero
  virtual void stopping(Milliseconds within) = 0;  // all children end, in this time from now at most
};

struct ChildExit {
  enum class Kind { exited, killed, dumped, unknown };  // unknown: only another parent was told
  Kind kind = Kind::unknown;
  int status = 0;  // exit status, or signal number
  SteadyTime at{};
  std::chrono::microseconds user_time{0}, system_time{0};
  std::uint64_t largest_resident_kb = 0;
};

// The agent's ends of a child's streams. Empty where the child has none.
struct ChildStreams {
  FileDescriptor out, err, notify;
};

struct KeptChild {
  ChildId id;
  std::int32_t pid = 0;          // of its main process
  std::uint64_t start_time = 0;  // field 22 of /proc/PID/stat: clock ticks since boot
  std::int32_t leader_pid = 0;   // of the one that was spawned: that of its group and session
  std::uint64_t leader_start_time = 0;
  bool in_cgroup = false;         // it was put into the cgroup that was asked for
  std::optional<ChildExit> exit;  // nullopt: it runs
  ChildStreams streams;
  std::vector<NotifyMessage> last_words;  // of one that has ended, for whoever knows it only now
  std::string mark;                       // of its SpawnRequest; empty: the keeper is older than marks
};

struct KeeperGreeting {
  int version = 0;
  std::int32_t pid = 0;
  std::uint32_t starts = 0;      // of the agent since it last said that it is well
  std::uint32_t crashes = 0;     // of those, ended without being told to
  std::uint32_t unrecorded = 0;  // of those, ended without the keeper seeing it: the power was cut
};

enum class SpawnStep { request, descriptors, cgroup, credentials, limits, working_folder, exec, fork };

struct SpawnFailure {
  ChildId id;
  SpawnStep step = SpawnStep::exec;
  int error = 0;  // errno
};

class KeeperListener {
 public:
  virtual ~KeeperListener() = default;
  // All that the keeper holds: after each connection, and after list() (then without streams).
  virtual void attached(const KeeperGreeting& keeper, std::vector<KeptChild> children) = 0;
  virtual void spawned(KeptChild child) = 0;
  virtual void spawn_failed(const SpawnFailure& failure) = 0;
  virtual void exited(std::string_view id, const ChildExit& exit) = 0;
  virtual void signal_failed(std::string_view id, int error) = 0;
  virtual void main_taken(std::string_view id, std::int32_t pid, std::uint64_t start_time) = 0;
  // `error`: errno; EPROTONOSUPPORT: the keeper is older than this.
  virtual void main_refused(std::string_view id, std::int32_t pid, int error) = 0;
  virtual void lost() = 0;        // the connection; it is being made again
  virtual void stop_asked() = 0;  // end all modules, then the agent
};

}  // namespace starling::agent
