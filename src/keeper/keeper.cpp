#include "keeper/keeper.hpp"

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "keeper/process_table.hpp"

namespace starling::keeper {
namespace {

using Phase = Shutdown::Phase;

std::unexpected<Error> failed(const std::string& doing) {
  return fail(ErrorCode::io, doing + ": " + std::strerror(errno));
}

Result<FileDescriptor> take_signals() {
  ::signal(SIGPIPE, SIG_IGN);  // a log that nobody reads is no reason to end
  sigset_t taken;
  ::sigemptyset(&taken);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD})
    ::sigaddset(&taken, number);
  ::sigprocmask(SIG_SETMASK, &taken, nullptr);
  FileDescriptor signals(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return failed("signalfd");
  return signals;
}

}  // namespace

Result<std::unique_ptr<Keeper>> Keeper::open(const Clock& clock, const Log& log, CommandLine line) {
  Result<StateFolder> state = StateFolder::take(line.state);
  if (!state) return fail(state);
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0) return failed("becoming the subreaper");
  Result<FileDescriptor> signals = take_signals();
  if (!signals) return fail(signals);

  std::unique_ptr<Keeper> keeper(
      new Keeper(clock, log, std::move(line), std::move(*state), std::move(*signals)));
  auto link = AgentLink::listen(keeper->state_.socket(), keeper->poller_, *keeper, log);
  if (!link) return fail(link);
  keeper->link_ = std::move(*link);
  if (keeper->poller_.watch(keeper->signals_, *keeper) != 0) return failed("watching signals");
  return keeper;
}

Keeper::Keeper(const Clock& clock, const Log& log, CommandLine line, StateFolder state,
               FileDescriptor signals)
    : clock_(clock),
      log_(log),
      state_(std::move(state)),
      signals_(std::move(signals)),
      spawner_(line.features),
      counter_(state_.counts(), log),
      children_(clock, poller_, spawner_, state_.notify(), *this),
      orphans_(clock, [this](pid_t pid) { return pid == agent_.pid() || children_.holds(pid); }),
      agent_(clock, log, spawner_, counter_, std::move(line.agent), state_.socket()) {}

int Keeper::run() {
  agent_.start();
  while (shutdown_.phase() != Phase::over) {
    poller_.wait(until_deadline());
    pass_deadlines();
  }
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }  // no zombie is left to somebody else
  return shutdown_.exit_status();
}

// --- from the agent

// Sends the report with the child's descriptors.
template <typename ReportOfChild>
void Keeper::hand_over(ReportOfChild report, const Child& child) {
  std::vector<int> descriptors;
  for (const Child::Handed& handed : child.handed()) {
    report.child.handles.push_back(handed.handle);
    descriptors.push_back(handed.descriptor);
  }
  link_->send(std::move(report), std::move(descriptors));
}

void Keeper::attached() {
  agent_.watch(Milliseconds(0));  // until it asks for it: it may be older
  const StartCounts& counts = counter_.counts();
  link_->send(Welcome{.keeper_pid = ::getpid(),
                      .starts = counts.starts,
                      .crashes = counts.crashes,
                      .unrecorded = counts.unrecorded});
  for (const auto& [id, child] : children_.all())
    hand_over(ChildListed{child.held()}, child);
  link_->send(Listed{});
  if (shutdown_.phase() == Phase::agent_stops) link_->send(Stop{});
}

void Keeper::detached() {
  // It may be about to end, or may have lost its way: then it has not heard that it is to stop.
  if (shutdown_.phase() == Phase::agent_stops) agent_.signal(SIGTERM);
}

void Keeper::list() {
  for (const auto& [id, child] : children_.all())
    link_->send(ChildListed{child.held()});
  link_->send(Listed{});
}

void Keeper::requested(const Request& request) {
  if (const auto* spawn = std::get_if<SpawnRequest>(&request)) {
    children_.spawn(*spawn);
  } else if (const auto* bad = std::get_if<BadSpawn>(&request)) {
    link_->send(Problem{"spawn: " + bad->message});
    link_->send(SpawnFailed{bad->id, SpawnStep::request, EINVAL});
  } else if (const auto* wanted = std::get_if<SignalRequest>(&request)) {
    signal(*wanted);
  } else if (const auto* named = std::get_if<NameMain>(&request)) {
    name_main(*named);
  } else if (const auto* forgotten = std::get_if<Forget>(&request)) {
    forget(forgotten->id);
  } else if (std::holds_alternative<Healthy>(request)) {
    counter_.healthy();
  } else if (const auto* stopping = std::get_if<Stopping>(&request)) {
    const auto within = std::min<std::uint64_t>(stopping->within_ms, Shutdown::longest_extension.count());
    shutdown_.extend(clock_.steady(), Milliseconds(within));
  } else if (const auto* watch = std::get_if<Watch>(&request)) {
    agent_.watch(Milliseconds(std::min<std::uint64_t>(watch->within_ms, AgentWatch::longest.count())));
  } else if (std::holds_alternative<List>(request)) {
    list();
  } else if (const auto* unknown = std::get_if<UnknownVerb>(&request)) {
    link_->send(Unsupported{unknown->verb});
  }
}

