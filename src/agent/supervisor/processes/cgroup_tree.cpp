#include "agent/supervisor/processes/cgroup_tree.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "base/crypto.hpp"
#include "base/file_descriptor.hpp"
#include "base/files.hpp"
#include "base/printable_text.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_control_bytes = 1 << 20;
constexpr std::string_view leaf = "starling";  // where we ourselves are

std::string control(const fs::path& path) {
  return read_file(path, max_control_bytes).value_or("");
}

// Errno, or 0. What is written to the kernel is one command.
int write_control(const fs::path& path, std::string_view text) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_TRUNC));
  if (!file) return errno;
  return ::write(file.number(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : errno;
}

template <typename Each>
void for_each_word(std::string_view text, std::string_view separators, Each&& each) {
  while (!text.empty()) {
    const auto end = text.find_first_of(separators);
    if (const auto word = text.substr(0, end); !word.empty()) each(word);
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
}

bool has_word(std::string_view text, std::string_view wanted) {
  bool found = false;
  for_each_word(text, " \n", [&](std::string_view word) { found = found || word == wanted; });
  return found;
}

std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::string cpu_quota(std::uint32_t percent) {
  constexpr std::uint64_t period_us = 100'000;
  return fmt::format("{} {}", period_us / 100 * percent, period_us);
}

// "oom_kill 3" in a file of such lines.
std::optional<std::uint64_t> named_number(std::string_view text, std::string_view name) {
  std::optional<std::uint64_t> number;
  for_each_word(text, "\n", [&](std::string_view line) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') return;
    line.remove_prefix(name.size() + 1);
    if (const auto value = number_of(line)) number = value;
  });
  return number;
}

struct Mount {
  std::string root, folder;
};

// "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw"
std::optional<Mount> cgroup_mount(std::string_view mountinfo) {
  std::optional<Mount> mount;
  for_each_word(mountinfo, "\n", [&](std::string_view line) {
    if (mount || line.find(" - cgroup2 ") == std::string_view::npos) return;
    std::vector<std::string_view> words;
    for_each_word(line, " ", [&](std::string_view word) { words.push_back(word); });
    if (words.size() > 5) mount = Mount{std::string(words[3]), std::string(words[4])};
  });
  return mount;
}

std::vector<std::int32_t> pids_in(const fs::path& folder) {
  std::vector<std::int32_t> pids;
  for_each_word(control(folder / "cgroup.procs"), "\n", [&](std::string_view word) {
    std::int32_t pid = 0;
    if (std::from_chars(word.data(), word.data() + word.size(), pid).ec == std::errc{} && pid > 0)
      pids.push_back(pid);
  });
  return pids;
}

// The folder and those that the module itself may have made below it, deepest last. Bounded.
std::vector<fs::path> with_subfolders(const fs::path& folder) {
  constexpr std::size_t most = 1'000;
  std::vector<fs::path> all{folder};
  for (std::size_t i = 0; i < all.size() && all.size() < most; ++i) {
    std::error_code error;
    for (auto entry = fs::directory_iterator(all[i], error); !error && entry != fs::directory_iterator();
         entry.increment(error)) {
      std::error_code ignored;
      if (entry->is_directory(ignored) && !entry->is_symlink(ignored) && all.size() < most)
        all.push_back(entry->path());
    }
  }
  return all;
}

std::unexpected<Error> missing(std::string why) {
  return fail(ErrorCode::failed_precondition, "cgroups are not used: " + std::move(why));
}

}  // namespace

bool CgroupTree::is_delegated(const fs::path& own) {
  char mark[8] = {};
  for (const char* name : {"user.delegate", "trusted.delegate"}) {
    if (::getxattr(own.c_str(), name, mark, sizeof mark) == 1 && mark[0] == '1') return true;
  }
  return ::geteuid() != 0 && ::access(own.c_str(), W_OK) == 0 &&
         ::access((own / "cgroup.procs").c_str(), W_OK) == 0;
}

