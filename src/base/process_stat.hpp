// Purpose: what a /proc/PID/stat says. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace starling {

struct ProcessEntry {
  std::int32_t pid = 0;
  std::int32_t parent = 0;
  std::int32_t group = 0;
  std::int32_t session = 0;
  char state = '?';              // R, S, D, Z, ...
  std::uint64_t cpu_ticks = 0;   // user and system, its own threads
  std::uint64_t start_time = 0;  // ticks since boot; with the pid it names a process for ever

  bool alive() const { return state != 'Z' && state != 'X' && state != 'x'; }
};

// nullopt: the text is none.
std::optional<ProcessEntry> parse_process_stat(std::string_view text);

}  // namespace starling
