#include "keeper/agent_process.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "base/exit_status.hpp"

namespace starling::keeper {
namespace {

std::vector<std::string> environment_with(const std::string& socket) {
  constexpr std::string_view name = "STARLING_KEEPER=";
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with(name)) entries.emplace_back(*entry);
  }
  entries.push_back(std::string(name) + socket);
  return entries;
}

}  // namespace

AgentProcess::AgentProcess(const Clock& clock, const Log& log, const Spawner& spawner, StartCounter& counter,
                           std::vector<std::string> command, const std::string& socket)
    : clock_(clock), log_(log), spawner_(spawner), counter_(counter) {
  request_.executable = std::move(command.front());
  request_.arguments = {command.begin() + 1, command.end()};
  request_.environment = environment_with(socket);
  request_.folder = std::string(".");
}

void AgentProcess::start() {
  next_start_.reset();
  counter_.starting();
  started_ = clock_.steady();
  auto process = spawner_.spawn(request_, {.is_told_of_our_death = true});
  if (!process) {
    log_.error("the agent cannot be started", {{"error", std::strerror(process.error().error)}});
    counter_.ended(true);
    plan_start(Milliseconds(0));
    return;
  }
  process_ = std::move(*process);
  log_.info("agent started",
            {{"pid", process_->pid}, {"starts", static_cast<long>(counter_.counts().starts)}});
}

void AgentProcess::watch(Milliseconds within) {
  if (process_ && !ends_) watch_.expect(clock_.steady(), within);
}

void AgentProcess::pass_deadline() {
  const SteadyTime now = clock_.steady();
  if (!process_) {
    if (next_start_ && now >= *next_start_) start();
  } else if (const std::optional<int> number = watch_.due(now)) {
    log_.error("the agent hangs and is ended", {{"pid", process_->pid}, {"signal", *number}});
    signal(*number);
  }
}

void AgentProcess::signal(int number) const {
  if (process_) ::kill(process_->pid, number);
}

std::optional<int> AgentProcess::collect() {
  int status = 0;
  if (!process_ || ::waitpid(process_->pid, &status, WNOHANG) != process_->pid) return std::nullopt;
  const std::optional<ExecOutcome> exec = exec_outcome(process_->exec_report);
  process_.reset();
  watch_ = {};
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  counter_.ended(code != 0 && !ends_);
  if (exec && exec->failure) {
    log_.error("the agent cannot be executed",
               {{"program", request_.executable}, {"error", std::strerror(exec->failure->error)}});
  } else if (WIFSIGNALED(status)) {
    log_.warning("agent killed", {{"signal", WTERMSIG(status)}});
  } else {
    log_.info("agent ended", {{"status", code}});
    if (code == exit_usage || code == exit_configuration) return code;
  }
  if (!ends_) plan_start(std::chrono::floor<Milliseconds>(clock_.steady() - started_));
  return std::nullopt;
}

void AgentProcess::plan_start(Milliseconds life) {
  const Milliseconds delay = backoff_.after_life_of(life);
  next_start_ = clock_.steady() + delay;
  log_.info("agent starts again", {{"in_ms", static_cast<long>(delay.count())}});
}

}  // namespace starling::keeper
