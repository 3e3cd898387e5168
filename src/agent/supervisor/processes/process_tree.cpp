#include "agent/supervisor/processes/process_tree.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

namespace starling::agent {
namespace {

constexpr std::string_view variable = "STARLING_MODULE";

// FNV-1a: short, and the same for the next agent.
std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3u;
  }
  return hash;
}

}  // namespace

ProcessTrees::ProcessTrees(const ProcessTable& table, std::optional<CgroupTree> cgroups,
                           std::string_view owner, Logger log)
    : table_(table),
      cgroups_(std::move(cgroups)),
      owner_(fmt::format("{:016x}", stable_hash(owner))),
      log_(log) {}

// "STARLING_MODULE=recorder:<owner>:", which the run's number follows.
std::string ProcessTrees::marker(std::string_view module) const {
  return fmt::format("{}={}:{}:", variable, module, owner_);
}

const ProcessTrees::Run* ProcessTrees::run_of(std::string_view module) const {
  const auto found = runs_.find(module);
  return found == runs_.end() ? nullptr : &found->second;
}

Result<TreePlace> ProcessTrees::make(const ModuleManifest& manifest, std::string_view child_id) {
  runs_.erase(manifest.name);
  made_.insert(manifest.name);
  TreePlace place;
  place.environment.emplace_back(variable, fmt::format("{}:{}:{}", manifest.name, owner_, child_id));
  if (!cgroups_) return place;
  const auto folder = cgroups_->make(manifest.name, manifest.limits);
  if (folder) {
    place.cgroup = folder->folder.string();
    if (!folder->problem.empty())
      log_.warning("a module runs without a limit", {{"module", manifest.name}, {"error", folder->problem}});
  } else if (folder.error().code == ErrorCode::failed_precondition) {
    return fail(folder);  // two runs of one module at a time must not be
  } else {
    log_.warning("a module runs outside of its cgroup",
                 {{"module", manifest.name}, {"error", folder.error().message}});
  }
  return place;
}

std::string ProcessTrees::unmet_limits(const ModuleManifest& manifest) const {
  std::string unmet;
  if (in_cgroup(manifest.name)) {
    unmet = cgroups_->unmet(manifest.name, manifest.limits);
  } else {
    const std::string_view why = cgroups_ ? " (outside of its control group)" : " (no control group)";
    if (manifest.limits.memory_bytes) unmet = fmt::format("memory{}", why);
    if (manifest.limits.cpu_percent) unmet += fmt::format("{}cpu{}", unmet.empty() ? "" : ", ", why);
  }
  return unmet.empty() ? unmet : "limit not in force: " + unmet;
}

void ProcessTrees::led_by(std::string_view module, std::int32_t pid, std::uint64_t start_time,
                          bool in_cgroup) {
  Run& run = runs_[std::string(module)];
  run.leader = run.main = Identity{pid, start_time};
  run.in_cgroup = in_cgroup && cgroups_;
}

void ProcessTrees::main_is(std::string_view module, std::int32_t pid, std::uint64_t start_time) {
  // One that is gone holds its number no longer: that may be of another's session.
  const auto process = table_.entry(pid);
  const bool is_there = process && process->start_time == start_time;
  runs_[std::string(module)].main = is_there ? std::optional(Identity{pid, start_time}) : std::nullopt;
}

void ProcessTrees::writes_to(std::string_view module, const FileDescriptor& pipe) {
  struct stat status {};
  if (::fstat(pipe.number(), &status) != 0) return;
  runs_[std::string(module)].pipes.insert(
      fmt::format("pipe:[{}]", status.st_ino));  // both ends are one inode
}

bool ProcessTrees::main_lives(std::string_view module) const {
  const Run* run = run_of(module);
  if (run == nullptr || !run->main) return false;
  const auto process = table_.entry(run->main->first);
  return process && process->start_time == run->main->second && process->alive();
}

bool ProcessTrees::leads(const Run& run, const ProcessEntry& process) const {
  const Identity identity{process.pid, process.start_time};
  // The keeper starts every module in a session of its own, and a daemon often makes one for itself.
  return run.leader == identity || run.main == identity || in_session(run.leader, process) ||
         in_session(run.main, process);
}

