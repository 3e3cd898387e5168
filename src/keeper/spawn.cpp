#include "keeper/spawn.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <vector>

#include "keeper/become.hpp"
#include "keeper/process_table.hpp"

namespace starling::keeper {
namespace {

std::unexpected<SpawnError> failed(SpawnStep step) {
  return std::unexpected(SpawnError{step, errno});
}

int pidfd_open(pid_t pid) {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

// Like fork(), but gives the pidfd and starts the child in the cgroup, if there is one.
pid_t clone_process(int cgroup, FileDescriptor& pidfd) {
  int made = -1;
  clone_args arguments{};
  arguments.flags = CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&made);
  arguments.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    arguments.flags |= CLONE_INTO_CGROUP;
    arguments.cgroup = static_cast<std::uint64_t>(cgroup);
  }
  const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof(arguments)));
  if (pid > 0) pidfd = FileDescriptor(made);
  return pid;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts)
    result.push_back(const_cast<char*>(text.c_str()));  // exec takes them so and does not write
  result.push_back(nullptr);
  return result;
}

}  // namespace

Spawner::Spawner(Features features) : features_(features) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  descriptor_limit_ = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;  // every child costs the keeper up to five
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

std::expected<Process, SpawnError> Spawner::spawn(const SpawnRequest& request,
                                                  const SpawnContext& context) const {
  std::vector<std::string> arguments = request.arguments;
  arguments.insert(arguments.begin(), request.executable);
  std::vector<std::string> environment = request.environment;
  if (!context.notify_socket.empty()) environment.push_back("NOTIFY_SOCKET=" + context.notify_socket);
  const std::vector<char*> argument_pointers = pointers(arguments),
                           environment_pointers = pointers(environment);

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return failed(SpawnStep::descriptors);
  Process process;
  process.exec_report = FileDescriptor(ends[0]);
  const FileDescriptor report(ends[1]);
  FileDescriptor cgroup, cgroup_processes;
  if (!request.cgroup.empty()) {
    cgroup = FileDescriptor(::open(request.cgroup.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!cgroup) return failed(SpawnStep::cgroup);
    cgroup_processes = FileDescriptor(::openat(cgroup.number(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
    if (!cgroup_processes) return failed(SpawnStep::cgroup);
  }

  const Become become{.request = request,
                      .context = context,
                      .keeper = ::getpid(),
                      .arguments = argument_pointers.data(),
                      .environment = environment_pointers.data(),
                      .descriptor_limit = descriptor_limit_,
                      .cgroup_processes = cgroup_processes.number(),
                      .report = report.number()};
  pid_t pid = -1;
  bool cloned_into_cgroup = false;
  if (features_.clone3 && features_.pidfd && cgroup && features_.clone_into_cgroup) {
    pid = clone_process(cgroup.number(), process.pidfd);
    cloned_into_cgroup = pid >= 0;
  }
  if (pid < 0 && features_.clone3 && features_.pidfd) pid = clone_process(-1, process.pidfd);
  if (pid < 0) pid = ::fork();
  if (pid < 0) return failed(SpawnStep::fork);
  if (pid == 0) become.run(cloned_into_cgroup);

  process.pid = pid;
  process.start = start_time_of(pid);
  process.in_cgroup = static_cast<bool>(cgroup);
  // The child is unreaped: its number cannot belong to another process.
  if (!process.pidfd) process.pidfd = open_pidfd(pid);
  return process;
}

FileDescriptor Spawner::open_pidfd(pid_t pid) const {
  if (features_.pidfd) return FileDescriptor(pidfd_open(pid));
  errno = ENOSYS;
  return {};
}

std::optional<ExecOutcome> exec_outcome(const FileDescriptor& exec_report) {
  ExecReport report;
  ssize_t got = 0;
  do {
    got = ::read(exec_report.number(), &report, sizeof(report));
  } while (got < 0 && errno == EINTR);
  if (got < 0) return std::nullopt;
  if (got != sizeof(report)) return ExecOutcome{};
  return ExecOutcome{SpawnError{report.step, report.error}};
}

}  // namespace starling::keeper
