#include "e2e/process.hpp"
#include "base/build_folders.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace starling::e2e {
namespace {

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void become(const char* program, char* const* arguments, char* const* environment, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a test that dies leaves no orphan
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::execve(program, arguments, environment);
  constexpr std::string_view message = "could not be executed\n";
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, message.data(), message.size());
  ::_exit(127);
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& added) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!added.contains(std::string(text.substr(0, text.find('='))))) entries.emplace_back(text);
  }
  for (const auto& [name, value] : added)
    entries.push_back(name + "=" + value);
  return entries;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (auto& text : texts)
    result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

}  // namespace

void eventually(std::string_view what, const std::function<bool()>& condition, std::chrono::seconds limit) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error("waited in vain: " + std::string(what));
    }
    ::poll(nullptr, 0, 5);
  }
}

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const std::filesystem::path& path, std::string_view text, unsigned mode) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
  file << text;
  if (!file.flush()) throw std::runtime_error("writing " + path.string());
}

Process::Process(Options options) : options_(std::move(options)) {
  if (!options_.program.has_parent_path()) options_.program = programs_folder() / options_.program;
  std::vector<std::string> arguments = options_.arguments;
  arguments.insert(arguments.begin(), options_.program.filename().string());
  std::vector<std::string> environment = merged_environment(options_.environment);
  const std::vector<char*> argument_pointers = pointers(arguments);
  const std::vector<char*> environment_pointers = pointers(environment);

  const int output = ::open(options_.output.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (output < 0) throw std::system_error(errno, std::generic_category(), options_.output.string());
  pid_ = ::fork();
  if (pid_ == 0) {
    become(options_.program.c_str(), argument_pointers.data(), environment_pointers.data(), output);
  }
  const int error = errno;
  ::close(output);
  if (pid_ < 0) throw std::system_error(error, std::generic_category(), "fork");
}

Process::Process(Process&& other) noexcept
    : options_(std::move(other.options_)), pid_(std::exchange(other.pid_, -1)), status_(other.status_) {}

Process::~Process() {
  if (pid_ < 0 || status_) return;
  ::kill(pid_, SIGKILL);
  reap(true);
}

bool Process::reap(bool block) {
  if (status_) return true;
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(pid_, &status, block ? 0 : WNOHANG);
  } while (ended < 0 && errno == EINTR);
  if (ended != pid_) return false;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}

bool Process::running() {
  return !reap(false);
}

void Process::signal(int number) {
  if (running()) ::kill(pid_, number);
}

int Process::wait() {
  try {
    eventually("the end of " + options_.program.string(), [this] { return !running(); });
  } catch (const std::runtime_error& error) {
    throw std::runtime_error(error.what() + ("\n" + output()));
  }
  return *status_;
}

Finished run(Process::Options options) {
  Process process(std::move(options));
  const int status = process.wait();
  return {status, process.output()};
}

}  // namespace starling::e2e
