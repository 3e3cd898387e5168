// Purpose: what keeper and agent say to each other, and its form on the wire (docs/keeper-protocol.md).
// Owner: values. Thread: any. Lifetime: none.
//
// Either end may be older than the other: unknown fields are ignored, an unknown verb is told to its sender.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "keeper/message.hpp"

namespace starling::keeper {

inline constexpr std::uint32_t protocol_version = 3;
inline constexpr std::uint32_t first_version_with_main = 2;   // of a keeper
inline constexpr std::uint32_t first_version_with_watch = 3;  // likewise
inline constexpr std::size_t max_children = 256;
inline constexpr std::size_t max_mark_bytes = 128;

// Of a child: 1 to 96 letters, digits and '.', '_', '-', ':', not beginning with '.'. It is a file's name,
// too.
bool is_id(std::string_view text);

// --- agent to keeper

struct Hello {
  std::uint32_t version = protocol_version;
  bool operator==(const Hello&) const = default;
};

struct SpawnRequest {
  std::string id{};                        // unique among the children that are held
  std::string executable{};                // an absolute path; also the program's argv[0]
  std::vector<std::string> arguments{};    // what follows argv[0]
  std::vector<std::string> environment{};  // NAME=value; these and NOTIFY_SOCKET are all that the child gets
  std::string folder{};                    // it starts in; empty: /
  std::optional<std::uint32_t> uid{};      // also takes away the right to gain privileges (no_new_privs)
  std::optional<std::uint32_t> gid{};
  std::vector<std::uint32_t> groups{};  // supplementary ones; none if uid or gid is given without any
  std::optional<std::int32_t> nice{};
  std::optional<std::int32_t> oom_score_adj{};
  std::optional<std::uint64_t> limit_nofile{};
  std::optional<std::uint64_t> limit_core_bytes{};
  std::optional<std::uint64_t> limit_as_bytes{};
  std::optional<std::uint32_t> umask{};
  std::string cgroup{};  // the path of an existing folder of cgroup v2; empty: the keeper's own
  bool notify = false;   // gets a socket for sd_notify
  std::string mark{};    // told with the child, for the next agent
  bool operator==(const SpawnRequest&) const = default;
};

// A spawn with a field that is wrong: known apart, because whoever asked waits for an answer about this id.
struct BadSpawn {
  std::string id{};
  std::string message{};
  bool operator==(const BadSpawn&) const = default;
};

enum class SignalScope { main, group };

struct SignalRequest {
  std::string id{};
  std::int32_t number = 0;
  SignalScope scope = SignalScope::main;
  bool operator==(const SignalRequest&) const = default;
};

// From now on, this process is the child's main one.
struct NameMain {
  std::string id{};
  std::int32_t pid = 0;
  std::uint64_t start = 0;  // as HeldChild's
  bool operator==(const NameMain&) const = default;
};

// The keeper lets go of an exited child: its process id, its exit status and its descriptors.
struct Forget {
  std::string id{};
  bool operator==(const Forget&) const = default;
};

// Starts and crashes are counted from here anew.
struct Healthy {
  bool operator==(const Healthy&) const = default;
};

// It stops its children, as it was told to, and has done so in this time from now.
struct Stopping {
  std::uint64_t within_ms = 0;
  bool operator==(const Stopping&) const = default;
};

// The agent lives, and says so again within this time; otherwise it hangs, and is ended. 0: it is not
// watched.
struct Watch {
  std::uint64_t within_ms = 0;
  bool operator==(const Watch&) const = default;
};

struct List {
  bool operator==(const List&) const = default;
};

// --- keeper to agent

struct Welcome {
  std::uint32_t version = protocol_version;
  std::int32_t keeper_pid = 0;
  std::uint32_t starts = 0;      // of the agent since it was last healthy, this one included
  std::uint32_t crashes = 0;     // how many of them ended by themselves, and not well
  std::uint32_t unrecorded = 0;  // how many ended without the keeper seeing it: the power was cut
  bool operator==(const Welcome&) const = default;
};

enum class ChildState { starting, running, exited };
enum class ExitKind { exited, killed, dumped };  // killed by signal 0: nobody told how
enum class Handle { out, err, notify };          // a descriptor that travels with a message

struct Exit {
  ExitKind kind = ExitKind::exited;
  std::int32_t status = 0;        // exit code, or the number of the signal
  std::chrono::nanoseconds at{};  // boot clock
  std::chrono::microseconds user{};
  std::chrono::microseconds system{};
  std::uint64_t max_rss_kb = 0;
  bool operator==(const Exit&) const = default;
};

struct HeldChild {
  std::string id{};
  std::int32_t pid = 0;     // of its main process, as all that follows
  std::uint64_t start = 0;  // field 22 of /proc/PID/stat: with the pid, it names one process of this boot
  ChildState state = ChildState::running;
  bool in_cgroup = false;
  std::int32_t leader = 0;  // the process that was spawned; 0: it is the main one
  std::uint64_t leader_start = 0;
  std::vector<Handle> handles{};  // what the packet's descriptors are, in their order
  std::optional<Exit> exit{};     // if exited
  std::string mark{};             // as it was asked for
  bool operator==(const HeldChild&) const = default;
};

// One for each child, after Welcome or List; Listed ends them.
struct ChildListed {
  HeldChild child{};
  bool operator==(const ChildListed&) const = default;
};

struct Listed {
  bool operator==(const Listed&) const = default;
};

// The program runs: exec has succeeded.
struct Spawned {
  HeldChild child{};
  bool operator==(const Spawned&) const = default;
};

// Where starting a process can fail, in the order of being done.
enum class SpawnStep {
  request,      // a field is wrong
  id,           // a child of this id is held (EEXIST)
  children,     // as many as can be held are (ENOSPC)
  descriptors,  // pipes
  notify,       // the socket for sd_notify
  fork,
  session,
  cgroup,
  oom_score,
  nice,
  limits,
  groups,
  uid,
  cwd,
  exec,
};

struct SpawnFailed {
  std::string id{};
  SpawnStep step = SpawnStep::request;
  std::int32_t error = 0;  // errno
  bool operator==(const SpawnFailed&) const = default;
};

struct SignalFailed {
  std::string id{};
  std::int32_t error = 0;
  bool operator==(const SignalFailed&) const = default;
};

struct MainTaken {
  std::string id{};
  std::int32_t pid = 0;
  std::uint64_t start = 0;
  bool operator==(const MainTaken&) const = default;
};

struct MainRefused {
  std::string id{};
  std::int32_t pid = 0;
  std::int32_t error = 0;
  bool operator==(const MainRefused&) const = default;
};

struct Exited {
  std::string id{};
  std::int32_t pid = 0;
  Exit exit{};
  bool operator==(const Exited&) const = default;
};

// The keeper was told to end: stop every child, then end.
struct Stop {
  bool operator==(const Stop&) const = default;
};

struct Unsupported {
  std::string verb{};
  bool operator==(const Unsupported&) const = default;
};

struct Problem {
  std::string message{};
  bool operator==(const Problem&) const = default;
};

// --- on the wire

struct UnknownVerb {
  std::string verb{};
  bool operator==(const UnknownVerb&) const = default;
};

using Request = std::variant<UnknownVerb, Hello, SpawnRequest, BadSpawn, SignalRequest, NameMain, Forget,
                             Healthy, Stopping, Watch, List>;
using Report = std::variant<UnknownVerb, Welcome, ChildListed, Listed, Spawned, SpawnFailed, SignalFailed,
                            MainTaken, MainRefused, Exited, Stop, Unsupported, Problem>;

// Errors: invalid_argument, too_large.
Result<Request> parse_request(std::string_view packet);
Result<Report> parse_report(std::string_view packet);
// Errors: invalid_argument (a text with a NUL in it), too_large.
Result<std::string> encode(const Request& request);
Result<std::string> encode(const Report& report);

std::string_view to_string(SpawnStep step);

}  // namespace starling::keeper
