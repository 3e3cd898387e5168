#include "install/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "base/file_descriptor.hpp"

namespace starling::install {
namespace {

constexpr std::array fixed{"LC_ALL=C", "LANGUAGE=", "DEBIAN_FRONTEND=noninteractive",
                           "APT_LISTCHANGES_FRONTEND=none"};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts)
    pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> environment_with(std::vector<std::string> all) {
  all.insert(all.end(), fixed.begin(), fixed.end());
  const auto ours = all.size();
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view text(*one);
    const std::string_view name = text.substr(0, text.find('=') + 1);
    const auto end = all.begin() + static_cast<std::ptrdiff_t>(ours);
    if (std::none_of(all.begin(), end, [&](const std::string& own) { return own.starts_with(name); }))
      all.emplace_back(text);
  }
  return all;
}

// In memory and not a pipe: should this end first, the program still ends its work. A script may open it
// anew, as /dev/stderr, and begin it again: nothing about it is fixed.
Result<FileDescriptor> open_output() {
  FileDescriptor file(::memfd_create("output", MFD_CLOEXEC));
  if (!file) return fail(ErrorCode::io, fmt::format("memfd_create: {}", std::strerror(errno)));
  return file;
}

std::size_t size_of(const FileDescriptor& file) {
  struct stat status {};
  return ::fstat(file.number(), &status) == 0 ? static_cast<std::size_t>(status.st_size) : 0;
}

std::string content_of(const FileDescriptor& file) {
  std::string content(std::min(size_of(file), max_output_bytes), '\0');
  const ssize_t size = ::pread(file.number(), content.data(), content.size(), 0);
  content.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return content;
}

class Spawning {
 public:
  Spawning(const FileDescriptor& output, const FileDescriptor& errors, const std::filesystem::path& folder) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output.number(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, errors.number(), STDERR_FILENO);
    ::posix_spawn_file_actions_addchdir_np(&actions_, folder.c_str());
    ::posix_spawnattr_init(&attributes_);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETPGROUP);
  }
  ~Spawning() {
    ::posix_spawnattr_destroy(&attributes_);
    ::posix_spawn_file_actions_destroy(&actions_);
  }
  Spawning(const Spawning&) = delete;
  Spawning& operator=(const Spawning&) = delete;

  Result<pid_t> spawn(const Command& command) {
    const auto environment = environment_with(command.environment);
    const auto arguments = pointers_to(command.words);
    pid_t child = 0;
    const int error = ::posix_spawnp(&child, arguments[0], &actions_, &attributes_, arguments.data(),
                                     pointers_to(environment).data());
    if (error == 0) return child;
    return fail(error == ENOENT ? ErrorCode::not_found : ErrorCode::io,
                fmt::format("{}: {}", command.words.front(), std::strerror(error)));
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// Why it has been killed; empty: it ended by itself.
std::string killed_for(pid_t child, Milliseconds limit, const FileDescriptor& output,
                       const FileDescriptor& errors) {
  constexpr std::int64_t between_looks = 100;  // in which a flood does not fill the memory
  const SystemClock clock;
  const SteadyTime until = clock.steady() + limit;
  const FileDescriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!handle) return {};  // an old kernel's: there is no limit
  pollfd end{handle.number(), POLLIN, 0};
  while (true) {
    const std::int64_t left = std::chrono::ceil<Milliseconds>(until - clock.steady()).count();
    if (::poll(&end, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, between_looks))) > 0) return {};
    const bool floods = size_of(output) > flood_bytes || size_of(errors) > flood_bytes;
    if (left > 0 && !floods) continue;
    ::kill(-child, SIGKILL);
    return floods ? fmt::format("it said more than {} MiB", flood_bytes >> 20)
                  : fmt::format("it took more than {} s", std::chrono::floor<Seconds>(limit).count());
  }
}

}  // namespace

Result<ChildEnd> run_child(const Command& command) {
  const auto output = open_output();
  if (!output) return fail(output);
  const auto errors = open_output();
  if (!errors) return fail(errors);
  const auto child = Spawning(*output, *errors, command.folder).spawn(command);
  if (!child) return fail(child);
  const std::string why_killed = killed_for(*child, command.limit, *output, *errors);
  int status = 0;
  while (::waitpid(*child, &status, 0) < 0) {
    if (errno != EINTR) return fail(ErrorCode::io, fmt::format("waitpid: {}", std::strerror(errno)));
  }
  if (!why_killed.empty())
    return fail(ErrorCode::timed_out, fmt::format("{} was killed: {}", command.words.front(), why_killed));
  return ChildEnd{WIFEXITED(status) && WEXITSTATUS(status) == 0, content_of(*output), content_of(*errors)};
}

}  // namespace starling::install
