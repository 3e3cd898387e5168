#include "agent/supervisor/processes/resource_sampler.hpp"

#include <unistd.h>

#include <algorithm>

namespace starling::agent {

ResourceSampler::ResourceSampler(const ProcessTable& table, const ProcessTrees& trees, const Clock& clock)
    : table_(table), trees_(trees), clock_(clock) {
  const long per_second = ::sysconf(_SC_CLK_TCK);
  us_per_tick_ = 1'000'000u / static_cast<std::uint64_t>(std::max(per_second, 1L));
}

void ResourceSampler::begin_round() {
  round_began_ = clock_.steady();
  waiting_ = trees_.by_module();
  const auto gone = [&](const auto& entry) { return !waiting_.contains(entry.first); };
  std::erase_if(accounts_, gone);
  std::erase_if(use_, gone);
}

void ResourceSampler::ended(std::string_view module) {
  if (const auto use = use_.find(module); use != use_.end()) use_.erase(use);
  if (const auto waiting = waiting_.find(module); waiting != waiting_.end()) waiting_.erase(waiting);
}

void ResourceSampler::tick() {
  const SteadyTime now = clock_.steady();
  if (now < next_) return;
  if (waiting_.empty()) begin_round();
  for (std::size_t looked_at = 0; !waiting_.empty() && looked_at < slice;) {
    const auto module = waiting_.begin();
    looked_at += sample(module->first, module->second);
    waiting_.erase(module);
  }
  next_ = waiting_.empty() ? std::max(round_began_ + round, now + between_slices) : now + between_slices;
}

std::size_t ResourceSampler::sample(const std::string& module, const std::vector<ProcessEntry>& processes) {
  constexpr std::size_t most = 256;  // a fork bomb is not measured to the last process
  const SteadyTime now = clock_.steady();
  const bool first = !accounts_.contains(module);
  Account& account = accounts_[module];
  const std::uint64_t spent = cpu_spent(module, processes, account);
  ResourceUse use;
  use.cpu_us = account.cpu_us += spent;
  const auto passed = std::chrono::duration_cast<std::chrono::microseconds>(now - account.at).count();
  if (!first && passed > 0)
    use.cpu_percent = 100.0 * static_cast<double>(spent) / static_cast<double>(passed);
  account.at = now;
  use.processes = static_cast<std::uint32_t>(processes.size());
  for (std::size_t i = 0; i < std::min(processes.size(), most); ++i) {
    if (const auto memory = table_.proportional_kb(processes[i].pid))
      use.memory_kb = use.memory_kb.value_or(0) + *memory;
    use.descriptors += table_.descriptors(processes[i].pid);
  }
  use_[module] = use;
  return std::clamp<std::size_t>(processes.size(), 1, most);
}

// The cgroup counts what has ended too; without one, what lived and died between two looks is missed.
std::uint64_t ResourceSampler::cpu_spent(const std::string& module,
                                         const std::vector<ProcessEntry>& processes, Account& account) {
  const auto& cgroups = trees_.cgroups();
  const auto total = cgroups ? cgroups->cpu_us(module) : std::nullopt;
  if (total) {
    // Counted from zero in each run.
    const std::uint64_t before = *total >= account.cgroup_us ? account.cgroup_us : 0;
    account.cgroup_us = *total;
    return *total - before;
  }
  std::map<Identity, std::uint64_t> ticks;
  std::uint64_t spent = 0;
  for (const ProcessEntry& process : processes) {
    const Identity identity{process.pid, process.start_time};
    ticks.emplace(identity, process.cpu_ticks);
    const auto before = account.ticks.find(identity);
    const std::uint64_t counted = before == account.ticks.end() ? 0 : before->second;
    spent += process.cpu_ticks - std::min(process.cpu_ticks, counted);
  }
  account.ticks = std::move(ticks);
  return spent * us_per_tick_;
}

}  // namespace starling::agent
