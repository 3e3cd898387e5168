#include "agent/supervisor/supervised_module.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <utility>

#include "agent/supervisor/deaths/failure_words.hpp"
#include "agent/supervisor/folders/manifest_mark.hpp"
#include "agent/supervisor/keeper/spawn_plan.hpp"
#include "base/printable_text.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t shown_line = 160;

bool wants_up(ModuleCommand command) {
  return command != ModuleCommand::disable && command != ModuleCommand::stop;
}

Cause cause_of(ModuleCommand command) {
  switch (command) {
    case ModuleCommand::enable: return Cause::enabled;
    case ModuleCommand::disable: return Cause::disabled;
    case ModuleCommand::start: return Cause::started;
    case ModuleCommand::stop: return Cause::stopped;
    case ModuleCommand::restart: return Cause::restarted;
  }
  return Cause::none;
}

bool is_asked(Cause start) {
  return start == Cause::enabled || start == Cause::started || start == Cause::restarted;
}

}  // namespace

SupervisedModule::SupervisedModule(std::string name, Result<ModuleManifest> manifest, bool enabled,
                                   ModuleHost& host, SeededRandom random)
    : name_(std::move(name)),
      manifest_(std::move(manifest)),
      host_(host),
      clock_(host.process_ports().clock),
      policy_(random),
      process_(name_, host.process_ports()),
      enabled_(enabled),
      since_(clock_.steady()) {
  if (manifest_) newest_mark_ = mark_of(*manifest_);
}

// ---- what is wanted

void SupervisedModule::command(ModuleCommand command, Answered answered) {
  if (command == ModuleCommand::restart && runs_on_broken()) {
    if (answered) {
      host_.answer(std::move(answered),
                   fail(ErrorCode::failed_precondition, "module '" + name_ +
                                                            "' is not restarted and runs on: it could not "
                                                            "be started again: " +
                                                            status().manifest_problem));
    }
    return;
  }
  ++epoch_;
  overtake(command, std::move(answered));
  quarantine_.clear();
  const bool up = wants_up(command);
  const bool was_enabled = enabled_;
  wanted_ = up;
  finished_ = false;
  const bool starts = command == ModuleCommand::restart || !is_ready(state_);  // because of it, that is
  if (!up) stop_cause_ = cause_of(command);
  if (up && starts) start_cause_ = cause_of(command);
  switch (command) {
    case ModuleCommand::enable:
      enabled_ = true;
      if (!is_ready(state_) && (!was_enabled || trial_)) begin_trial();
      if (!was_enabled && is_ready(state_)) publish(state_);
      break;
    case ModuleCommand::disable:
      enabled_ = false;
      trial_.reset();
      if (was_enabled && is_down()) publish(state_);
      break;
    case ModuleCommand::stop: trial_.reset(); break;
    case ModuleCommand::restart:
      if (state_ == ModuleState::starting || is_ready(state_)) begin_stop(Cause::restarted);
      break;
    case ModuleCommand::start: break;
  }
  if (up) {
    policy_.reset();
    retry_now(start_cause_);
  }
}

void SupervisedModule::begin(Cause cause, bool provisional) {
  wanted_ = true;
  start_cause_ = cause;
  if (provisional) begin_trial();
}

void SupervisedModule::begin_down(Cause cause) {
  cause_ = stop_cause_ = cause;
  finished_ = cause == Cause::finished;
}

void SupervisedModule::begin_trial() {
  trial_ = Trial{now() + trial_time};
  if (waits_since_) waits_since_ = now();
}

void SupervisedModule::remember(std::string quarantine, std::optional<DeathReport> last_death) {
  quarantine_ = std::move(quarantine);
  last_death_ = std::move(last_death);
}