Result<CgroupTree> CgroupTree::take(const System& system) {
  const auto mount = cgroup_mount(control(system.proc_self / "mountinfo"));
  if (!mount) return missing("no hierarchy of version 2 is mounted");
  std::string path;
  for_each_word(control(system.proc_self / "cgroup"), "\n", [&](std::string_view line) {
    if (line.starts_with("0::/")) path = line.substr(3);
  });
  if (path.empty()) return missing("this process is in none");
  std::string_view below = path;
  if (mount->root != "/" && below.starts_with(mount->root)) below.remove_prefix(mount->root.size());
  fs::path own = mount->folder;
  if (below.size() > 1) own /= below.substr(1);

  // A hierarchy whose root is ours to use, as in a container, is nobody else's.
  const bool whole = path == "/";
  if (!whole && own.filename() == leaf) {  // an earlier start moved us there
    own = own.parent_path();
    path = fs::path(path).parent_path().string();
  }
  if (!whole && !system.delegated(own)) {
    return missing(own.string() + " is not delegated to us (in a systemd unit: Delegate=yes)");
  }
  const fs::path trial = own / "starling.trial";
  if (::mkdir(trial.c_str(), 0755) != 0) {
    return missing(
        fmt::format("making a folder in {}: {}", own.string(), std::generic_category().message(errno)));
  }
  ::rmdir(trial.c_str());
  CgroupTree tree(own, path == "/" ? "" : path);
  tree.made_ = system.made;
  tree.prefix_ = system.owner.empty() ? "module." : "module." + sha256(system.owner).hex().substr(0, 8) + ".";
  tree.turn_on_controllers();
  return tree;
}

void CgroupTree::turn_on_controllers() {
  const std::string there = control(base_ / "cgroup.controllers");
  const bool memory = has_word(there, "memory"), cpu = has_word(there, "cpu");
  if ((!memory && !cpu) || !make_room()) return;
  const auto turn_on = [&](std::string_view name) {
    return write_control(base_ / "cgroup.subtree_control", fmt::format("+{}", name)) == 0;
  };
  memory_ = memory && turn_on("memory");
  cpu_ = cpu && turn_on("cpu");
}

// Controllers go below only from a cgroup without processes of its own. The kernel refuses memory else, but
// not cpu: it makes the folders below ones for threads, into which no process gets any more.
bool CgroupTree::make_room() const {
  const auto own = pids_in(base_);
  if (own.empty()) return true;
  if (path_.empty())
    return ::access((base_ / "cgroup.type").c_str(), F_OK) != 0;  // only the machine's root may
  const fs::path room = base_ / leaf;
  ::mkdir(room.c_str(), 0755);
  if (made_) made_(room);
  return std::ranges::all_of(own, [&](std::int32_t pid) {
    const int error = write_control(room / "cgroup.procs", std::to_string(pid));
    return error == 0 || error == ESRCH;
  });
}

fs::path CgroupTree::folder(std::string_view module) const {
  return base_ / (prefix_ + std::string(module));
}

Result<CgroupTree::Made> CgroupTree::make(std::string_view module, const ModuleLimits& limits) const {
  const fs::path path = folder(module);
  auto old = with_subfolders(path);
  for (auto each = old.rbegin(); each != old.rend(); ++each) {
    if (::rmdir(each->c_str()) == 0 || errno == ENOENT) continue;
    if (errno == EBUSY)
      return fail(ErrorCode::failed_precondition, fmt::format("processes still live in {}", each->string()));
    return fail(ErrorCode::io,
                fmt::format("removing {}: {}", each->string(), std::generic_category().message(errno)));
  }
  if (::mkdir(path.c_str(), 0755) != 0) {
    return fail(ErrorCode::io,
                fmt::format("making {}: {}", path.string(), std::generic_category().message(errno)));
  }
  if (made_) made_(path);
  Made made{path, {}};
  const auto limit = [&](const char* file, const std::string& value) {
    const int error = write_control(path / file, value);
    if (error == 0 || !made.problem.empty()) return;
    made.problem = fmt::format("{} {}: {}", file, value, std::generic_category().message(error));
  };
  if (memory_ && limits.memory_bytes) {
    limit("memory.max", std::to_string(*limits.memory_bytes));
    limit("memory.oom.group", "1");  // a module without one of its processes is none
  }
  if (cpu_ && limits.cpu_percent) {
    limit("cpu.max", cpu_quota(*limits.cpu_percent));
  }
  return made;
}

