// Purpose: what /proc says of processes.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

namespace starling::keeper {

std::uint64_t start_time_of(pid_t pid);      // 0 if there is no such process
bool lives(pid_t pid, std::uint64_t start);  // the one with this start time, and it is no zombie

struct OwnChild {
  pid_t pid = 0;
  bool alive = false;  // not a zombie
};
// The direct children of this process, whoever started them.
std::vector<OwnChild> own_children();

}  // namespace starling::keeper
