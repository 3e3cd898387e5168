#include "agent/update/environment_maker.hpp"

#include <utility>

namespace starling::agent {
namespace {

constexpr const char* system_python = "/usr/bin/python3";

std::vector<Command> commands_for(const std::filesystem::path& state, const EnvironmentWish& wish) {
  const std::string folder = (state / wish.folder).string();
  const std::vector<std::string> environment{
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      "HOME=/nonexistent",
      "LANG=C.UTF-8",
      "PIP_CONFIG_FILE=/dev/null",
      "PIP_DISABLE_PIP_VERSION_CHECK=1",
      "PIP_NO_INPUT=1",
      "PIP_ROOT_USER_ACTION=ignore"};
  // A Pi Zero takes minutes to compile what a large wheel holds.
  constexpr std::chrono::minutes patience{20};
  return {{{system_python, "-I", "-m", "venv", folder}, environment, patience},
          {{folder + "/bin/python", "-I", "-m", "pip", "install", "--no-index", "--find-links",
            (state / wish.wheels).string(), "--only-binary", ":all:", "--no-cache-dir", "--progress-bar",
            "off", "--no-warn-script-location", "-r", (state / wish.requirements).string()},
           environment,
           patience},
          {{"/bin/sync", "-f", folder}, environment, patience}};
}

// Whichever way its coroutine ends, stop() kills no child that is gone.
class Running {
 public:
  Running(ChildProcess*& place, ChildProcess* child) : place_(place), child_(child) { place_ = child_; }
  ~Running() {
    if (place_ == child_) place_ = nullptr;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  ChildProcess*& place_;
  ChildProcess* child_;
};

}  // namespace

asio::awaitable<Result<void>> EnvironmentMaker::make(EnvironmentWish wish) {
  const std::vector<Command> commands = commands_for(state_, wish);
  for (const Command& command : commands) {
    const auto child = ChildProcess::start(executor_, command);
    if (!child && command.arguments.front() == system_python && child.error().code == ErrorCode::not_found) {
      co_return fail(ErrorCode::invalid_argument,
                     "the release brings Python packages: install python3-venv on the device");
    }
    if (!child) co_return fail(child);
    const Running running(running_, child->get());
    const Result<void> ended = co_await (*child)->end();
    if (!ended) co_return ended;
  }
  co_return Result<void>();
}

void EnvironmentMaker::stop() {
  if (running_ != nullptr) running_->kill();
}

}  // namespace starling::agent
