// What the process of a module says of itself, and the deadlines that follow from it: part of
// SupervisedModule.
#include <algorithm>

#include "agent/supervisor/supervised_module.hpp"
#include "base/printable_text.hpp"

namespace starling::agent {

void SupervisedModule::notified(std::uint64_t run, const NotifyMessage& message) {
  if (!process_.is_present(run)) return;
  if (message.status) said_.status = *message.status;
  if (message.error_number) said_.error = *message.error_number;
  if (message.exit_status) said_.exit_status = *message.exit_status;
  if (message.main_pid && *message.main_pid != said_.main_pid) {
    process_.name_main(*message.main_pid, message.main_start_time);
  }
  if (message.reloading) reloads();
  if (message.watchdog_time) {
    watchdog_ = std::chrono::ceil<Milliseconds>(*message.watchdog_time);
    feed_watchdog();
  }
  if (message.extend_timeout) extend(std::chrono::ceil<Milliseconds>(*message.extend_timeout));
  const bool by_notify = manifest_ && manifest_->readiness == Readiness::notify;
  if (message.ready) said_.reloading_until.reset();
  if (message.ready && by_notify) became_ready(Cause::ready);
  if (message.recording == NotifyRecording::recording) apply(ModuleEvent::record, Cause::recording);
  if (message.recording == NotifyRecording::idle) apply(ModuleEvent::pause, Cause::paused);
  if (message.stopping) watchdog_at_.reset();
  if (message.watchdog == NotifyWatchdog::alive) {
    fed_watchdog_ = true;
    feed_watchdog();
  }
  if (message.watchdog == NotifyWatchdog::trigger && is_ready(state_)) {
    watchdog_missed("it says itself that it is broken (WATCHDOG=trigger)");
  }
}

void SupervisedModule::said_hello() {
  const bool by_hello = manifest_ && manifest_->readiness == Readiness::module;
  if (process_.exists() && by_hello) became_ready(Cause::ready);
}

void SupervisedModule::said_recording(bool recording, std::string_view status) {
  if (!process_.exists()) return;
  said_.status = status;
  if (recording) {
    apply(ModuleEvent::record, Cause::recording);
  } else {
    apply(ModuleEvent::pause, Cause::paused);
  }
}

void SupervisedModule::misunderstood(std::string_view why) {
  said_.problem = printable_text(why, max_problem_bytes);
  host_.misunderstood(name_, said_.problem);
}

void SupervisedModule::feed_watchdog() {
  const bool armed = is_ready(state_) && watchdog_ > Milliseconds(0);
  watchdog_at_ = armed ? std::optional(now() + watchdog_) : std::nullopt;
}

std::optional<Milliseconds> SupervisedModule::own_watchdog() const {
  const bool own = has_process() && manifest_ && watchdog_ != manifest_->watchdog;
  return own ? std::optional(watchdog_) : std::nullopt;
}

std::optional<SteadyTime> SupervisedModule::extended_deadline() const {
  const bool extended = start_deadline_ && has_process() && manifest_ &&
                        *start_deadline_ > started_at_ + manifest_->start_timeout;
  return extended ? start_deadline_ : std::nullopt;
}

void SupervisedModule::reloads() {
  if (!is_ready(state_) || is_reloading()) return;
  said_.reloading_since = now();
  said_.reloading_until = now() + (manifest_ ? manifest_->start_timeout : trial_time);
}

void SupervisedModule::extend(Milliseconds by) {
  const SteadyTime until = now() + std::min(by, longest_start_timeout);
  if (state_ == ModuleState::starting && start_deadline_) {
    start_deadline_ = std::clamp(until, *start_deadline_, started_at_ + longest_start_timeout);
    if (trial_) trial_->outlast(*start_deadline_);
  }
  if (is_reloading()) {
    said_.reloading_until =
        std::clamp(until, *said_.reloading_until, said_.reloading_since + longest_start_timeout);
  }
  if (state_ == ModuleState::stopping) {
    process_.extend_grace(std::min(until, stop_began_at_ + longest_start_timeout));
  }
}

}  // namespace starling::agent
