#include "hub/rollouts/stage_notes.hpp"

#include <fmt/format.h>

#include <set>
#include <utility>

#include "base/nearest_name.hpp"

namespace starling::hub {

StageNotes::StageNotes(const FleetState& state, const Scope& target, Shown shown)
    : state_(state), target_(target), shown_(std::move(shown)), reached_(target.places(state)) {}

Result<void> StageNotes::check_reached() const {
  if (!reached_.empty()) return {};
  const std::string selector = target_.selector.canonical();
  const std::string whom = selector.empty() ? "is in " + target_.layer.text() : "has " + selector;
  return fail(ErrorCode::failed_precondition,
              fmt::format("no device {} now: there is nobody to bring it to{}", whom, hint(target_.selector)),
              "/target");
}

JsonArray StageNotes::of(std::span<const Stage> stages) const {
  JsonArray notes;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const Stage& stage = stages[i];
    if (stage.share || !common(state_.device_index().matching(stage.selector), reached_).empty()) continue;
    notes.emplace_back(fmt::format("stage {}: no device of the target has {} now{}", i + 1,
                                   stage.selector.canonical(), hint(stage.selector)));
  }
  return notes;
}

// Rare, so that looking at every device is well enough.
std::string StageNotes::hint(const protocol::Selector& selector) const {
  std::set<std::string> labels;
  for (const auto& [id, device] : state_.devices()) {
    if (!shown_(*device)) continue;
    for (const auto& [key, value] : device->labels)
      labels.insert(key + "=" + value);
  }
  for (const protocol::Selector::Term& term : selector.terms()) {
    if (term.op != protocol::Selector::Operator::equal || term.values.size() > 1) continue;
    const std::string typed = term.key + "=" + term.values.front();
    if (labels.contains(typed)) continue;
    NearestName nearest(typed);
    for (const std::string& label : labels)
      nearest.consider(label);
    return nearest.hint();
  }
  return {};
}

}  // namespace starling::hub
