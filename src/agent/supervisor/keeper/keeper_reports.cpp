#include "agent/supervisor/keeper/keeper_reports.hpp"

namespace starling::agent {
namespace {

SpawnStep step_of(keeper::SpawnStep step) {
  using Step = keeper::SpawnStep;
  switch (step) {
    case Step::request:
    case Step::id:
    case Step::children: return SpawnStep::request;
    case Step::descriptors:
    case Step::notify: return SpawnStep::descriptors;
    case Step::fork:
    case Step::session: return SpawnStep::fork;
    case Step::cgroup: return SpawnStep::cgroup;
    case Step::oom_score:
    case Step::nice:
    case Step::limits: return SpawnStep::limits;
    case Step::groups:
    case Step::uid: return SpawnStep::credentials;
    case Step::cwd: return SpawnStep::working_folder;
    case Step::exec: return SpawnStep::exec;
  }
  return SpawnStep::request;
}

ChildExit::Kind kind_of(const keeper::Exit& exit) {
  constexpr int nobody_told = 0;
  switch (exit.kind) {
    case keeper::ExitKind::exited: return ChildExit::Kind::exited;
    case keeper::ExitKind::killed:
      return exit.status == nobody_told ? ChildExit::Kind::unknown : ChildExit::Kind::killed;
    case keeper::ExitKind::dumped: return ChildExit::Kind::dumped;
  }
  return ChildExit::Kind::unknown;
}

}  // namespace

keeper::SpawnRequest to_keeper(SpawnRequest request) {
  keeper::SpawnRequest result{.id = std::move(request.id),
                              .executable = std::move(request.exec),
                              .arguments = std::move(request.args),
                              .folder = std::move(request.working_folder),
                              .nice = request.nice,
                              .limit_nofile = request.limit_files,
                              .limit_core_bytes = request.limit_core_bytes,
                              .limit_as_bytes = request.limit_address_space_bytes,
                              .umask = request.umask,
                              .cgroup = std::move(request.cgroup),
                              .notify = request.notify,
                              .mark = std::move(request.mark)};
  for (auto& [name, value] : request.environment)
    result.environment.push_back(name + "=" + value);
  if (request.credentials) {
    result.uid = request.credentials->uid;
    result.gid = request.credentials->gid;
    result.groups = std::move(request.credentials->groups);
  }
  return result;
}

keeper::SignalScope to_keeper(SignalScope scope) {
  return scope == SignalScope::main ? keeper::SignalScope::main : keeper::SignalScope::group;
}

ChildExit from_keeper(const keeper::Exit& exit) {
  return {.kind = kind_of(exit),
          .status = exit.status,
          .at = SteadyTime(exit.at),
          .user_time = exit.user,
          .system_time = exit.system,
          .largest_resident_kb = exit.max_rss_kb};
}

KeptChild from_keeper(keeper::HeldChild child, std::vector<FileDescriptor> descriptors) {
  KeptChild kept{.id = std::move(child.id),
                 .pid = child.pid,
                 .start_time = child.start,
                 .leader_pid = child.leader != 0 ? child.leader : child.pid,
                 .leader_start_time = child.leader != 0 ? child.leader_start : child.start,
                 .in_cgroup = child.in_cgroup,
                 .exit = {},
                 .streams = {},
                 .last_words = {},
                 .mark = std::move(child.mark)};
  if (child.exit) kept.exit = from_keeper(*child.exit);
  for (std::size_t i = 0; i < descriptors.size() && i < child.handles.size(); ++i) {
    switch (child.handles[i]) {
      case keeper::Handle::out: kept.streams.out = std::move(descriptors[i]); break;
      case keeper::Handle::err: kept.streams.err = std::move(descriptors[i]); break;
      case keeper::Handle::notify: kept.streams.notify = std::move(descriptors[i]); break;
    }
  }
  return kept;
}

SpawnFailure from_keeper(keeper::SpawnFailed failed) {
  return {.id = std::move(failed.id), .step = step_of(failed.step), .error = failed.error};
}

KeeperGreeting from_keeper(const keeper::Welcome& welcome) {
  return {.version = static_cast<int>(welcome.version),
          .pid = welcome.keeper_pid,
          .starts = welcome.starts,
          .crashes = welcome.crashes,
          .unrecorded = welcome.unrecorded};
}

}  // namespace starling::agent