void SupervisedModule::adopt(const KeptChild& child, std::uint64_t run, const OutlivedRun& former) {
  skip_to(run);
  process_.adopt(child, run);
  if (trial_) --trial_->attempts_left;
  swept_ = true;
  may_be_ready_ = !former.known;
  said_ = {};
  was_ready_ = false;
  started_at_ = now();
  const Milliseconds patience = manifest_ ? manifest_->start_timeout : Milliseconds(0);
  start_deadline_ = now() + patience;
  if (former.extended_deadline) {
    const SteadyTime latest = now() + longest_start_timeout;
    start_deadline_ = std::max(*start_deadline_, std::min(*former.extended_deadline, latest));
  }
  if (trial_) trial_->outlast(*start_deadline_);
  if (manifest_ && manifest_->readiness == Readiness::exec) ready_at_ = now() + manifest_->ready_after;
  if (manifest_) watchdog_ = former.own_watchdog.value_or(manifest_->watchdog);
  if (manifest_) limits_note_ = host_.process_ports().trees.unmet_limits(*manifest_);
  apply(ModuleEvent::start, Cause::adopted);
  if (former.ready) became_ready(Cause::adopted);
  if (former.recording) return void(apply(ModuleEvent::record, Cause::adopted));
  since_ = process_.began_at();
}

void SupervisedModule::replace_manifest(Result<ModuleManifest> manifest) {
  if (manifest) newest_mark_ = mark_of(*manifest);
  next_manifest_ = std::move(manifest);
  const bool same = *next_manifest_ && manifest_ && **next_manifest_ == *manifest_;
  if (same) next_manifest_.reset();
  if (next_manifest_ && !has_process()) manifest_ = *std::exchange(next_manifest_, std::nullopt);
  retry_now(Cause::settings);
}

void SupervisedModule::refuse(std::string why) {
  if (why == refusal_) return;
  refusal_ = std::move(why);
  if (refusal_.empty()) retry_now(Cause::settings);
}

void SupervisedModule::settings_changed() {
  retry_now(Cause::settings);
  if (!manifest_ || !has_process() || !wanted_) return;
  switch (manifest_->on_change) {
    case OnChange::notify: break;  // it heard of them on the module socket
    case OnChange::signal:
      if (is_ready(state_)) process_.signal(manifest_->change_signal);
      break;
    case OnChange::restart:
      if (state_ == ModuleState::stopping || is_failed(state_)) break;
      owes_restart_ = runs_on_broken();
      if (owes_restart_) break;
      ++epoch_;
      start_cause_ = Cause::settings;
      begin_stop(Cause::settings);
      break;
  }
}

void SupervisedModule::retry_now(Cause cause) {
  if (!is_failed(state_)) return;
  policy_.reset();
  retry_at_ = now();
  start_cause_ = cause;
}

void SupervisedModule::retire() {
  ++epoch_;
  wanted_ = false;
  trial_.reset();
  stop_cause_ = Cause::removed;
}

void SupervisedModule::sweep() {
  swept_ = true;
  process_.look_at_tree();
}

void SupervisedModule::reconcile(const StartGate& gate) {
  look_whether_unkillable();
  wait_ = StartGate::Wait::nothing;
  waits_for_.clear();
  if (owes_restart_ && !is_broken()) {
    owes_restart_ = false;
    settings_changed();
  }
  if (!wanted_ || gate.must_stop) {
    const bool down = state_ == ModuleState::disabled || state_ == ModuleState::stopping;
    if (!down) begin_stop(wanted_ ? gate.stop_cause : stop_cause_);
  }
  if (!has_tree()) apply(ModuleEvent::gone, cause_);
  const bool due = wanted_ && !has_tree() && start_due();
  if (due && gate.wait != StartGate::Wait::nothing) {
    wait_at(gate);
  } else {
    end_wait();
    if (due) start();
  }
  settle_answer();
}

void SupervisedModule::wait_at(const StartGate& gate) {
  wait_ = gate.wait;
  waits_for_ = gate.waits_for;
  if (!waits_since_) waits_since_ = now();
  if (trial_ && gate.in_vain) revert("it " + waits_for_, true);
}

