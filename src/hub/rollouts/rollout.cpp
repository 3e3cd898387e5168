#include "hub/rollouts/rollout.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace starling::hub {

namespace {

// In a small fleet a share may be less than one device: there is nothing to wait for. That nobody has a label
// may be a mistake, and the last stage gives whoever has just come their time.
bool opened_for_nobody(const RolloutRecord& record, const RolloutProgress& progress) {
  if (record.open == 0 || record.open == record.plan.stages.size()) return false;
  return record.plan.stages[record.open - 1].share && progress.stages()[record.open - 1].concerned() == 0;
}

}  // namespace

Rollout::Rollout(RolloutRecord record) : record_(std::move(record)), progress_(record_.plan.stages.size()) {}

void Rollout::adopt(RolloutRecord record) {
  record_ = std::move(record);
}

RolloutState Rollout::state() const {
  const RolloutState state = started_from(record_.state);
  return has_settled() ? next_state(state, RolloutEvent::settled).value_or(state) : state;
}

void Rollout::put(const Device& device, bool connected) {
  const Gate all{record_.id, record_.plan.stages, 0};
  const auto stage = all.stage_of(device.id, device.labels);
  progress_.put(device.id, stage.value_or(record_.plan.stages.size() - 1), connected);
}

// A stage of devices that are all away has shown nothing.
bool Rollout::has_settled() const {
  const StageCounts counts = progress_.counts(record_.open);
  if (counts.pending > 0) return false;
  if (record_.plan.waits_for_absent && counts.absent + counts.hindered > 0) return false;
  return counts.concerned() == 0 || counts.done > 0;
}

bool Rollout::has_failed() const {
  const StageCounts counts = progress_.counts(record_.open);
  return counts.failed >= record_.plan.min_failures &&
         counts.failed * Stage::whole >
             counts.heard_of() * static_cast<std::size_t>(record_.plan.max_failures);
}

bool Rollout::is_approved(std::size_t stage) const {
  return !record_.plan.stages[stage].needs_approval ||
         std::ranges::any_of(record_.approvals, [&](const Approval& each) { return each.stage == stage; });
}

std::optional<WallTime> Rollout::soaked_at() const {
  if (state() != RolloutState::soaking) return {};
  const Milliseconds soak = record_.plan.soak;
  const WallTime told = progress_.last_outcome(record_.open) + soak;
  return std::max(told, record_.opened_at + (opened_for_nobody(record_, progress_) ? Milliseconds() : soak));
}

std::optional<RolloutRecord> Rollout::failure() const {
  const auto stopped = has_failed() ? next_state(state(), RolloutEvent::fail) : std::nullopt;
  if (!stopped) return {};
  RolloutRecord next = record_;
  next.state = kept(*stopped);
  const StageCounts counts = progress_.counts(record_.open);
  next.why = fmt::format("{} of {} devices failed", counts.failed, counts.heard_of());
  return summed_up(std::move(next));
}

std::optional<RolloutRecord> Rollout::due(WallTime now) const {
  if (auto stopped = failure()) return stopped;
  RolloutRecord next = record_;
  RolloutState at = state();
  const auto go = [&](RolloutEvent event) { at = *next_state(at, event); };
  if (const auto soaked = soaked_at(); at == RolloutState::soaking && now >= *soaked) {
    go(record_.open < record_.plan.stages.size() ? RolloutEvent::soaked : RolloutEvent::done);
  }
  if (at == RolloutState::awaiting && is_approved(next.open)) go(RolloutEvent::approve);
  if (at == RolloutState::ready && any_open(record_.plan.windows, now)) {
    go(RolloutEvent::open);
    ++next.open;
    next.opened_at = now;
  }
  next.state = kept(at);
  if (next.state == record_.state && next.open == record_.open) return {};
  return has_ended(at) ? summed_up(std::move(next)) : next;
}

RolloutRecord Rollout::summed_up(RolloutRecord record) const {
  if (progress_.empty()) return record;
  record.counts = progress_.stages();
  record.failures = progress_.largest_failures(RolloutRecord::max_failure_groups);
  return record;
}

Result<RolloutRecord> Rollout::after(RolloutEvent event) const {
  const RolloutState at = state();
  const auto state = next_state(at, event);
  if (!state) {
    return fail(ErrorCode::failed_precondition,
                fmt::format("rollout {} is {}, which does not allow it", record_.id, to_string(at)));
  }
  RolloutRecord next = record_;
  next.state = kept(*state);
  return next;
}

Result<RolloutRecord> Rollout::approve(const std::string& principal, WallTime now) const {
  if (principal == record_.plan.author) {
    return fail(ErrorCode::permission_denied, "a rollout is approved by somebody else than its author");
  }
  const bool between = record_.state == KeptRolloutState::awaiting || record_.state == KeptRolloutState::held;
  if (!between || !record_.plan.stages[record_.open].needs_approval) {
    return fail(ErrorCode::failed_precondition,
                fmt::format("no stage of rollout {} waits for an approval", record_.id));
  }
  if (is_approved(record_.open)) {
    return fail(ErrorCode::already_exists, fmt::format("stage {} is approved already", record_.open + 1));
  }
  RolloutRecord next = record_;
  next.approvals.push_back({record_.open, principal, now});
  return next;
}

Result<RolloutRecord> Rollout::pause(std::string why) const {
  auto next = after(RolloutEvent::pause);
  if (next) next->why = std::move(why);
  return next;
}

Result<RolloutRecord> Rollout::resume() const {
  auto next = after(RolloutEvent::resume);
  if (next) next->why.clear();
  return next;
}

Result<RolloutRecord> Rollout::abort(std::string why) const {
  auto next = after(RolloutEvent::abort);
  if (next) next->why = std::move(why);
  return next;
}

Result<RolloutRecord> Rollout::supersede(std::string heir) const {
  auto next = after(RolloutEvent::supersede);
  if (!next) return next;
  next->heir = std::move(heir);
  next->was_held = record_.state == KeptRolloutState::held || record_.state == KeptRolloutState::paused;
  return next;
}

Result<RolloutRecord> Rollout::take_up() const {
  auto next = after(RolloutEvent::take_up);
  if (!next) return next;
  RolloutState at = started_from(next->state);
  const auto go = [&](RolloutEvent event) { at = *next_state(at, event); };
  if (next->open == 0) {  // nobody has it: there is nothing to settle
    go(RolloutEvent::settled);
    go(RolloutEvent::soaked);
  }
  if (next->was_held) go(RolloutEvent::pause);
  next->state = kept(at);
  next->heir.clear();
  next->was_held = false;
  return next;
}

Result<RolloutRecord> Rollout::release(std::string why) const {
  auto next = after(RolloutEvent::release);
  if (next) next->why = std::move(why);
  return next;
}

}  // namespace starling::hub
