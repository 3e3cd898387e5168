#include "agent/update/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/file_descriptor.hpp"
#include "base/printable_text.hpp"
#include "base/trimmed.hpp"

namespace starling::agent {
namespace {

constexpr int cannot_execute = 127;

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts)
    pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// In the child: nothing here may allocate.
[[noreturn]] void become(char* const* arguments, char* const* environment, int output, int nothing) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::umask(022);
  (void)!::nice(10);
  ::signal(SIGPIPE, SIG_DFL);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execve(arguments[0], arguments, environment);
  ::_exit(cannot_execute);
}

// Between the agent and the program. Of the agent's death only a process of its own is told, and not what
// that has started: so it is this one, which takes its group along. Likewise.
template <typename Program>
[[noreturn]] void watch_over(pid_t agent, const Program& program) {
  ::setpgid(0, 0);
  ::signal(SIGTERM, [](int) { ::kill(0, SIGKILL); });
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() != agent) ::_exit(cannot_execute);
  const pid_t child = ::fork();
  if (child == 0) program();
  // Sockets of the agent's must end when it closes them.
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  int status = 0;
  while (child > 0 && ::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) ::kill(::getpid(), SIGKILL);
  ::_exit(child < 0 ? cannot_execute : WEXITSTATUS(status));
}

}  // namespace

struct ChildProcess::Io {
  explicit Io(const asio::any_io_executor& executor) : output(executor), ended(executor), limit(executor) {}
  asio::posix::stream_descriptor output, ended;
  asio::steady_timer limit;
};

ChildProcess::ChildProcess(std::shared_ptr<Io> io, std::string program)
    : io_(std::move(io)), program_(std::move(program)) {}

ChildProcess::~ChildProcess() {
  kill();
  if (pid_ > 0) ::waitpid(pid_, nullptr, WNOHANG);
}

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const asio::any_io_executor& executor,
                                                          const Command& command) {
  const std::string& program = command.arguments.front();
  if (::access(program.c_str(), X_OK) != 0) {
    return fail(ErrorCode::not_found, fmt::format("{}: {}", program, std::strerror(errno)));
  }
  int ends[2] = {-1, -1};
  const FileDescriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing || ::pipe2(ends, O_CLOEXEC) != 0)
    return fail(ErrorCode::unavailable, fmt::format("running {}: {}", program, std::strerror(errno)));
  FileDescriptor output(ends[0]);
  const FileDescriptor input(ends[1]);
  const auto arguments = pointers_to(command.arguments);
  const auto environment = pointers_to(command.environment);
  const pid_t agent = ::getpid(), pid = ::fork();
  if (pid == 0)
    watch_over(agent,
               [&] { become(arguments.data(), environment.data(), input.number(), nothing.number()); });
  if (pid < 0)
    return fail(ErrorCode::unavailable, fmt::format("running {}: {}", program, std::strerror(errno)));
  ::setpgid(pid, pid);
  std::unique_ptr<ChildProcess> child(
      new ChildProcess(std::make_shared<Io>(executor), std::filesystem::path(program).filename().string()));
  child->pid_ = pid;
  FileDescriptor ended(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!ended)
    return fail(ErrorCode::unavailable, fmt::format("watching {}: {}", program, std::strerror(errno)));
  child->io_->output.assign(output.release());
  child->io_->ended.assign(ended.release());
  child->io_->limit.expires_after(command.limit);
  child->io_->limit.async_wait(
      [io = std::weak_ptr<Io>(child->io_), made = child.get()](const boost::system::error_code& error) {
        if (error || io.expired()) return;
        made->late_ = true;
        made->kill();
      });
  return child;
}

void ChildProcess::kill() {
  if (pid_ <= 0) return;
  killed_ = true;
  ::kill(-pid_, SIGKILL);
}

void ChildProcess::take(std::string_view output) {
  output_bytes_ += output.size();
  last_output_ += output;
  if (last_output_.size() > kept_output_bytes) last_output_.erase(0, last_output_.size() - kept_output_bytes);
  if (output_bytes_ > max_output_bytes) kill();
}

asio::awaitable<Result<void>> ChildProcess::end() {
  std::array<char, 4096> buffer{};
  const auto room = asio::buffer(buffer);
  for (;;) {
    const auto [error, bytes] =
        co_await io_->output.async_read_some(room, asio::as_tuple(asio::use_awaitable));
    if (error) break;
    take(std::string_view(buffer.data(), bytes));
  }
  co_await io_->ended.async_wait(asio::posix::stream_descriptor::wait_read,
                                 asio::as_tuple(asio::use_awaitable));
  io_->limit.cancel();
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  co_return outcome(status);
}

Result<void> ChildProcess::outcome(int status) const {
  std::string_view lines = last_output_;
  if (output_bytes_ > kept_output_bytes) lines.remove_prefix(std::min(lines.find('\n'), lines.size()));
  const std::string said = printable_text(trimmed(lines), kept_output_bytes);
  const auto failed = [&](ErrorCode code, std::string_view what) {
    return fail(code, fmt::format("{} {}{}{}", program_, what, said.empty() ? "" : ": ", said));
  };
  if (late_) return failed(ErrorCode::timed_out, "took too long");
  if (output_bytes_ > max_output_bytes) return failed(ErrorCode::too_large, "says too much");
  if (WIFSIGNALED(status) || killed_) return failed(ErrorCode::unavailable, "was killed");
  if (WEXITSTATUS(status) == 0) return {};
  return failed(ErrorCode::invalid_argument, fmt::format("ended with {}", WEXITSTATUS(status)));
}

}  // namespace starling::agent
