#include "agent/supervisor/module_status.hpp"

#include "agent/supervisor/supervised_module.hpp"

namespace starling::agent {

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
