// Purpose: what /proc says about processes, read straight and bounded. Processes come and go meanwhile: what
// is gone has no entry. Owner: Agent. Thread: any. Lifetime: outlives its users.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/process_stat.hpp"

namespace starling::agent {

class ProcessTable {
 public:
  explicit ProcessTable(std::filesystem::path proc = "/proc") : proc_(std::move(proc)) {}

  std::vector<ProcessEntry> all() const;
  std::optional<ProcessEntry> entry(std::int32_t pid) const;
  // Whether a variable in the environment that it was started with begins so: "NAME=val".
  bool has_variable(std::int32_t pid, std::string_view beginning) const;
  // Its value; empty: it has none, or it may not be seen.
  std::string variable(std::int32_t pid, std::string_view name) const;
  std::string cgroup(std::int32_t pid) const;  // of version 2: "/a/b"; empty: unknown
  std::optional<std::uint64_t> proportional_kb(std::int32_t pid) const;  // PSS; resident where it is not told
  std::uint32_t descriptors(std::int32_t pid) const;
  // What its standard output and error are: "pipe:[5575]", a path; empty: closed, or they may not be seen.
  std::array<std::string, 2> outputs(std::int32_t pid) const;
  const std::filesystem::path& folder() const { return proc_; }

 private:
  std::string file(std::int32_t pid, const char* name, std::size_t max_bytes) const;
  std::string environment(std::int32_t pid) const;
  std::filesystem::path proc_;
};

// To exactly this process, never to another that got its number. Errno, or 0.
int signal_process(const ProcessTable& table, const ProcessEntry& process, int number);

}  // namespace starling::agent
