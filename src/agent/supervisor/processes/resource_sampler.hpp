// Purpose: how much processor time, memory and descriptors each module uses. A round looks at all of them
// every half minute, a few processes at a time, so that nothing else waits and an idle device sleeps.
// Owner: Agent. Thread: one. Lifetime: what it reads from outlives it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/supervisor/processes/process_tree.hpp"
#include "base/clock.hpp"

namespace starling::agent {

struct ResourceUse {
  std::uint64_t cpu_us = 0;                // since this agent looks; never falls
  double cpu_percent = 0;                  // of one core, since the round before
  std::optional<std::uint64_t> memory_kb;  // shared pages in proportion (PSS)
  std::uint32_t descriptors = 0;
  std::uint32_t processes = 0;
};

class ResourceSampler {
 public:
  static constexpr Milliseconds round{30'000};
  static constexpr Milliseconds between_slices{1'000};
  static constexpr std::size_t slice = 16;  // processes

  ResourceSampler(const ProcessTable& table, const ProcessTrees& trees, const Clock& clock);

  // Events of the driver: to be called at next_deadline().
  void tick();
  SteadyTime next_deadline() const { return next_; }

  // Its process has ended: what it used is no state any more.
  void ended(std::string_view module);

  // Of the modules that had processes in the last round.
  const std::map<std::string, ResourceUse, std::less<>>& use() const { return use_; }

 private:
  using Identity = std::pair<std::int32_t, std::uint64_t>;
  struct Account {
    std::map<Identity, std::uint64_t> ticks;  // of its processes, at the last look
    std::uint64_t cpu_us = 0;
    std::uint64_t cgroup_us = 0;  // what its cgroup told last
    SteadyTime at{};
  };
  void begin_round();
  std::size_t sample(const std::string& module, const std::vector<ProcessEntry>& processes);
  std::uint64_t cpu_spent(const std::string& module, const std::vector<ProcessEntry>& processes,
                          Account& account);

  const ProcessTable& table_;
  const ProcessTrees& trees_;
  const Clock& clock_;
  std::uint64_t us_per_tick_;
  SteadyTime next_{}, round_began_{};
  std::map<std::string, std::vector<ProcessEntry>, std::less<>> waiting_;  // of this round
  std::map<std::string, Account, std::less<>> accounts_;
  std::map<std::string, ResourceUse, std::less<>> use_;
};

}  // namespace starling::agent