// A trial does not last shorter for what the module had to wait for.
void SupervisedModule::end_wait() {
  if (!waits_since_) return;
  if (trial_) trial_->until += now() - *waits_since_;
  waits_since_.reset();
}

bool SupervisedModule::start_due() const {
  if (state_ == ModuleState::disabled) return true;
  return is_failed(state_) && retry_at_ && now() >= *retry_at_;
}

// ---- answers to commands

void SupervisedModule::overtake(ModuleCommand command, Answered answered) {
  answer(fail(ErrorCode::conflict, "overtaken by a newer command: " + std::string(to_string(command))));
  if (answered) pending_ = Pending{command, std::move(answered), std::nullopt};
}

void SupervisedModule::answer(Result<ModuleState> result) {
  if (!pending_) return;
  host_.answer(std::exchange(pending_, std::nullopt)->answered, std::move(result));
}

void SupervisedModule::settle_answer() {
  if (!pending_) return;
  if (unkillable_) {
    answer(
        fail(ErrorCode::unavailable, "module '" + name_ + "' does not end: " + std::string(unkillable_text)));
  } else if (pending_->verdict) {
    if (is_down()) answer(std::unexpected(*pending_->verdict));
  } else if (!wants_up(pending_->command)) {
    if (is_down()) answer(state_);
  } else if (is_ready(state_)) {
    answer(state_);
  } else if (!wanted_ && is_down()) {  // its work is done already, or its folder is gone
    answer(finished_ ? Result<ModuleState>(state_)
                     : fail(ErrorCode::not_found, "module '" + name_ + "' went away before it was ready"));
  } else if (waits_since_ && now() >= *answer_by()) {
    answer(fail(ErrorCode::unavailable,
                "module '" + name_ + "' " + waits_for_ + "; it starts as soon as it can"));
  }
}

// While it waits: what others have to do first has its deadlines, and an enable may not have to wait long.
std::optional<SteadyTime> SupervisedModule::answer_by() const {
  if (!pending_ || !waits_since_) return std::nullopt;
  if (!trial_) return waits_since_;
  return *waits_since_ + (wait_ == StartGate::Wait::order ? longest_start_timeout : trial_time);
}

// ---- starting

void SupervisedModule::start() {
  if (next_manifest_) manifest_ = *std::exchange(next_manifest_, std::nullopt);
  if (!swept_) sweep();
  if (has_tree()) return;  // somebody else's leftovers end first
  ++epoch_;
  attempt_ = policy_.failures() + 1;
  ++starts_;
  if (trial_) --trial_->attempts_left;
  may_be_ready_ = was_ready_ = owes_restart_ = fed_watchdog_ = false;
  retry_at_.reset();
  said_ = {};
  limits_note_.clear();
  started_at_ = now();
  const Cause cause = std::exchange(start_cause_, Cause::retry);
  if (is_failed(state_) && !is_asked(cause)) ++restarts_;
  if (!manifest_ || !refusal_.empty()) {
    start_deadline_ = started_at_;
    apply(ModuleEvent::start, cause);
    const std::string& why = manifest_ ? refusal_ : manifest_.error().message;
    return failed(ModuleEvent::failed, Cause::not_spawned, why, FailureKind::hopeless);
  }
  start_deadline_ = started_at_ + manifest_->start_timeout;
  if (trial_) trial_->outlast(*start_deadline_);
  watchdog_ = manifest_->watchdog;
  apply(ModuleEvent::start, cause);
  if (auto asked = process_.spawn(*manifest_, epoch_); !asked) {
    failed(ModuleEvent::failed, Cause::not_spawned, asked.error().message, FailureKind::ordinary);
  }
}

