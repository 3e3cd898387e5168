#include "install/child.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "base/file_descriptor.hpp"

namespace starling::install {
namespace {

constexpr std::size_t max_output_bytes = 8u << 20;
constexpr std::array overrides{"LC_ALL=C", "LANGUAGE=", "DEBIAN_FRONTEND=noninteractive",
                               "APT_LISTCHANGES_FRONTEND=none"};

std::vector<char*> environment() {
  std::vector<char*> all;
  for (char** one = environ; *one != nullptr; ++one) {
    bool replaced = false;
    for (const std::string_view other : overrides)
      replaced |= std::string_view(*one).starts_with(other.substr(0, other.find('=') + 1));
    if (!replaced) all.push_back(*one);
  }
  for (const char* one : overrides)
    all.push_back(const_cast<char*>(one));
  all.push_back(nullptr);
  return all;
}

std::string content_of(const FileDescriptor& file) {
  std::string content(static_cast<std::size_t>(std::max<off_t>(::lseek(file.number(), 0, SEEK_END), 0)),
                      '\0');
  content.resize(std::min(content.size(), max_output_bytes));
  const ssize_t size = ::pread(file.number(), content.data(), content.size(), 0);
  content.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return content;
}

class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

}  // namespace

Result<ChildEnd> run_child(const std::vector<std::string>& command, const std::filesystem::path& folder) {
  // In memory and not through a pipe: should this end first, the program still ends its work.
  const FileDescriptor output(::memfd_create("output", MFD_CLOEXEC));
  const FileDescriptor errors(::memfd_create("errors", MFD_CLOEXEC));
  if (!output || !errors) return fail(ErrorCode::io, fmt::format("memfd_create: {}", std::strerror(errno)));
  FileActions actions;
  ::posix_spawn_file_actions_addopen(actions.get(), STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions.get(), output.number(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(actions.get(), errors.number(), STDERR_FILENO);
  ::posix_spawn_file_actions_addchdir_np(actions.get(), folder.c_str());
  std::vector<char*> arguments;
  for (const std::string& argument : command)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int error =
      ::posix_spawnp(&child, arguments[0], actions.get(), nullptr, arguments.data(), environment().data());
  if (error != 0) {
    return fail(error == ENOENT ? ErrorCode::not_found : ErrorCode::io,
                fmt::format("{}: {}", command.front(), std::strerror(error)));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail(ErrorCode::io, fmt::format("waitpid: {}", std::strerror(errno)));
  }
  return ChildEnd{WIFEXITED(status) && WEXITSTATUS(status) == 0, content_of(output), content_of(errors)};
}

}  // namespace starling::install
