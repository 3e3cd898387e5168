#include "keeper/children.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace starling::keeper {
namespace {

constexpr std::size_t descriptors_of_a_child =
    5;  // two pipes, notify, pidfd and, while it starts, the report; then the main process', if it is another
constexpr std::size_t descriptors_of_the_keeper = 32;  // also to start the agent, whatever the children use

std::size_t children_for_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto available = static_cast<std::size_t>(std::min<rlim_t>(limit.rlim_cur, 1u << 20));
  return (available - std::min(available, descriptors_of_the_keeper)) / descriptors_of_a_child;
}

}  // namespace

Children::Children(const Clock& clock, Poller& poller, const Spawner& spawner, std::string notify_folder,
                   Listener& listener)
    : clock_(clock),
      poller_(poller),
      spawner_(spawner),
      notify_folder_(std::move(notify_folder)),
      listener_(listener),
      nothing_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}

std::optional<SpawnError> Children::refusal(const SpawnRequest& request) const {
  if (children_.contains(request.id)) return SpawnError{SpawnStep::id, EEXIST};
  if (children_.size() >= max_children) return SpawnError{SpawnStep::children, ENOSPC};
  if (children_.size() >= children_for_descriptors()) return SpawnError{SpawnStep::descriptors, EMFILE};
  return std::nullopt;
}

void Children::spawn(const SpawnRequest& request) {
  if (const std::optional<SpawnError> refused = refusal(request)) {
    return listener_.spawn_failed(request.id, *refused);
  }
  auto child = Child::start(spawner_, request, nothing_, notify_folder_);
  if (!child) return listener_.spawn_failed(request.id, child.error());
  if (const int error = poller_.watch(child->exec_report(), *this); error != 0) {
    child->signal(SIGKILL, SignalScope::main);  // reaped as an orphan
    return listener_.spawn_failed(request.id, {SpawnStep::descriptors, error});
  }
  children_.emplace(request.id, std::move(*child));
}

const Child* Children::find(std::string_view id) const {
  const auto found = children_.find(id);
  return found == children_.end() ? nullptr : &found->second;
}

bool Children::holds(pid_t pid) const {
  return std::ranges::any_of(children_, [pid](const auto& entry) { return entry.second.holds(pid); });
}

int Children::name_main(const NameMain& request) {
  const auto found = children_.find(request.id);
  if (found == children_.end()) return ESRCH;
  Child& child = found->second;
  auto main = child.find_main(spawner_, request.pid, request.start);
  if (!main) return main.error();
  if (const int error = *main ? poller_.watch((*main)->pidfd, *this) : 0; error != 0) return error;
  child.replace_main(std::move(*main));  // the former one's descriptor is closed, and watched no more
  return 0;
}

void Children::forget(const std::string& id) {
  const auto found = children_.find(id);
  found->second.reap();
  children_.erase(found);
}

void Children::ready(std::uint32_t) {
  settle();
  for (auto& [id, child] : children_)
    if (child.has_other_main()) tell_end(child);
}

void Children::settle() {
  for (auto at = children_.begin(); at != children_.end();)
    at = settle(at);
}

Children::Table::iterator Children::settle(Table::iterator at) {
  Child& child = at->second;
  if (child.state() != ChildState::starting) return std::next(at);
  const std::optional<ExecOutcome> outcome = exec_outcome(child.exec_report());
  if (!outcome) return std::next(at);
  poller_.ignore(child.exec_report());
  if (!outcome->failure) {
    child.runs();
    listener_.spawned(child);
    return std::next(at);
  }
  const std::string id = child.id();
  const auto next = children_.erase(at);  // its process ends by itself, and is reaped as an orphan
  listener_.spawn_failed(id, *outcome->failure);
  return next;
}

void Children::collect() {
  settle();  // a child that has ended has run, or has said why not
  for (auto& [id, child] : children_)
    tell_end(child);
}

void Children::tell_end(Child& child) {
  if (child.state() != ChildState::running) return;
  if (child.has_exited(clock_.steady().time_since_epoch())) listener_.exited(child);
}

}  // namespace starling::keeper
