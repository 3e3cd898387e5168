#include "agent/supervisor/processes/process_table.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/file_descriptor.hpp"
#include "base/leading_number.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_processes = 32 * 1024;

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

// Files of /proc tell no size: read until the end or the bound. Empty if it is gone.
std::string read_start(int at, const char* path, std::size_t max_bytes) {
  const FileDescriptor file(::openat(at, path, O_RDONLY | O_CLOEXEC | O_NOCTTY));
  std::string content;
  if (!file) return content;
  char piece[4096];
  while (content.size() < max_bytes) {
    const ssize_t count = ::read(file.number(), piece, std::min(sizeof piece, max_bytes - content.size()));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    content.append(piece, static_cast<std::size_t>(count));
  }
  return content;
}

// The number after `name` on its line: "Pss:    123 kB".
std::optional<std::uint64_t> labelled_number(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + name.size());
  const auto digit = text.find_first_not_of(" \t");
  return digit == std::string_view::npos ? std::nullopt : leading_number<std::uint64_t>(text.substr(digit));
}

std::optional<std::int32_t> pid_of(const char* name) {
  const std::string_view text(name);
  const auto pid = leading_number<std::int32_t>(text);
  return pid && text.find_first_not_of("0123456789") == std::string_view::npos ? pid : std::nullopt;
}

}  // namespace

std::string ProcessTable::file(std::int32_t pid, const char* name, std::size_t max_bytes) const {
  const std::string path = proc_.string() + "/" + std::to_string(pid) + "/" + name;
  return read_start(AT_FDCWD, path.c_str(), max_bytes);
}

std::optional<ProcessEntry> ProcessTable::entry(std::int32_t pid) const {
  return parse_process_stat(file(pid, "stat", 4096));
}

std::vector<ProcessEntry> ProcessTable::all() const {
  std::vector<ProcessEntry> entries;
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir(proc_.c_str()));
  if (!folder) return entries;
  while (const dirent* found = ::readdir(folder.get())) {
    const auto pid = pid_of(found->d_name);
    if (!pid) continue;
    if (const auto process = entry(*pid)) entries.push_back(*process);
    if (entries.size() == max_processes) break;
  }
  return entries;
}

std::string ProcessTable::environment(std::int32_t pid) const {
  // Large environments exist; what the keeper sets stands at their beginning unless a program reorders them.
  constexpr std::size_t max_environment = 256 * 1024;
  return std::string(1, '\0') + file(pid, "environ", max_environment);
}

bool ProcessTable::has_variable(std::int32_t pid, std::string_view beginning) const {
  return environment(pid).find(std::string(1, '\0').append(beginning)) != std::string::npos;
}

std::string ProcessTable::variable(std::int32_t pid, std::string_view name) const {
  const std::string all = environment(pid);
  const std::string before = std::string(1, '\0').append(name).append("=");
  const auto at = all.find(before);
  if (at == std::string::npos) return {};
  const auto value = at + before.size();
  return all.substr(value, all.find('\0', value) - value);
}

std::string ProcessTable::cgroup(std::int32_t pid) const {
  const std::string text = file(pid, "cgroup", 16 * 1024);
  constexpr std::string_view version_2 = "0::";
  std::size_t at = text.starts_with(version_2) ? 0 : text.find("\n0::");
  if (at == std::string::npos) return {};
  at = text.find("::", at) + 2;
  return text.substr(at, text.find('\n', at) - at);
}

std::optional<std::uint64_t> ProcessTable::proportional_kb(std::int32_t pid) const {
  if (const auto pss = labelled_number(file(pid, "smaps_rollup", 4096), "\nPss:")) return pss;
  return labelled_number(file(pid, "status", 8192), "\nVmRSS:");
}

std::uint32_t ProcessTable::descriptors(std::int32_t pid) const {
  constexpr std::uint32_t most_counted = 65'536;
  const std::string path = proc_.string() + "/" + std::to_string(pid) + "/fd";
  // Since Linux 6.2 the folder's size is their number.
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && status.st_size > 0)
    return static_cast<std::uint32_t>(std::min<std::int64_t>(status.st_size, most_counted));
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
  if (!folder) return 0;
  std::uint32_t count = 0;
  while (const dirent* found = ::readdir(folder.get())) {
    if (pid_of(found->d_name) && ++count == most_counted) break;
  }
  return count;
}

std::array<std::string, 2> ProcessTable::outputs(std::int32_t pid) const {
  const std::filesystem::path folder = proc_ / std::to_string(pid) / "fd";
  std::error_code hidden;
  return {std::filesystem::read_symlink(folder / "1", hidden).string(),
          std::filesystem::read_symlink(folder / "2", hidden).string()};
}

int signal_process(const ProcessTable& table, const ProcessEntry& process, int number) {
  const FileDescriptor descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!descriptor && errno != ENOSYS) return errno;
  // The descriptor holds whatever has the number now; only then is it known whether that is the one.
  const auto now = table.entry(process.pid);
  if (!now || now->start_time != process.start_time) return ESRCH;
  const long sent = descriptor ? ::syscall(SYS_pidfd_send_signal, descriptor.number(), number, nullptr, 0)
                               : ::kill(process.pid, number);
  return sent == 0 ? 0 : errno;
}

}  // namespace starling::agent
