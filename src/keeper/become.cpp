#include "keeper/become.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>

namespace starling::keeper {
namespace {

bool write_file(const char* path, std::string_view text) {
  const int file = ::open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const ssize_t written = ::write(file, text.data(), text.size());
  const int error = errno;
  ::close(file);
  errno = error;
  return written == static_cast<ssize_t>(text.size());
}

bool limit(decltype(RLIMIT_AS) resource, std::uint64_t value) {
  const rlimit both{static_cast<rlim_t>(value), static_cast<rlim_t>(value)};
  return ::setrlimit(resource, &both) == 0;
}

}  // namespace

void Become::run(bool is_in_cgroup) const {
  need(SpawnStep::session, ::setsid() >= 0);
  reset_signals();
  if (!is_in_cgroup) join_cgroup();
  set_priority();
  set_limits();
  connect_streams();
  drop_privileges();
  if (context.is_told_of_our_death) hear_of_our_death();
  // As the child's own user: a folder that it may not enter is an error here, not a surprise later.
  const char* folder = request.folder.empty() ? "/" : request.folder.c_str();
  need(SpawnStep::cwd, ::chdir(folder) == 0);
  ::execve(request.executable.c_str(), arguments, environment);
  fail(SpawnStep::exec, errno);
}

void Become::fail(SpawnStep step, int error) const {
  const ExecReport message{step, error};
  [[maybe_unused]] const ssize_t written = ::write(report, &message, sizeof(message));
  ::_exit(127);
}

void Become::need(SpawnStep step, bool done) const {
  if (!done) fail(step, errno);
}

void Become::reset_signals() const {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number)
    ::sigaction(number, &action, nullptr);  // of those that cannot be set it says so: no matter
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void Become::hear_of_our_death() const {
  need(SpawnStep::session, ::prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) == 0);
  if (::getppid() != keeper) ::_exit(0);  // it went before it could be heard of
}

void Become::join_cgroup() const {
  if (cgroup_processes >= 0) need(SpawnStep::cgroup, ::write(cgroup_processes, "0", 1) == 1);
}

void Become::set_priority() const {
  if (request.oom_score_adj) {
    char digits[16];
    const char* end = std::to_chars(digits, digits + sizeof(digits), *request.oom_score_adj).ptr;
    const std::string_view text(digits, static_cast<std::size_t>(end - digits));
    need(SpawnStep::oom_score, write_file("/proc/self/oom_score_adj", text));
  }
  if (request.nice) need(SpawnStep::nice, ::setpriority(PRIO_PROCESS, 0, *request.nice) == 0);
}

void Become::set_limits() const {
  if (request.limit_nofile) {
    need(SpawnStep::limits, limit(RLIMIT_NOFILE, *request.limit_nofile));
  } else {
    rlimit former{};
    need(SpawnStep::limits, ::getrlimit(RLIMIT_NOFILE, &former) == 0);
    former.rlim_cur = static_cast<rlim_t>(descriptor_limit);
    need(SpawnStep::limits, ::setrlimit(RLIMIT_NOFILE, &former) == 0);
  }
  if (request.limit_core_bytes) need(SpawnStep::limits, limit(RLIMIT_CORE, *request.limit_core_bytes));
  if (request.limit_as_bytes) need(SpawnStep::limits, limit(RLIMIT_AS, *request.limit_as_bytes));
  if (request.umask) ::umask(static_cast<mode_t>(*request.umask));
}

void Become::connect_streams() const {
  need(SpawnStep::descriptors, ::dup2(context.in, STDIN_FILENO) >= 0 &&
                                   ::dup2(context.out, STDOUT_FILENO) >= 0 &&
                                   ::dup2(context.err, STDERR_FILENO) >= 0);
}

void Become::drop_privileges() const {
  if (request.uid || request.gid || !request.groups.empty()) {
    static_assert(sizeof(gid_t) == sizeof(std::uint32_t));
    const gid_t* groups = request.groups.data();
    // Somebody who is nobody special has no groups to give away, and needs none taken.
    const bool needed = ::geteuid() == 0 || !request.groups.empty();
    if (needed) need(SpawnStep::groups, ::setgroups(request.groups.size(), groups) == 0);
  }
  if (request.gid) need(SpawnStep::groups, ::setresgid(*request.gid, *request.gid, *request.gid) == 0);
  if (request.uid) {
    need(SpawnStep::uid, ::setresuid(*request.uid, *request.uid, *request.uid) == 0);
    need(SpawnStep::uid, ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
  }
}

}  // namespace starling::keeper