void SupervisedModule::spawned(std::uint64_t run, std::int32_t pid, std::uint64_t start_time) {
  if (!process_.is_present(run)) return;
  const bool news = process_.phase() == ModuleProcess::Phase::spawning;
  process_.spawned(pid, start_time);
  if (news) limits_note_ = host_.process_ports().trees.unmet_limits(*manifest_);
  if (news && state_ == ModuleState::starting && manifest_->readiness == Readiness::exec) {
    ready_at_ = now() + manifest_->ready_after;
  }
}

void SupervisedModule::spawn_failed(std::uint64_t run, const SpawnFailure& failure) {
  if (!process_.is_present(run)) return;
  process_.not_spawned();
  if (state_ != ModuleState::starting) return;
  failed(ModuleEvent::failed, Cause::not_spawned, host_.examiner().explain(failure, *manifest_),
         kind_of(failure));
}

void SupervisedModule::became_ready(Cause cause) {
  if (!next_state(state_, ModuleEvent::ready)) return;
  trial_.reset();
  was_ready_ = true;
  policy_.ready(now());
  apply(ModuleEvent::ready, cause);
  if (cause == Cause::adopted) since_ = process_.began_at();
  feed_watchdog();
}

// ---- failing

void SupervisedModule::failed(ModuleEvent event, Cause cause, std::string detail, FailureKind kind) {
  const RetryPlan plan = policy_.failed(now(), kind);
  const bool never = manifest_ && manifest_->retry == Retry::never;
  retry_at_ = never ? std::nullopt : plan.at;
  const std::string why = detail;
  apply(event, cause, std::move(detail));
  if (trial_) {
    const bool over =
        plan.pace == RetryPace::never || never || trial_->attempts_left <= 0 || now() >= trial_->until;
    if (over) revert(why);
    return;
  }
  if (plan.news) host_.slower(name_, plan.pace, why);
  if (pending_ && wants_up(pending_->command) && !pending_->verdict) {
    answer(fail(ErrorCode::failed_precondition, failure_text(with_last_line(why))));
  }
}

std::string SupervisedModule::failure_text(std::string_view why) const {
  const std::string_view what = state_ == ModuleState::crashed ? "was started, and crashed"
                                : state_ == ModuleState::error ? "could not be started"
                                                               : "does not start";
  return "module '" + name_ + "' " + std::string(what) + ": " + std::string(why);
}

// What somebody reads first who asks why it ended so, or did not get ready.
std::string SupervisedModule::with_last_line(std::string why) const {
  const bool ran = cause_ == Cause::exited || cause_ == Cause::start_timeout || cause_ == Cause::watchdog;
  const std::string line = ran && !waits_since_ ? host_.examiner().last_line(name_) : std::string();
  if (line.empty()) return why;
  return why + "; its last line: '" + printable_text(line, shown_line) + "'";
}

void SupervisedModule::revert(std::string why, bool waited) {
  why = with_last_line(std::move(why));
  const std::string text = failure_text(why) + "; so it could not be enabled, and is disabled again";
  trial_.reset();
  enabled_ = wanted_ = false;
  quarantine_ = why;
  stop_cause_ = Cause::enable_reverted;
  ++epoch_;
  if (pending_) pending_->verdict = Error{ErrorCode::failed_precondition, text, {}};
  host_.reverted(name_, why, waited);
  if (is_down()) publish(state_);
}

void SupervisedModule::exited(std::uint64_t run, const ChildExit& exit) {
  if (!process_.is_present(run)) return;
  if (process_.is_naming_main()) return process_.hold(exit);
  Death death = process_.ended(exit, was_ready_);
  death.said_error = said_.error;
  death.said_status = said_.exit_status;
  death.said_text = said_.status;
  const DeathReport report = host_.examiner().examine(death);
  const bool done = death.ended_for == EndedFor::none && has_finished(exit);
  const EndedFor why = done ? EndedFor::stop : death.ended_for;  // it was started to end so
  if (why != EndedFor::stop) last_death_ = report;               // what somebody asked for hides no crash
  if (done) finish();
  if (why == EndedFor::none) exited_unasked(exit, report);
  host_.died(name_, report, why);
  process_.look_at_tree();
}

