#include "agent/supervisor/module_status.hpp"

#include "agent/supervisor/supervised_module.hpp"

namespace starling::agent {
namespace {

std::string why_not_running(const ModuleStatus& module) {
  if (!module.manifest_problem.empty()) return module.manifest_problem;
  if (is_failed(module.state)) return std::string(to_string(module.state)) + ": " + module.detail;
  if (module.state == ModuleState::stopping) return "stopping";
  if (!module.quarantine.empty()) return "it could not be enabled: " + module.quarantine;
  if (module.finished) return "its work is done";
  return module.enabled ? "stopped" : "disabled";
}

}  // namespace

std::string why_not_connected(const ModuleStatus& module) {
  if (module.state == ModuleState::starting) return "is starting: ask it when it is ready";
  if (is_ready(module.state))
    return "runs, but is not connected to the module socket: it takes no actions until it says hello there";
  const std::string not_running = "is not running ";
  if (!module.waits_for.empty()) return not_running + "(it " + module.waits_for + ")";
  const std::string why = not_running + "(" + why_not_running(module) + ")";
  if (module.next_retry) return why + ", and is tried again by itself";
  const bool broken =
      !module.manifest_problem.empty() || !module.quarantine.empty() || is_failed(module.state);
  return why + (broken ? ": once that is mended" : ":") + " 'module start " + module.name + "' starts it";
}

ModuleStatus SupervisedModule::status() const {
  ModuleStatus status;
  status.name = name_;
  status.enabled = enabled_;
  status.settled = settled();
  status.provisional = trial_.has_value();
  status.wanted = wanted_;
  status.finished = finished_;
  status.quarantine = quarantine_;
  status.state = state_;
  status.since = since_;
  status.cause = cause_;
  status.detail = detail_;
  status.wait = wait_;
  status.waits_for = waits_for_;
  status.reloading = is_reloading();
  status.unkillable = unkillable_;
  status.problem = unkillable_ ? unkillable_text : said_.problem;
  status.manifest_problem = manifest() ? refusal_ : manifest().error().message;
  status.epoch = epoch_;
  status.attempt = attempt_;
  status.manifest_pending = manifest_pending();
  status.starts = starts_;
  status.restarts = restarts_;
  if (state_ == ModuleState::starting) status.deadline = start_deadline_;
  if (state_ == ModuleState::stopping) status.deadline = process_.ending_at();
  status.own_watchdog = own_watchdog();
  status.extended_deadline = extended_deadline();
  status.next_retry = retry_at_;
  status.pace = policy_.pace();
  status.run = process_.run();
  status.pid = process_.pid();
  status.start_time = process_.start_time();
  if (has_process()) {
    status.status_text = said_.status;
    status.main_pid = said_.main_pid;
    status.limits_note = limits_note_;
  }
  status.forced = process_.forced();
  status.last_death = last_death_;
  return status;
}

}  // namespace starling::agent
