// Purpose: hears from the kernel's log which processes it ended for lack of memory. Owner: the examiner of
// deaths. Thread: one. Lifetime: none beyond its descriptor.
#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_descriptor.hpp"

namespace starling::agent {

// The pid of a record such as "Out of memory: Killed process 812 (recorder) total-vm:...".
std::optional<std::int32_t> oom_killed_pid(std::string_view record);
// "oom_kill 3" of /proc/vmstat. nullopt: not told.
std::optional<std::uint64_t> oom_kills_in(std::string_view vmstat);

class KernelLog {
 public:
  // Where the log may not be read, nothing is ever heard; readable() tells.
  explicit KernelLog(const std::filesystem::path& device = "/dev/kmsg");
  bool readable() const { return static_cast<bool>(device_); }
  // Reads what came since, without waiting; bounded.
  bool killed_for_memory(std::int32_t pid);

 private:
  void read_new();
  FileDescriptor device_;
  std::deque<std::int32_t> killed_;
};

}  // namespace starling::agent