void SupervisedModule::main_taken(std::uint64_t run, std::int32_t pid, std::uint64_t start_time) {
  if (!process_.is_present(run)) return;
  said_.main_pid = 0;
  process_.main_taken(pid, start_time);
}

void SupervisedModule::main_refused(std::uint64_t run, std::int32_t pid, int error) {
  if (!process_.is_present(run)) return;
  const std::string named = "MAINPID=" + std::to_string(pid);
  if (error == ESRCH) {
    misunderstood(named + " is ignored: that process has ended");
  } else {
    said_.main_pid = pid;
    const std::string why = error == EPROTONOSUPPORT
                                ? "the keeper is older than the agent, until the device is started again"
                                : std::generic_category().message(error);
    misunderstood(named + " is shown, but the module ends with process " + std::to_string(process_.pid()) +
                  " (" + why + "): let it run in the foreground");
  }
  if (const auto held = process_.main_refused(pid)) exited(run, *held);
}

// Its work is done, as its manifest has it.
bool SupervisedModule::has_finished(const ChildExit& exit) const {
  const bool may_finish = manifest_ && manifest_->retry != Retry::always &&
                          (was_ready_ || manifest_->readiness == Readiness::exec);
  return may_finish && exit.kind == ChildExit::Kind::exited && exit.status == 0;
}

void SupervisedModule::finish() {
  finished_ = true;
  wanted_ = false;
  trial_.reset();
  stop_cause_ = Cause::finished;
  begin_stop(Cause::finished);
}

void SupervisedModule::exited_unasked(const ChildExit& exit, const DeathReport& report) {
  const bool hopeless = exit.kind == ChildExit::Kind::exited && exit.status == exit_not_configured;
  const bool memory = report.death_class == DeathClass::out_of_memory;
  const std::string advice = manifest_ ? advice_on_end(*manifest_, exit, was_ready_) : std::string();
  failed(ModuleEvent::died, Cause::exited, report.text + advice,
         hopeless ? FailureKind::hopeless
         : memory ? FailureKind::out_of_memory
                  : FailureKind::ordinary);
}

void SupervisedModule::vanished() {
  if (!process_.exists()) return;
  process_.vanished();
  if (trial_) ++trial_->attempts_left;
  if (next_state(state_, ModuleEvent::died)) retry_at_ = now();  // no fault of its own
  apply(ModuleEvent::died, Cause::keeper_lost, "the keeper that held it is gone");
  process_.look_at_tree();
}

void SupervisedModule::tree_changed() {
  if (process_.phase() == ModuleProcess::Phase::lingering) process_.look_at_tree();
}

void SupervisedModule::watchdog_missed(std::string why) {
  failed(ModuleEvent::died, Cause::watchdog, std::move(why), FailureKind::ordinary);
  end_process(EndedFor::watchdog);
}

// ---- ending

void SupervisedModule::begin_stop(Cause cause) {
  stop_began_at_ = now();
  end_process(EndedFor::stop);
  apply(ModuleEvent::stop, cause);
}

SteadyTime SupervisedModule::down_by() const {
  if (is_down() || process_.forced()) return now();  // nothing more can be done, however long it takes
  if (process_.ending_at()) return *process_.ending_at();
  return now() + (manifest_ ? manifest_->stop_timeout : abort_grace);
}

void SupervisedModule::end_process(EndedFor why) {
  const bool silent = why == EndedFor::watchdog;  // a core dump may tell where it hangs
  const int polite = manifest_ ? manifest_->stop_signal : SIGTERM;
  const Milliseconds patience = manifest_ && !silent ? manifest_->stop_timeout : abort_grace;
  process_.end(why, silent ? SIGABRT : polite, patience);
}

