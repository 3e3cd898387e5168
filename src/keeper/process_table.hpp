// Purpose: what /proc says of processes.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace starling::keeper {

struct ProcessStatus {
  char state = '?';  // R, S, D, Z, ...
  pid_t parent = 0;
  std::uint64_t start = 0;  // clock ticks since boot
  bool operator==(const ProcessStatus&) const = default;
};

// Of the text of /proc/PID/stat; nothing if it is not one.
std::optional<ProcessStatus> parse_process_status(std::string_view text);
std::optional<ProcessStatus> status_of(pid_t pid);
std::uint64_t start_time_of(pid_t pid);  // 0 if there is no such process

struct OwnChild {
  pid_t pid = 0;
  bool alive = false;  // not a zombie
};
// The direct children of this process, whoever started them.
std::vector<OwnChild> own_children();

}  // namespace starling::keeper
