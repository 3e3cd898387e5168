// Purpose: finds and ends all processes of a module, also those that it set free. The ladder: a delegated
// cgroup with its memory controller; a cgroup without it; a sweep over /proc by session, parentage and
// what every descendant inherits, a variable and the pipes to the log.
// Owner: Agent. Thread: one. Lifetime: outlives SupervisorCore.
//
// Both rungs are climbed for a run that is not known to have got into its cgroup. What clears its
// environment, leaves its session and its parent, writes elsewhere, and was in no cgroup, is still found if
// an earlier look saw it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/processes/cgroup_tree.hpp"
#include "agent/supervisor/processes/process_table.hpp"
#include "agent/supervisor/processes/tree_port.hpp"
#include "base/file_descriptor.hpp"
#include "base/log.hpp"

namespace starling::agent {

enum class Membership {
  member,  // of its cgroup or a session of its processes, or a descendant: none but the module can be that
  marked,  // by the variable or a pipe alone, which anybody can have, or by what the last look saw
  stranger,
  gone,
};

class ProcessTrees final : public TreePort {
 public:
  // `owner` tells the modules of this agent from those of another on the same machine: the state folder, made
  // absolute. Without `cgroups` the sweep is all there is.
  ProcessTrees(const ProcessTable& table, std::optional<CgroupTree> cgroups, std::string_view owner,
               Logger log);

  Result<TreePlace> make(const ModuleManifest& manifest, std::string_view child_id) override;
  std::string unmet_limits(const ModuleManifest& manifest) const override;
  void kill(std::string_view module) override;
  bool empty(std::string_view module) const override;
  bool main_lives(std::string_view module) const override;
  std::vector<std::string> left_over() const override;

  // What the keeper said of the run: spawned, or found at attaching. Its main process is that one, too, until
  // another is.
  void led_by(std::string_view module, std::int32_t pid, std::uint64_t start_time, bool in_cgroup);
  void main_is(std::string_view module, std::int32_t pid, std::uint64_t start_time);
  // The other end of this pipe is its standard output or error.
  void writes_to(std::string_view module, const FileDescriptor& pipe);

  // Cheap for the leader, the main process and in cgroups.
  Membership membership(std::string_view module, std::int32_t pid) const;
  // What /proc said of it; nullopt: it is not of the module, or has ended.
  std::optional<ProcessEntry> member(std::string_view module, std::int32_t pid) const;
  // Empty: of none, as far as it has not cast off what it inherited.
  std::string module_of(std::int32_t pid) const;
  std::vector<std::int32_t> processes(std::string_view module) const;
  // Of all modules with one look at /proc, for sampling.
  std::map<std::string, std::vector<ProcessEntry>, std::less<>> by_module() const;
  const std::optional<CgroupTree>& cgroups() const { return cgroups_; }

 private:
  using Identity = std::pair<std::int32_t, std::uint64_t>;  // pid, start time
  struct Run {
    std::optional<Identity> leader, main;
    bool in_cgroup = false;
    std::set<std::string> pipes;  // to the log, as /proc names them
    std::set<Identity> seen;      // by the last look
  };

  std::string marker(std::string_view module) const;
  bool marked(const Run* run, std::string_view marker, const ProcessEntry& process) const;
  // Leader or main process, or of the session of either.
  bool leads(const Run& run, const ProcessEntry& process) const;
  // That, or seen before.
  bool known(const Run& run, const ProcessEntry& process) const;
  static bool writes(const Run& run, const std::array<std::string, 2>& outputs);
  bool in_session(const std::optional<Identity>& leader, const ProcessEntry& process) const;
  bool in_cgroup(std::string_view module) const;
  std::string module_of(const ProcessEntry& process) const;
  std::string named_module(const ProcessEntry& process) const;
  std::vector<ProcessEntry> sweep(std::string_view module) const;
  const Run* run_of(std::string_view module) const;
  bool may_have_leftovers(std::string_view module) const;
  const std::set<std::string, std::less<>>& leftovers() const;

  const ProcessTable& table_;
  std::optional<CgroupTree> cgroups_;
  std::string owner_;
  Logger log_;
  mutable std::map<std::string, Run, std::less<>> runs_;  // looking remembers what it saw
  // Two hundred modules that start at once look at /proc once: what was there before any was made.
  std::set<std::string, std::less<>> made_;
  mutable std::optional<std::set<std::string, std::less<>>> leftovers_;
};

}  // namespace starling::agent