// ---- time

void SupervisedModule::tick() {
  process_.tick();
  if (ready_at_ && now() >= *ready_at_) became_ready(Cause::ready);
  if (start_deadline_ && now() >= *start_deadline_) {
    if (may_be_ready_ && !trial_) {  // and it lives
      became_ready(Cause::adopted);
    } else {
      std::string why = manifest_ ? not_ready_text(*manifest_) : "not ready";
      if (!said_.problem.empty()) why += "; what it said could not be used: " + said_.problem;
      failed(ModuleEvent::failed, Cause::start_timeout, std::move(why), FailureKind::ordinary);
      end_process(EndedFor::start_timeout);
    }
  }
  if (watchdog_at_ && now() >= *watchdog_at_) {
    watchdog_missed("no sign of life for " + seconds_text(watchdog_));
    if (fed_watchdog_) host_.fell_silent(name_, watchdog_);
  }
  if (is_reloading() && now() >= *said_.reloading_until) {
    said_.reloading_until.reset();
    misunderstood("it said RELOADING=1, and not READY=1 in time; it runs on");
  }
  if (trial_ends_at() && now() >= *trial_ends_at()) {
    revert(detail_.empty() ? "not ready in time" : detail_);
  }
}

void SupervisedModule::look_whether_unkillable() {
  const auto since = process_.unkillable_at();
  const bool before = std::exchange(unkillable_, since && now() >= *since);
  if (unkillable_ == before) return;
  if (unkillable_) {
    host_.unkillable(name_, unkillable_text);
  } else {
    host_.ended_after_all(name_);
  }
}

std::optional<SteadyTime> SupervisedModule::next_deadline() const {
  std::optional<SteadyTime> next;
  const auto consider = [&next](const std::optional<SteadyTime>& time) {
    if (time && (!next || *time < *next)) next = time;
  };
  consider(process_.ending_at());
  if (!unkillable_) consider(process_.unkillable_at());
  consider(ready_at_);
  consider(start_deadline_);
  consider(watchdog_at_);
  consider(said_.reloading_until);
  consider(trial_ends_at());
  consider(answer_by());
  const bool retry_counts = wanted_ && !has_tree() && wait_ == StartGate::Wait::nothing;
  if (retry_counts) consider(retry_at_);
  return next;
}

std::optional<SteadyTime> SupervisedModule::trial_ends_at() const {
  return trial_ && !waits_since_ ? std::optional(trial_->until) : std::nullopt;
}

// ---- transitions

bool SupervisedModule::apply(ModuleEvent event, Cause cause, std::string detail) {
  const auto next = next_state(state_, event);
  if (!next) return false;
  const ModuleState from = std::exchange(state_, *next);
  since_ = now();
  cause_ = cause;
  detail_ = std::move(detail);
  if (state_ != ModuleState::starting) {
    start_deadline_.reset();
    ready_at_.reset();
  }
  if (!is_failed(state_)) retry_at_.reset();
  if (!is_ready(state_)) {
    watchdog_at_.reset();
    said_.reloading_until.reset();
  }
  publish(from);
  return true;
}

bool SupervisedModule::settled() const {
  return !trial_ && (enabled_ || state_ == ModuleState::disabled);
}

void SupervisedModule::publish(ModuleState from) {
  Transition transition;
  transition.module = name_;
  transition.from = from;
  transition.to = state_;
  transition.cause = cause_;
  transition.detail = detail_;
  transition.epoch = epoch_;
  transition.attempt = attempt_;
  transition.enabled = enabled_;
  transition.settled = settled();
  transition.deadline = state_ == ModuleState::starting   ? start_deadline_
                        : state_ == ModuleState::stopping ? process_.ending_at()
                                                          : std::nullopt;
  transition.next_retry = retry_at_;
  host_.transitioned(std::move(transition));
}

}  // namespace starling::agent
