#include "keeper/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "keeper/process_table.hpp"

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

bool has_ended(const FileDescriptor& pidfd) {
  pollfd ended{pidfd.number(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 1;
}

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
    // What runs as root may become another user by itself.
    const bool may_be_another = request.uid.has_value() || ::geteuid() == 0;
    auto made = NotifySocket::open(notify_folder, request.id, may_be_another);
    if (!made) return std::unexpected(SpawnError{SpawnStep::notify, made.error()});
    notify.emplace(std::move(*made));
  }
  auto process = spawner.spawn(request, {.in = nothing.number(),
                                         .out = out->write.number(),
                                         .err = err->write.number(),
                                         .notify_socket = notify ? notify->name() : std::string()});
  if (!process) return std::unexpected(process.error());
  Child child(request.id, request.mark, std::move(*process));
  child.out_ = std::move(out->read);
  child.err_ = std::move(err->read);
  if (notify) child.notify_.emplace(std::move(*notify));
  return child;
}

HeldChild Child::held() const {
  HeldChild held{.id = id_,
                 .pid = process_.pid,
                 .start = process_.start,
                 .state = state_,
                 .in_cgroup = process_.in_cgroup,
                 .exit = exit_,
                 .mark = mark_};
  if (main_) {
    held.leader = std::exchange(held.pid, main_->pid);
    held.leader_start = std::exchange(held.start, main_->start);
  }
  return held;
}

bool Child::holds(pid_t pid) const {
  return pid == process_.pid || (main_ && main_->pid == pid && (main_->pidfd || main_->is_ours));
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
  if (main_ && !has_ended(main_->pidfd)) return false;
  siginfo_t info{};
  KernelUsage usage{};
  // The library's waitid() has no room for the usage.
  const long waited =
      ::syscall(SYS_waitid, main_ ? P_PIDFD : P_PID, main_ ? main_->pidfd.number() : process_.pid, &info,
                WEXITED | WNOHANG | WNOWAIT, &usage);
  const bool is_known = waited == 0 && info.si_pid != 0;
  if (!main_ && !is_known) return false;
  state_ = ChildState::exited;
  if (main_) {
    main_->pidfd.reset();  // it would be readable for ever
    main_->is_ours = is_known;
  }
  if (!is_known) {  // its parent is another, who alone learns how it ended
    exit_ = Exit{.kind = ExitKind::killed, .at = now};
    return true;
  }
  using std::chrono::microseconds;
  using std::chrono::seconds;
  exit_ = Exit{.kind = kind_of(info.si_code),
               .status = info.si_status,
               .at = now,
               .user = seconds(usage.user_s) + microseconds(usage.user_us),
               .system = seconds(usage.system_s) + microseconds(usage.system_us),
               .max_rss_kb = static_cast<std::uint64_t>(usage.max_rss_kb)};
  return true;
}

void Child::reap() {
  replace_main(std::nullopt);
  ::waitpid(process_.pid, nullptr, WNOHANG);
}

std::expected<std::optional<Child::Main>, int> Child::find_main(const Spawner& spawner, pid_t pid,
                                                                std::uint64_t start) const {
  const bool is_spawned = pid == process_.pid;
  std::optional<Main> main;
  if (!is_spawned) {
    main = Main{.pid = pid, .start = start, .pidfd = spawner.open_pidfd(pid)};
    if (!main->pidfd) return std::unexpected(errno);
  }
  // Looked at last: what has lived from that start until now is what the descriptor is of.
  if (state_ == ChildState::starting || !lives(pid, start)) return std::unexpected(ESRCH);
  return main;
}

void Child::replace_main(std::optional<Main> main) {
  if (main_ && main_->is_ours) ::waitpid(main_->pid, nullptr, WNOHANG);
  main_ = std::move(main);
  state_ = ChildState::running;
  exit_.reset();
}

int Child::signal(int number, SignalScope scope) const {
  // Until it runs it may not lead its group yet.
  if (scope == SignalScope::group && state_ != ChildState::starting) {
    return ::kill(-process_.pid, number) == 0 ? 0 : errno;
  }
  if (exit_) return ESRCH;
  if (const FileDescriptor& pidfd = main_ ? main_->pidfd : process_.pidfd) {
    const long sent = ::syscall(SYS_pidfd_send_signal, pidfd.number(), number, nullptr, 0);
    return sent == 0 ? 0 : errno;
  }
  return ::kill(process_.pid, number) == 0 ? 0 : errno;  // unreaped: the number is still its own
}

}  // namespace starling::keeper
