#include "agent/supervisor/module_process.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <utility>

namespace starling::agent {

Result<void> ModuleProcess::spawn(const ModuleManifest& manifest, std::uint64_t run) {
  run_ = run;
  pid_ = 0;
  forced_ = false;
  auto place = ports_.trees.make(manifest, child_id());
  if (!place) return fail(place);
  phase_ = Phase::spawning;
  killed_since_.reset();
  SpawnRequest request = spawn_request(manifest, child_id(), std::move(*place), ports_.environment);
  mark_ = request.mark;
  ports_.keeper.spawn(std::move(request));
  return {};
}

void ModuleProcess::adopt(const KeptChild& child, std::uint64_t run) {
  phase_ = Phase::alive;
  killed_since_.reset();
  run_ = run;
  pid_ = child.pid;
  start_time_ = child.start_time;
  mark_ = child.mark;
  forced_ = false;
}

SteadyTime ModuleProcess::began_at() const {
  const SteadyTime now = ports_.clock.steady();
  const auto per_second = static_cast<std::uint64_t>(std::max(::sysconf(_SC_CLK_TCK), 1L));
  if (start_time_ == 0) return now;
  return std::min<SteadyTime>(now, SteadyTime(Milliseconds(start_time_ * 1'000 / per_second)));
}

void ModuleProcess::spawned(std::int32_t pid, std::uint64_t start_time) {
  if (phase_ == Phase::alive && pid != pid_) main_taken(pid, start_time);  // the answer was lost
  if (phase_ != Phase::spawning) return;
  phase_ = Phase::alive;
  pid_ = pid;
  start_time_ = start_time;
  if (ended_for_ == EndedFor::none) return;
  asked_at_ = ports_.clock.steady();
  ending_at_ = asked_at_ + grace_;  // its end was asked for while it was being made
  signal(end_signal_);
}

void ModuleProcess::not_spawned() {
  phase_ = Phase::none;
  killed_since_.reset();
  ended_for_ = EndedFor::none;
  ending_at_.reset();
}

Death ModuleProcess::ended(const ChildExit& exit, bool was_ready) {
  vanished();
  Death death;
  death.module = module_;
  death.child_id = child_id();
  death.pid = pid_;
  death.exit = exit;
  death.ended_for = ended_for_;
  death.forced = forced_;
  death.ready = was_ready;
  if (ended_for_ != EndedFor::none) {
    death.end_signal = end_signal_;
    if (killed_since_) death.unheeded = std::chrono::floor<Milliseconds>(*killed_since_ - asked_at_);
  }
  return death;
}

void ModuleProcess::vanished() {
  phase_ = Phase::lingering;
  named_.reset();
  held_.reset();
}

void ModuleProcess::name_main(std::int32_t pid, std::uint64_t start_time) {
  const Main wanted{pid, start_time};
  if (phase_ != Phase::alive || wanted == named_.value_or(Main{pid_, start_time_})) return;
  named_ = wanted;
  name_main_again();
}

void ModuleProcess::name_main_again() {
  if (named_) ports_.keeper.name_main(child_id(), named_->pid, named_->start_time);
}

void ModuleProcess::main_taken(std::int32_t pid, std::uint64_t start_time) {
  if (phase_ != Phase::alive) return;
  pid_ = pid;
  start_time_ = start_time;
  held_.reset();
  if (named_ == Main{pid, start_time}) named_.reset();
  if (ended_for_ != EndedFor::none) signal(end_signal_);  // its end had been asked of the former one
}

std::optional<ChildExit> ModuleProcess::main_refused(std::int32_t pid) {
  if (!named_ || named_->pid != pid) return std::nullopt;
  named_.reset();
  return std::exchange(held_, std::nullopt);
}

void ModuleProcess::end(EndedFor why, int signal_number, Milliseconds grace) {
  if (!exists() || ended_for_ != EndedFor::none) return;
  ended_for_ = why;
  end_signal_ = signal_number;
  grace_ = grace;
  asked_at_ = ports_.clock.steady();
  ending_at_ = asked_at_ + grace;
  if (phase_ == Phase::alive) signal(signal_number);
}

void ModuleProcess::extend_grace(SteadyTime until) {
  if (exists() && !forced_ && ending_at_) ending_at_ = std::max(*ending_at_, until);
}

void ModuleProcess::signal(int number) {
  ports_.keeper.signal(child_id(), number, SignalScope::main);
}

std::optional<SteadyTime> ModuleProcess::unkillable_at() const {
  return killed_since_ ? std::optional(*killed_since_ + long_killed) : std::nullopt;
}

void ModuleProcess::kill() {
  forced_ = true;
  if (!killed_since_) killed_since_ = ports_.clock.steady();
  signal(SIGKILL);  // it may have left the group
  ports_.keeper.signal(child_id(), SIGKILL, SignalScope::group);
  ports_.trees.kill(module_);
  ending_at_ = ports_.clock.steady() + kill_repeat;  // and again, should the keeper not have heard
}

void ModuleProcess::look_at_tree() {
  if (exists()) return;
  if (ports_.trees.empty(module_)) {
    phase_ = Phase::none;
    pid_ = 0;
    ended_for_ = EndedFor::none;
    ending_at_.reset();
    killed_since_.reset();
    sweep_delay_ = first_sweep;
    return;
  }
  phase_ = Phase::lingering;
  if (!killed_since_) killed_since_ = ports_.clock.steady();
  ports_.trees.kill(module_);
  ending_at_ = ports_.clock.steady() + sweep_delay_;
  sweep_delay_ = std::min(2 * sweep_delay_, longest_sweep);
}

void ModuleProcess::tick() {
  if (!ending_at_ || ports_.clock.steady() < *ending_at_) return;
  if (phase_ == Phase::spawning && forced_) vanished();  // nobody ever answered
  if (exists()) {
    kill();
  } else {
    look_at_tree();
  }
}

}  // namespace starling::agent
