// Purpose: makes a cause, with what it rests on, of the evidence that a dead module left. Pure but for
// MachineExaminer, which gathers the evidence. Owner: Agent. Thread: one. Lifetime: outlives SupervisorCore.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/deaths/death.hpp"
#include "agent/supervisor/deaths/kernel_log.hpp"
#include "agent/supervisor/processes/cgroup_tree.hpp"

namespace starling::agent {

struct DeathEvidence {
  std::optional<MemoryEvents> memory;     // of its cgroup; nullopt: there is no such counter
  std::optional<std::uint64_t> vm_kills;  // ended by the kernel on the whole machine, lately
  std::optional<bool>
      named_by_kernel;  // whether its log says that it ended this process; nullopt: unreadable
  std::vector<std::string> last_lines;  // of its log
};

inline constexpr std::size_t told_lines = 20;

DeathReport cause_of_death(const Death& death, DeathEvidence evidence);

// What differs between runs and devices is taken out: numbers, addresses, identifiers, quoted paths.
std::string normalised_line(std::string_view line);
// By its words: "ValueError: no such room", not "42 requests served".
bool reads_like_error(std::string_view line);
// 16 hexadecimal digits, equal for the same module, class, signal or status, and the errors among its last
// lines.
std::string death_fingerprint(const Death& death, DeathClass death_class,
                              const std::vector<std::string>& last_lines);

std::string_view to_string(DeathClass death_class);  // "exit-code"
std::string_view to_string(Confidence confidence);   // "certain"

class MachineExaminer final : public DeathExaminer {
 public:
  using LastLines = std::function<std::vector<std::string>(std::string_view module)>;
  using ReleaseOf = std::function<std::string(std::string_view module)>;
  // `cgroups` may be nullptr; it and what the functions use outlive this.
  MachineExaminer(const CgroupTree* cgroups, LastLines last_lines, ReleaseOf release_of,
                  const std::filesystem::path& root = "/");
  DeathReport examine(const Death& death) override;
  std::string explain(const SpawnFailure& failure, const ModuleManifest& manifest) override;
  std::string last_line(std::string_view module) const override;
  // Whom the kernel ended before the last but one call has nothing to do with a death now: call it each half
  // minute.
  void look();

 private:
  std::optional<std::uint64_t> read_vm_kills() const;

  const CgroupTree* cgroups_;
  LastLines last_lines_;
  ReleaseOf release_of_;
  std::filesystem::path root_;
  KernelLog kernel_log_;
  std::optional<std::uint64_t> vm_kills_before_, vm_kills_seen_;  // at the last but one look, and at the last
};

}  // namespace starling::agent