std::string CgroupTree::unmet(std::string_view module, const ModuleLimits& limits) const {
  std::string all;
  const auto tell = [&all](std::string_view what, std::string_view why) {
    all += fmt::format("{}{} ({})", all.empty() ? "" : ", ", what, printable_text(why, 64));
  };
  const auto in_force = [&](const char* file) {
    std::string text = control(folder(module) / file);
    while (!text.empty() && text.back() == '\n')
      text.pop_back();
    return text;
  };
  if (limits.memory_bytes && !memory_) {
    tell("memory", "no controller");
  } else if (limits.memory_bytes) {
    const std::string text = in_force("memory.max");
    const auto bytes = number_of(text);  // in whole pages
    if (!bytes || *bytes > *limits.memory_bytes) tell("memory", "memory.max is '" + text + "'");
  }
  if (limits.cpu_percent && !cpu_) {
    tell("cpu", "no controller");
  } else if (limits.cpu_percent) {
    const std::string text = in_force("cpu.max");
    if (text != cpu_quota(*limits.cpu_percent)) tell("cpu", "cpu.max is '" + text + "'");
  }
  return all;
}

bool CgroupTree::exists(std::string_view module) const {
  return ::access(folder(module).c_str(), F_OK) == 0;
}

bool CgroupTree::populated(std::string_view module) const {
  return named_number(control(folder(module) / "cgroup.events"), "populated").value_or(0) != 0;
}

std::vector<std::int32_t> CgroupTree::processes(std::string_view module) const {
  std::vector<std::int32_t> all;
  for (const fs::path& each : with_subfolders(folder(module)))
    std::ranges::copy(pids_in(each), std::back_inserter(all));
  return all;
}

void CgroupTree::kill(std::string_view module) const {
  if (write_control(folder(module) / "cgroup.kill", "1") == 0) return;
  // Before Linux 5.14. What forks meanwhile is met by the next call.
  for (const std::int32_t pid : processes(module))
    ::kill(pid, SIGKILL);
}

bool CgroupTree::holds(std::string_view module, std::string_view cgroup_path) const {
  const std::string own = fmt::format("{}/{}{}", path_, prefix_, module);
  return cgroup_path == own ||
         (cgroup_path.starts_with(own) && cgroup_path.size() > own.size() && cgroup_path[own.size()] == '/');
}

std::optional<MemoryEvents> CgroupTree::memory_events(std::string_view module) const {
  const fs::path path = folder(module);
  std::string text = control(path / "memory.events.local");
  if (text.empty()) text = control(path / "memory.events");
  const auto killed = named_number(text, "oom_kill");
  if (!killed) return {};
  return MemoryEvents{named_number(text, "oom").value_or(0), *killed};
}

std::optional<std::uint64_t> CgroupTree::cpu_us(std::string_view module) const {
  return named_number(control(folder(module) / "cpu.stat"), "usage_usec");
}

std::optional<CgroupTree> delegated_cgroup(const fs::path& state, Logger log) {
  CgroupTree::System system;
  system.owner = state.string();
  auto taken = CgroupTree::take(system);
  if (!taken) {
    log.info("without cgroups: modules are found by session, parentage and a mark in their environment",
             {{"why", taken.error().message}});
    return std::nullopt;
  }
  return std::move(*taken);
}

}  // namespace starling::agent
