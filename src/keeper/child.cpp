#include "keeper/child.hpp"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace starling::keeper {
namespace {

struct Pipe {
  FileDescriptor read, write;
};

// The reader does not block; the writer, which is the child's, does.
std::expected<Pipe, SpawnError> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return std::unexpected(SpawnError{SpawnStep::descriptors, errno});
  Pipe pipe{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return pipe;
}

// The kernel's struct rusage: its words are longs, whatever the C library makes of time.
struct KernelUsage {
  long user_s, user_us, system_s, system_us, max_rss_kb, others[13];
};

ExitKind kind_of(int code) {
  if (code == CLD_EXITED) return ExitKind::exited;
  return code == CLD_DUMPED ? ExitKind::dumped : ExitKind::killed;
}

}  // namespace

std::expected<Child, SpawnError> Child::start(const Spawner& spawner, const SpawnRequest& request,
                                              const FileDescriptor& nothing,
                                              const std::string& notify_folder) {
  auto out = make_pipe();
  if (!out) return std::unexpected(out.error());
  auto err = make_pipe();
  if (!err) return std::unexpected(err.error());
  std::optional<NotifySocket> notify;
  if (request.notify) {
    auto made = NotifySocket::open(notify_folder, request.id, request.uid.has_value());
    if (!made) return std::unexpected(SpawnError{SpawnStep::notify, made.error()});
    notify.emplace(std::move(*made));
  }
  auto process = spawner.spawn(request, {.in = nothing.number(),
                                         .out = out->write.number(),
                                         .err = err->write.number(),
                                         .notify_socket = notify ? notify->name() : std::string()});
  if (!process) return std::unexpected(process.error());
  Child child(request.id, std::move(*process));
  child.out_ = std::move(out->read);
  child.err_ = std::move(err->read);
  if (notify) child.notify_.emplace(std::move(*notify));
  return child;
}

HeldChild Child::held() const {
  return {id_, process_.pid, process_.start, state_, process_.in_cgroup, {}, exit_};
}

std::vector<Child::Handed> Child::handed() const {
  if (state_ == ChildState::starting) return {};  // they come when it runs
  std::vector<Handed> all = {{Handle::out, out_.number()}, {Handle::err, err_.number()}};
  if (notify_) all.push_back({Handle::notify, notify_->descriptor()});
  return all;
}

void Child::runs() {
  state_ = ChildState::running;
  process_.exec_report.reset();
}

bool Child::has_exited(std::chrono::nanoseconds now) {
  if (exit_) return true;
  siginfo_t info{};
  KernelUsage usage{};
  // The library's waitid() has no room for the usage.
  if (::syscall(SYS_waitid, P_PID, process_.pid, &info, WEXITED | WNOHANG | WNOWAIT, &usage) != 0 ||
      info.si_pid == 0) {
    return false;
  }
  using std::chrono::microseconds;
  using std::chrono::seconds;
  state_ = ChildState::exited;
  exit_ = Exit{.kind = kind_of(info.si_code),
               .status = info.si_status,
               .at = now,
               .user = seconds(usage.user_s) + microseconds(usage.user_us),
               .system = seconds(usage.system_s) + microseconds(usage.system_us),
               .max_rss_kb = static_cast<std::uint64_t>(usage.max_rss_kb)};
  return true;
}

void Child::reap() {
  int status = 0;
  ::waitpid(process_.pid, &status, WNOHANG);
}

int Child::signal(int number, SignalScope scope) const {
  // Until it runs it may not lead its group yet.
  if (scope == SignalScope::group && state_ != ChildState::starting) {
    return ::kill(-process_.pid, number) == 0 ? 0 : errno;
  }
  if (exit_) return ESRCH;
  if (process_.pidfd) {
    const long sent = ::syscall(SYS_pidfd_send_signal, process_.pidfd.number(), number, nullptr, 0);
    return sent == 0 ? 0 : errno;
  }
  return ::kill(process_.pid, number) == 0 ? 0 : errno;  // unreaped: the number is still its own
}

}  // namespace starling::keeper
