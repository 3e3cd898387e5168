// Purpose: tells whoever starts a rollout that nobody has a label now, before it waits for them.
// Owner: the caller. Thread: the hub's. Lifetime: the state and the scope outlive it.
#pragma once

#include <functional>
#include <span>
#include <string>

#include "base/json.hpp"
#include "hub/rollouts/gate.hpp"
#include "hub/settings/scope.hpp"

namespace starling::hub {

class StageNotes {
 public:
  // `shown`: whether the caller may hear of a device's labels.
  using Shown = std::function<bool(const Device& device)>;
  StageNotes(const FleetState& state, const Scope& target, Shown shown);

  // Errors: failed_precondition (the target has no device, so no stage has one).
  Result<void> check_reached() const;
  // A text for each stage that is of a label that no device of the target has.
  JsonArray of(std::span<const Stage> stages) const;

 private:
  // "; did you mean room=lab?", or empty.
  std::string hint(const protocol::Selector& selector) const;

  const FleetState& state_;
  const Scope& target_;
  Shown shown_;
  Places reached_;
};

}  // namespace starling::hub
