#include "hub/rollouts/rollout_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "hub/rollouts/rollout_edits.hpp"

namespace starling::hub {
namespace {

constexpr std::size_t between_looks_at_the_clock = 16;

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

RolloutEngine::Running::Running(RolloutRecord record)
    : rollout(std::move(record)),
      names(rollout.record().plan),
      sections(sections_of(rollout.record().plan)) {}

RolloutEngine::RolloutEngine(ChangeLog& log, DeviceRecords& records, Documents& documents, Sessions& sessions,
                             Executor& executor, const Clock& clock, Logger logger)
    : log_(log),
      records_(records),
      documents_(documents),
      sessions_(sessions),
      executor_(executor),
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
  const auto [at, is_new] = fleet.running.try_emplace(id, *record->second);
  if (is_new) {
    at->second.unknown = state.device_index().end_place();
  } else {
    at->second.rollout.adopt(*record->second);
  }
}

void RolloutEngine::look_at_all(const FleetState& state, Fleet& fleet) {
  const std::size_t all = state.device_index().end_place();
  for (auto& [id, running] : fleet.running) {
    running.scopes.clear();
    for (const RolloutValue& each : running.rollout.record().plan.values)
      running.scopes.push_back(scope_of(state, each.setting.layer));
    running.to_look_at = all;
  }
}

// Settings that no rollout brings change no outcome until a device answers to them.
bool RolloutEngine::concerns_all(const Change& change, const Fleet& fleet) {
  const auto brings = [](const std::string& key) {
    return [&key](const auto& each) {
      return std::ranges::any_of(each.second.rollout.record().plan.values,
                                 [&](const RolloutValue& value) { return value.setting.key == key; });
    };
  };
  return std::ranges::any_of(change.edits, [&](const Edit& edit) {
    switch (edit.kind) {
      case EntityKind::persona:
      case EntityKind::group:
      case EntityKind::component:
      case EntityKind::rollout: return true;
      case EntityKind::setting: {
        const auto id = SettingId::parse(edit.id);
        return !id || id->key == protocol::persona_active_key ||
               std::ranges::any_of(fleet.running, brings(id->key));
      }
      default: return false;
    }
  });
}

void RolloutEngine::on_change(const SharedChange& change, const FleetState& state) {
  Fleet& fleet = fleets_[state.fleet()];
  for (const Edit& edit : change->edits)
    if (edit.kind == EntityKind::rollout) take_over(state, fleet, edit.id);
  if (fleet.running.empty()) return;
  ChangeScope scope = scope_of(*change);
  if (scope.whole_fleet && concerns_all(*change, fleet)) look_at_all(state, fleet);
  for (std::string& device : scope.devices)
    fleet.heard_of.insert(std::move(device));
}

void RolloutEngine::on_reported(const std::string& fleet, const std::string& device_id) {
  const auto found = fleets_.find(fleet);
  if (found != fleets_.end() && !found->second.running.empty()) found->second.heard_of.insert(device_id);
}

const Rollout* RolloutEngine::find(std::string_view fleet, std::string_view id) const {
  const auto found = fleets_.find(fleet);
  if (found == fleets_.end()) return nullptr;
  const auto running = found->second.running.find(id);
  return running == found->second.running.end() ? nullptr : &running->second.rollout;
}

void RolloutEngine::tick() {
  looked_ = {};
  if (!is_looking_) look();
}

void RolloutEngine::look() {
  const SteadyTime began = clock_.steady();
  bool all_seen = true;
  for (auto& [name, fleet] : fleets_) {
    if (fleet.running.empty()) {
      fleet.heard_of.clear();
    } else {
      all_seen = look(*log_.published(name), fleet, began + longest_turn) && all_seen;
    }
  }
  looked_ += clock_.steady() - began;
  is_looking_ = !all_seen && looked_ < longest_look;
  if (!is_looking_) return decide();
  executor_.post([this, alive = alive_] {
    if (*alive) look();
  });
}

bool RolloutEngine::look(const FleetState& state, Fleet& fleet, SteadyTime until) const {
  const auto waits = [](const auto& each) { return each.second.to_look_at > 0; };
  for (std::size_t looks = 1; !fleet.heard_of.empty() || std::ranges::any_of(fleet.running, waits); ++looks) {
    if (looks % between_looks_at_the_clock == 0 && clock_.steady() >= until) return false;
    if (!fleet.heard_of.empty()) {
      const auto device = fleet.heard_of.extract(fleet.heard_of.begin());
      for (auto& [id, running] : fleet.running)
        look_at(state, device.value(), running);
      continue;
    }
    if (fleet.next >= state.device_index().end_place()) fleet.next = 0;
    const Device* device = state.device_index().at(fleet.next++);
    for (auto& [id, running] : fleet.running) {
      if (running.to_look_at > 0) --running.to_look_at;
      if (running.unknown > 0) --running.unknown;
      if (device != nullptr) look_at(state, device->id, running);
    }
  }
  return true;
}

// Failures count at once, whatever is still to be looked at. To go on, all of it must be seen.
void RolloutEngine::decide() {
  const WallTime now = clock_.wall();
  for (auto& [name, fleet] : fleets_) {
    for (auto& [id, running] : fleet.running) {
      if (running.is_stepping || running.unknown > 0 || clock_.steady() < running.not_before) continue;
      const bool all_seen = fleet.heard_of.empty() && running.to_look_at == 0;
      const auto next = all_seen ? running.rollout.due(now) : running.rollout.failure();
      if (next) step(name, running, *next);
    }
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
  const Outcome& known = *running.rollout.progress().outcome(device_id);
  Outcome outcome;
  if (record != nullptr) {
    const JudgedDevice judged{state, *device, *record, known};
    outcome = judge(running.rollout.record(), running.names, judged, documents_);
  }
  const bool is_news = known.kind != outcome.kind || known.reason != outcome.reason;
  outcome.at = is_news ? clock_.wall() : known.at;
  if (outcome == known) return;
  running.rollout.heard(device_id, std::move(outcome));
}

void RolloutEngine::step(const std::string& fleet, Running& running, const RolloutRecord& next) {
  running.is_stepping = true;
  ChangeLog::Plan plan = [former = running.rollout.record(), next](const FleetState& head,
                                                                   std::int64_t) -> Result<Draft> {
    auto edits = plan_rollout_step(head, former, next);
    if (!edits) return fail(edits);
    return Draft{{"hub", "hub"}, std::string(action_of(next)), next.why, std::move(*edits), {}, std::nullopt};
  };
  log_.append(fleet, std::move(plan),
              [this, alive = alive_, fleet, id = next.id](const Result<SharedChange>& outcome) {
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