bool ProcessTrees::known(const Run& run, const ProcessEntry& process) const {
  return run.seen.contains({process.pid, process.start_time}) || leads(run, process);
}

bool ProcessTrees::writes(const Run& run, const std::array<std::string, 2>& outputs) {
  return std::ranges::any_of(outputs,
                             [&run](const std::string& output) { return run.pipes.contains(output); });
}

bool ProcessTrees::in_session(const std::optional<Identity>& leader, const ProcessEntry& process) const {
  if (!leader || process.session != leader->first || process.start_time < leader->second) return false;
  const auto holder = table_.entry(leader->first);  // its number is taken while anything is in its session
  return !holder || holder->start_time == leader->second;
}

bool ProcessTrees::marked(const Run* run, std::string_view marker, const ProcessEntry& process) const {
  if (run != nullptr && known(*run, process)) return true;
  if (table_.has_variable(process.pid, marker)) return true;
  return run != nullptr && !run->pipes.empty() && writes(*run, table_.outputs(process.pid));
}

bool ProcessTrees::in_cgroup(std::string_view module) const {
  const Run* run = run_of(module);
  return cgroups_ && run != nullptr && run->in_cgroup && cgroups_->exists(module);
}

std::vector<ProcessEntry> ProcessTrees::sweep(std::string_view module) const {
  std::vector<ProcessEntry> others, members;
  std::set<std::int32_t> pids;
  const std::string mark = marker(module);
  const Run* run = run_of(module);
  constexpr std::int32_t kernel_threads = 2;
  for (const ProcessEntry& process : table_.all()) {
    if (!process.alive() || process.pid == ::getpid() || process.pid == 1) continue;
    if (process.pid == kernel_threads || process.parent == kernel_threads) continue;
    if (marked(run, mark, process)) {
      members.push_back(process);
      pids.insert(process.pid);
    } else {
      others.push_back(process);
    }
  }
  // Children of members, whatever they did to their environment.
  for (bool grown = !members.empty(); grown;) {
    const auto strangers = std::partition(others.begin(), others.end(), [&](const ProcessEntry& process) {
      return !pids.contains(process.parent);
    });
    grown = strangers != others.end();
    for (auto found = strangers; found != others.end(); ++found) {
      members.push_back(*found);
      pids.insert(found->pid);
    }
    others.erase(strangers, others.end());
  }

  if (members.empty()) {
    runs_.erase(std::string(module));  // the numbers of its session and pipes may go to somebody else
  } else {
    auto& seen = runs_[std::string(module)].seen;
    seen.clear();
    for (const ProcessEntry& process : members)
      seen.emplace(process.pid, process.start_time);
  }
  return members;
}

void ProcessTrees::kill(std::string_view module) {
  const bool cgroup = cgroups_ && cgroups_->exists(module);
  if (cgroup) cgroups_->kill(module);
  if (in_cgroup(module)) return;

  // What is stopped cannot fork: only then is it certain that none is missed.
  constexpr int most_looks = 16;
  std::set<Identity> stopped;
  std::vector<ProcessEntry> members;
  for (int look = 0; look < most_looks; ++look) {
    members = sweep(module);
    const auto before = stopped.size();
    for (const ProcessEntry& process : members) {
      if (stopped.emplace(process.pid, process.start_time).second) signal_process(table_, process, SIGSTOP);
    }
    if (stopped.size() == before) break;
  }
  for (const ProcessEntry& process : members)
    signal_process(table_, process, SIGKILL);
}

bool ProcessTrees::empty(std::string_view module) const {
  const bool cgroup = cgroups_ && cgroups_->exists(module);
  if (cgroup && cgroups_->populated(module)) return false;
  if (in_cgroup(module) || !may_have_leftovers(module)) return true;
  return sweep(module).empty();
}

// Of an earlier agent's or keeper's time, if nothing of it was made in this one.
bool ProcessTrees::may_have_leftovers(std::string_view module) const {
  return made_.contains(module) || run_of(module) != nullptr || leftovers().contains(module);
}