void Keeper::signal(const SignalRequest& request) {
  const Child* child = children_.find(request.id);
  const int error = child == nullptr ? ESRCH : child->signal(request.number, request.scope);
  if (error != 0) link_->send(SignalFailed{request.id, error});
}

void Keeper::name_main(const NameMain& request) {
  if (const int error = children_.name_main(request); error != 0) {
    link_->send(MainRefused{request.id, request.pid, error});
  } else {
    link_->send(MainTaken{request.id, request.pid, request.start});
  }
}

void Keeper::forget(const std::string& id) {
  const Child* child = children_.find(id);
  if (child == nullptr) return;  // twice forgotten is forgotten
  if (child->state() != ChildState::exited) {
    return link_->send(Problem{"forget: " + id + " runs; only an exited child can be forgotten"});
  }
  children_.forget(id);
}

// --- from the children

void Keeper::spawned(const Child& child) {
  hand_over(Spawned{child.held()}, child);
}

void Keeper::spawn_failed(const std::string& id, SpawnError error) {
  link_->send(SpawnFailed{id, error.step, error.error});
}

void Keeper::exited(const Child& child) {
  link_->send(Exited{child.id(), child.pid(), *child.exit()});
}

// --- events

void Keeper::ready(std::uint32_t) {
  signalfd_siginfo info{};
  while (::read(signals_.number(), &info, sizeof(info)) == sizeof(info)) {
    if (info.ssi_signo == SIGCHLD) {
      collect();
    } else if (!shutdown_.has_begun()) {
      log_.info("stopping");
      stop(0);
    } else {
      enter(Phase::all_killed);
    }
  }
}

void Keeper::collect() {
  children_.collect();
  if (const std::optional<int> exit_status = agent_.collect(); exit_status && !shutdown_.has_begun()) {
    log_.error("the agent cannot work as it was started; see what it said above");
    stop(*exit_status);
  }
  orphans_.reap();
  follow_shutdown();
}

void Keeper::pass_deadlines() {
  const SteadyTime now = clock_.steady();
  if (!shutdown_.has_begun()) agent_.pass_deadline();
  if (orphans_.next_sweep() && now >= *orphans_.next_sweep()) orphans_.sweep();
  if (shutdown_.deadline() && now >= *shutdown_.deadline()) enter(shutdown_.next());
}

std::optional<Milliseconds> Keeper::until_deadline() const {
  std::optional<SteadyTime> first;
  const auto of_agent = shutdown_.has_begun() ? std::nullopt : agent_.next_deadline();
  for (const std::optional<SteadyTime>& deadline : {of_agent, orphans_.next_sweep(), shutdown_.deadline()}) {
    if (deadline && (!first || *deadline < *first)) first = deadline;
  }
  if (!first) return std::nullopt;
  return std::chrono::ceil<Milliseconds>(*first - clock_.steady());
}

// --- the end

void Keeper::stop(int exit_status) {
  shutdown_.begin(exit_status);
  agent_.let_end();
  enter(agent_.runs() ? Phase::agent_stops : Phase::children_stop);
}

void Keeper::enter(Phase phase) {
  shutdown_.enter(phase, clock_.steady());
  switch (phase) {
    case Phase::none: break;
    case Phase::agent_stops: stop_agent(); break;
    case Phase::children_stop:
      if (agent_.runs()) log_.error("the agent has not stopped in time and is killed");
      agent_.signal(SIGKILL);
      end_children(SIGTERM);
      break;
    case Phase::all_killed:
      agent_.signal(SIGKILL);
      end_children(SIGKILL);
      break;
    case Phase::over: log_.error("some processes cannot be killed and are left"); break;
  }
  follow_shutdown();
}

void Keeper::stop_agent() {
  // An attached agent is not sent SIGTERM: by itself that means to end and leave the modules running.
  if (link_->is_attached()) {
    link_->send(Stop{});
  } else {
    agent_.signal(SIGTERM);
  }
}

void Keeper::end_children(int number) {
  for (const auto& [id, child] : children_.all()) {
    for (const int each : {number, SIGCONT}) {
      child.signal(each, SignalScope::group);
      if (child.has_other_main()) child.signal(each, SignalScope::main);  // its parent may live
    }
  }
  for (const OwnChild& child : own_children()) {
    if (!child.alive || child.pid == agent_.pid()) continue;
    ::kill(child.pid, number);
    ::kill(child.pid, SIGCONT);
  }
}

void Keeper::follow_shutdown() {
  switch (shutdown_.phase()) {
    case Phase::none:
    case Phase::over: return;
    case Phase::agent_stops:
      if (!agent_.runs()) enter(Phase::children_stop);
      return;
    case Phase::all_killed: end_children(SIGKILL); [[fallthrough]];  // orphans have come since
    case Phase::children_stop: {
      const std::vector<OwnChild> left = own_children();
      if (std::ranges::none_of(left, &OwnChild::alive)) shutdown_.finish();
      return;
    }
  }
}

}  // namespace starling::keeper
