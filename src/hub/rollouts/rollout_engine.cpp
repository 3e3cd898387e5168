#include "hub/rollouts/rollout_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hub/rollouts/rollout_edits.hpp"
#include "hub/settings/explain.hpp"

namespace starling::hub {
namespace {

constexpr std::size_t looked_at_in_a_tick = 2'048;

std::string reason_of(const DeviceRecord& record, protocol::Section section) {
  auto facts = DeviceFacts::parse(record.facts);
  std::string reason;
  if (facts) {
    for (const protocol::KeyError& error : facts->errors_of(section)) {
      reason += (reason.empty() ? "" : "; ") + (error.key.empty() ? "" : error.key + ": ") + error.message;
    }
  }
  return reason.empty() ? fmt::format("{}, without a reason", to_string(record.section(section).phase))
                        : reason;
}

// As the change log calls it.
std::string_view action_of(const RolloutRecord& next) {
  switch (next.state) {
    case KeptRolloutState::open: return "rollout.open";
    case KeptRolloutState::finished: return "rollout.finish";
    case KeptRolloutState::stopped: return "rollout.stop";
    default: return "rollout.wait";  // for an approval or a window
  }
}

}  // namespace

RolloutEngine::RolloutEngine(ChangeLog& log, DeviceRecords& records, Documents& documents, Sessions& sessions,
                             const Clock& clock, Logger logger)
    : log_(log),
      records_(records),
      documents_(documents),
      sessions_(sessions),
      clock_(clock),
      logger_(logger) {
  log_.observe(*this);
  sessions_.observe(*this);
}

RolloutEngine::~RolloutEngine() {
  *alive_ = false;
  sessions_.stop_observing(*this);
  log_.stop_observing(*this);
}

void RolloutEngine::load() {
  for (const std::string& name : log_.fleets()) {
    const FleetState& state = *log_.published(name);
    Fleet& fleet = fleets_[name];
    for (const auto& [id, record] : state.rollouts())
      take_over(state, fleet, id);
    for (auto& [id, running] : fleet.running)
      running.not_before = clock_.steady() + grace_after_start;
    look_at_all(state, fleet);
  }
}

void RolloutEngine::take_over(const FleetState& state, Fleet& fleet, const std::string& id) {
  const auto record = state.rollouts().find(id);
  if (record == state.rollouts().end() || has_ended(started_from(record->second->state))) {
    fleet.running.erase(id);
    return;
  }
  const auto [at, is_new] = fleet.running.try_emplace(id, Running{Rollout(*record->second), {}, {}});
  if (is_new) {
    at->second.sections = sections_of(record->second->plan);
  } else {
    at->second.rollout.adopt(*record->second);
  }
}

// Groups may have changed, and so may every document.
void RolloutEngine::look_at_all(const FleetState& state, Fleet& fleet) {
  if (fleet.running.empty()) return;
  for (auto& [id, running] : fleet.running) {
    running.scopes.clear();
    for (const RolloutValue& each : running.rollout.record().plan.values)
      running.scopes.push_back(scope_of(state, each.setting.layer));
  }
  for (const auto& [id, device] : state.devices())
    fleet.unseen.insert(id);
}

void RolloutEngine::on_change(const SharedChange& change, const FleetState& state) {
  Fleet& fleet = fleets_[state.fleet()];
  for (const Edit& edit : change->edits)
    if (edit.kind == EntityKind::rollout) take_over(state, fleet, edit.id);
  if (fleet.running.empty()) return;
  const ChangeScope scope = scope_of(*change);
  if (scope.whole_fleet) look_at_all(state, fleet);
  fleet.unseen.insert(scope.devices.begin(), scope.devices.end());
}

void RolloutEngine::on_reported(const std::string& fleet, const std::string& device_id) {
  const auto found = fleets_.find(fleet);
  if (found != fleets_.end() && !found->second.running.empty()) found->second.unseen.insert(device_id);
}

const Rollout* RolloutEngine::find(std::string_view fleet, std::string_view id) const {
  const auto found = fleets_.find(fleet);
  if (found == fleets_.end()) return nullptr;
  const auto running = found->second.running.find(id);
  return running == found->second.running.end() ? nullptr : &running->second.rollout;
}

void RolloutEngine::tick() {
  for (auto& [name, fleet] : fleets_) {
    if (fleet.running.empty()) {
      fleet.unseen.clear();
      continue;
    }
    const FleetState& state = *log_.published(name);
    for (std::size_t i = 0; i < looked_at_in_a_tick && !fleet.unseen.empty(); ++i) {
      const auto device = fleet.unseen.extract(fleet.unseen.begin());
      for (auto& [id, running] : fleet.running)
        look_at(state, device.value(), running);
    }
    if (!fleet.unseen.empty()) continue;  // whoever decides knows of all
    for (auto& [id, running] : fleet.running)
      step(name, id, running);
  }
}

void RolloutEngine::look_at(const FleetState& state, const std::string& device_id, Running& running) const {
  const Device* device = state.device(device_id);
  const auto reaches = [&](const Scope& scope) { return scope.contains(state, *device); };
  if (device == nullptr || std::ranges::none_of(running.scopes, reaches)) {
    running.rollout.remove(device_id);
    return;
  }
  const DeviceRecord* record = records_.find(device_id);
  const bool can_answer = !running.sections.software || (record != nullptr && record->takes_releases());
  running.rollout.put(*device, can_answer && sessions_.has_handshaken(device_id));
  Outcome outcome = outcome_of(state, *device, running);
  const Outcome* known = running.rollout.progress().outcome(device_id);
  if (known->kind == outcome.kind && known->reason == outcome.reason) return;
  outcome.at = clock_.wall();
  running.rollout.heard(device_id, std::move(outcome));
}

Outcome RolloutEngine::outcome_of(const FleetState& state, const Device& device,
                                  const Running& running) const {
  const DeviceRecord* record = records_.find(device.id);
  if (record == nullptr || !running.rollout.record().gate().admits(device.id, device.labels)) return {};
  const DesiredDocument desired = documents_.desired(state, device, declared_by(state, record));
  return outcome_of(*record, desired, running.sections);
}

// By hashes alone: what a device refuses may be refused for what came beside the rollout's values.
Outcome RolloutEngine::outcome_of(const DeviceRecord& record, const DesiredDocument& desired,
                                  Sections sections) {
  using protocol::Section;
  bool done = true;
  for (const auto& [section, touched] :
       {std::pair(Section::settings, sections.settings), std::pair(Section::modules, sections.modules),
        std::pair(Section::software, sections.software)}) {
    if (!touched) continue;
    const SectionRecord& told = record.section(section);
    const Digest& wanted = desired.section(section)->hash;
    const bool on_trial = told.phase == protocol::Phase::provisional;
    if (told.running != wanted && told.refused == wanted && !on_trial) {
      return {Outcome::Kind::failed, {}, reason_of(record, section)};
    }
    const bool able = section != Section::software || record.takes_releases();
    done = done && able && told.running == wanted && !on_trial;
  }
  return {done ? Outcome::Kind::done : Outcome::Kind::none, {}, {}};
}

void RolloutEngine::step(const std::string& fleet, const std::string& id, Running& running) {
  if (running.is_stepping || clock_.steady() < running.not_before) return;
  const auto next = running.rollout.due(clock_.wall());
  if (!next) return;
  running.is_stepping = true;
  ChangeLog::Plan plan = [former = running.rollout.record(), next = *next](const FleetState& head,
                                                                           std::int64_t) -> Result<Draft> {
    auto edits = plan_rollout_step(head, former, next);
    if (!edits) return fail(edits);
    return Draft{{"hub", "hub"}, std::string(action_of(next)), next.why, std::move(*edits), {}, std::nullopt};
  };
  log_.append(fleet, std::move(plan), [this, alive = alive_, fleet, id](const Result<SharedChange>& outcome) {
    if (*alive) stepped(fleet, id, outcome);
  });
}

void RolloutEngine::stepped(const std::string& fleet, const std::string& id,
                            const Result<SharedChange>& outcome) {
  const auto found = fleets_[fleet].running.find(id);
  if (found != fleets_[fleet].running.end()) found->second.is_stepping = false;
  if (outcome) return;
  // Somebody else moved it, or the disk is full: the next tick looks again.
  logger_.warning("a rollout could not be moved",
                  {{"fleet", fleet}, {"rollout", id}, {"why", outcome.error().message}});
}

}  // namespace starling::hub
