// Purpose: the part of the cgroup hierarchy (version 2) that was delegated to us, with a folder for each
// module. Without the memory controller, as on stock Raspberry Pi OS, trees are still found and ended whole.
// Owner: ProcessTrees. Thread: one. Lifetime: the folders outlive it; an agent started later finds them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/folders/manifest.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace starling::agent {

struct MemoryEvents {
  std::uint64_t out_of_memory = 0;  // times that the limit was hit without a way out
  std::uint64_t killed = 0;         // processes that the kernel ended for it
};

class CgroupTree {
 public:
  struct System {
    std::filesystem::path proc_self = "/proc/self";
    // Tells the modules of this agent from those of another one in the same cgroup; empty: there is none.
    std::string owner = {};
    std::function<bool(const std::filesystem::path& own)> delegated = &CgroupTree::is_delegated;
    // Called for a folder that was made: a fake hierarchy puts the files into it that the kernel would.
    std::function<void(const std::filesystem::path& folder)> made{};
  };
  struct Made {
    std::filesystem::path folder;
    std::string problem;  // a limit that is not in force, and why; else empty
  };

  // Takes hold of our own cgroup and turns on its controllers; if need be, our processes move to a leaf of
  // it. Errors: failed_precondition, saying what is missing.
  static Result<CgroupTree> take(const System& system);
  // By systemd's mark; or, for other users than root, because it may be written.
  static bool is_delegated(const std::filesystem::path& own);

  bool has_memory() const { return memory_; }
  bool has_cpu() const { return cpu_; }

  // An empty folder with its counters at zero and the limits in force. Errors: failed_precondition
  // (processes live in it), io.
  Result<Made> make(std::string_view module, const ModuleLimits& limits) const;
  // Which limits are not in force, and why: "memory (no controller)".
  std::string unmet(std::string_view module, const ModuleLimits& limits) const;
  bool exists(std::string_view module) const;
  bool populated(std::string_view module) const;
  // Once may be too little where the kernel lacks cgroup.kill: until it is not populated.
  void kill(std::string_view module) const;
  std::vector<std::int32_t> processes(std::string_view module) const;
  // Whether a path from /proc/PID/cgroup lies in the module's folder.
  bool holds(std::string_view module, std::string_view cgroup_path) const;
  std::optional<MemoryEvents> memory_events(std::string_view module) const;
  std::optional<std::uint64_t> cpu_us(std::string_view module) const;

 private:
  CgroupTree(std::filesystem::path base, std::string path) : base_(std::move(base)), path_(std::move(path)) {}
  std::filesystem::path folder(std::string_view module) const;
  void turn_on_controllers();
  bool make_room() const;

  std::filesystem::path base_;  // below which the modules' folders are
  std::string path_;            // the same as /proc/PID/cgroup names it
  std::string prefix_;          // of the folders' names
  std::function<void(const std::filesystem::path&)> made_;
  bool memory_ = false, cpu_ = false;
};

// Of the agent with this state folder. Nullopt: there is none, and the log says why.
std::optional<CgroupTree> delegated_cgroup(const std::filesystem::path& state, Logger log);

}  // namespace starling::agent
