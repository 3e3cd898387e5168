// What the keeper says of the modules' processes: part of SupervisorCore.
#include <algorithm>
#include <csignal>
#include <utility>

#include "agent/supervisor/keeper/spawn_plan.hpp"
#include "agent/supervisor/supervisor_core.hpp"

namespace starling::agent {

void SupervisorCore::attached(std::span<const KeptChild> children) {
  const Turn turn(*this);
  const bool reconnected = !std::exchange(attached_, true);
  health_check_at_.reset();
  if (!std::exchange(begun_, true)) {
    begin(children);
  } else {
    compare(children, reconnected);
  }
}

void SupervisorCore::begin(std::span<const KeptChild> children) {
  put_in_order();
  SessionRecovery::Enabled enabled;
  for (const auto& [name, module] : modules_)
    enabled[name] = module->enabled();
  SessionRecovery::Names living;
  for (const KeptChild& child : children)
    if (const auto name = parse_child_id(child.id); name && !child.exit) living.emplace(name->module);
  const StartPlan plan = recovery_.plan(enabled, living);
  for (const auto& [name, entry] : plan.modules) {
    SupervisedModule& module = *find(name);
    if (entry.wanted) {
      module.begin(entry.cause, entry.provisional || unproved_.contains(name));
    } else if (entry.finished) {
      module.begin_down(Cause::finished);
    } else if (module.enabled()) {
      module.begin_down(Cause::stopped);
    }
  }
  take_over(children, plan);
  sweep_leftovers();
  files_behind_ = true;  // the last agent may have ended between what was decided and its mirror
}

void SupervisorCore::take_over(std::span<const KeptChild> children, const StartPlan& plan) {
  std::map<std::string_view, std::uint64_t> newest;
  for (const KeptChild& child : children) {
    const auto name = parse_child_id(child.id);
    if (name) newest[name->module] = std::max(newest[name->module], name->run);
  }
  for (const KeptChild& child : children) {
    const auto name = parse_child_id(child.id);
    SupervisedModule* module = name ? find(name->module) : nullptr;
    if (module != nullptr) module->skip_to(name->run);
    if (!name || name->run != newest[name->module]) {
      end_run(child);
    } else if (module == nullptr) {
      end_gone(child, *name);
    } else if (child.exit && !plan.modules.find(name->module)->second.wanted) {
      module->sweep();
      ports_.keeper.forget(child.id);
    } else {
      module->adopt(child, name->run, recovery_.outlived(name->module, name->run));
      exited_meanwhile(*module, name->run, child);
    }
  }
}

// What outlived an agent and its keeper, of modules that run no more, too: a keeper that is new knows none of
// it.
void SupervisorCore::sweep_leftovers() {
  for (const std::string& name : ports_.trees.left_over()) {
    if (find(name) == nullptr) add_gone(name);
    find(name)->sweep();
  }
}

void SupervisorCore::exited_meanwhile(SupervisedModule& module, std::uint64_t run, const KeptChild& child) {
  if (!child.exit) return;
  for (const NotifyMessage& message : child.last_words)
    module.notified(run, message);
  exited(child.id, *child.exit);
}

// One that nobody waits for. Its module may have a newer one, and the tree is that one's.
void SupervisorCore::end_run(const KeptChild& child) {
  if (child.exit) return ports_.keeper.forget(child.id);
  log_.warning("ending a process that no module answers for", {{"child", child.id}, {"pid", child.pid}});
  ports_.keeper.signal(child.id, SIGKILL, SignalScope::main);  // it may have left the group
  ports_.keeper.signal(child.id, SIGKILL, SignalScope::group);
}

// One whose module has no folder any more: there is a module until its whole tree has ended.
void SupervisorCore::end_gone(const KeptChild& child, const RunName& name) {
  log_.warning("ending a process whose module is gone", {{"child", child.id}, {"pid", child.pid}});
  SupervisedModule& gone = add_gone(std::string(name.module));
  if (child.exit) {
    gone.sweep();
    ports_.keeper.forget(child.id);
  } else {
    gone.adopt(child, name.run, {});
  }
}

SupervisedModule& SupervisorCore::add_gone(const std::string& module) {
  auto gone =
      std::make_unique<SupervisedModule>(module, fail(ErrorCode::not_found, "its folder is gone"), false,
                                         static_cast<ModuleHost&>(*this), SeededRandom(random_()));
  gone->retire();
  SupervisedModule& added = *gone;
  modules_[module] = std::move(gone);
  leaving_.insert(module);
  put_in_order();
  return added;
}

void SupervisorCore::compare(std::span<const KeptChild> children, bool reconnected) {
  std::set<std::string_view> known;
  for (const KeptChild& child : children) {
    const auto name = parse_child_id(child.id);
    SupervisedModule* module = name ? find(name->module) : nullptr;
    if (name && module == nullptr) {
      end_gone(child, *name);
    } else if (!name || !module->is_present(name->run)) {
      end_run(child);
      continue;
    } else {
      module->spawned(name->run, child.pid, child.start_time);
      if (reconnected) module->keeper_came_back();
      exited_meanwhile(*module, name->run, child);
    }
    known.insert(name->module);
  }
  for (const auto& [name, module] : modules_) {
    const bool unanswered = module->pid() == 0 && !reconnected;  // its spawn may be on its way
    if (module->has_process() && !unanswered && !known.contains(name)) module->vanished();
  }
}

void SupervisorCore::spawned(const KeptChild& child) {
  const Turn turn(*this);
  const auto name = parse_child_id(child.id);
  SupervisedModule* module = name ? find(name->module) : nullptr;
  if (name && module == nullptr) return end_gone(child, *name);
  if (!name || !module->is_present(name->run)) return end_run(child);
  module->spawned(name->run, child.pid, child.start_time);
}

void SupervisorCore::spawn_failed(const SpawnFailure& failure) {
  const Turn turn(*this);
  std::uint64_t run = 0;
  if (SupervisedModule* module = find_run(failure.id, run)) module->spawn_failed(run, failure);
}

void SupervisorCore::exited(std::string_view id, const ChildExit& exit) {
  const Turn turn(*this);
  std::uint64_t run = 0;
  if (SupervisedModule* module = find_run(id, run)) module->exited(run, exit);
  if (!is_present(id)) ports_.keeper.forget(id);
}

void SupervisorCore::main_taken(std::string_view id, std::int32_t pid, std::uint64_t start_time) {
  const Turn turn(*this);
  std::uint64_t run = 0;
  SupervisedModule* module = find_run(id, run);
  if (module == nullptr) return;
  log_.info("another process is the module's main one", {{"module", module->name()}, {"pid", pid}});
  module->main_taken(run, pid, start_time);
  changed_ = files_behind_ = true;
}

void SupervisorCore::main_refused(std::string_view id, std::int32_t pid, int error) {
  const Turn turn(*this);
  if (!is_present(id)) return;
  std::uint64_t run = 0;
  find_run(id, run)->main_refused(run, pid, error);
  if (!is_present(id)) ports_.keeper.forget(id);  // it had ended
}

}  // namespace starling::agent