std::vector<std::string> ProcessTrees::left_over() const {
  return {leftovers().begin(), leftovers().end()};
}

const std::set<std::string, std::less<>>& ProcessTrees::leftovers() const {
  if (!leftovers_) {
    leftovers_.emplace();
    for (const ProcessEntry& process : table_.all()) {
      if (std::string module = named_module(process); !module.empty()) leftovers_->insert(std::move(module));
    }
  }
  return *leftovers_;
}

std::vector<std::int32_t> ProcessTrees::processes(std::string_view module) const {
  if (in_cgroup(module)) return cgroups_->processes(module);
  std::vector<std::int32_t> pids;
  for (const ProcessEntry& process : sweep(module))
    pids.push_back(process.pid);
  return pids;
}

// By what is known of the runs, or by what it was started with.
std::string ProcessTrees::module_of(const ProcessEntry& process) const {
  for (const auto& [module, run] : runs_) {
    if (known(run, process)) return module;
  }
  if (std::string named = named_module(process); !named.empty()) return named;
  const std::array<std::string, 2> outputs = table_.outputs(process.pid);
  for (const auto& [module, run] : runs_) {
    if (writes(run, outputs)) return module;
  }
  return {};
}

// By what it was started with.
std::string ProcessTrees::named_module(const ProcessEntry& process) const {
  const std::string value = table_.variable(process.pid, variable);
  const auto end = value.find(':');
  if (end == std::string::npos || !value.substr(end + 1).starts_with(owner_ + ":")) return {};
  return value.substr(0, end);
}

std::string ProcessTrees::module_of(std::int32_t pid) const {
  const std::optional<ProcessEntry> process = table_.entry(pid);
  return process ? module_of(*process) : std::string();
}

std::map<std::string, std::vector<ProcessEntry>, std::less<>> ProcessTrees::by_module() const {
  std::map<std::string, std::vector<ProcessEntry>, std::less<>> all;
  std::map<std::int32_t, std::string> module_by_pid;
  bool sweeping = !cgroups_;
  for (const auto& [module, run] : runs_) {
    if (!in_cgroup(module)) {
      sweeping = true;
      continue;
    }
    for (const std::int32_t pid : cgroups_->processes(module)) {
      if (const auto process = table_.entry(pid)) all[module].push_back(*process);
    }
  }
  if (!sweeping) return all;
  for (const ProcessEntry& process : table_.all()) {
    if (!process.alive() || process.pid == ::getpid() || process.pid <= 2 || process.parent == 2) continue;
    std::string module = module_of(process);
    // A parent is usually listed before its children; one that is not is found by the variable.
    if (const auto parent = module_by_pid.find(process.parent);
        module.empty() && parent != module_by_pid.end())
      module = parent->second;
    if (module.empty() || in_cgroup(module)) continue;
    module_by_pid.emplace(process.pid, module);
    all[module].push_back(process);
  }
  return all;
}

std::optional<ProcessEntry> ProcessTrees::member(std::string_view module, std::int32_t pid) const {
  // Looked at first: should its number go to another meanwhile, this is not that one.
  const std::optional<ProcessEntry> process = table_.entry(pid);
  const Membership is = membership(module, pid);
  return is == Membership::member || is == Membership::marked ? process : std::nullopt;
}

Membership ProcessTrees::membership(std::string_view module, std::int32_t pid) const {
  const Run* run = run_of(module);
  const std::string mark = marker(module);
  constexpr int most_ancestors = 32;
  std::optional<ProcessEntry> process = table_.entry(pid);
  if (!process || !process->alive()) return Membership::gone;
  bool is_marked = false;
  for (int step = 0; process && step < most_ancestors && process->pid > 1; ++step) {
    if (run != nullptr && leads(*run, *process)) return Membership::member;
    if (cgroups_ && cgroups_->holds(module, table_.cgroup(process->pid))) return Membership::member;
    is_marked = is_marked || marked(run, mark, *process);
    process = table_.entry(process->parent);
  }
  return is_marked ? Membership::marked : Membership::stranger;
}

}  // namespace starling::agent
