// Purpose: going back in a fleet's log: what settings, personas, groups and assets were at a revision, as
// edits that make them so again. Groups that have come since stay, without values. Owner: the caller; it is
// fed with changes as they come from the store. Thread: the hub's. Lifetime: a call.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "hub/state/fleet_state.hpp"

namespace starling::hub {

// Takes the changes after a revision, oldest first, and keeps what each entity was before the first of them.
class Rollback {
 public:
  explicit Rollback(std::int64_t revision) : read_until_(revision) {}

  void read(std::span<const SharedChange> changes);
  std::int64_t read_until() const { return read_until_; }
  protocol::Assets assets() const;  // that it brings back

  // Errors: conflict if the head has changes that were not read; failed_precondition if a rollout brings one
  // of the settings.
  Result<std::vector<Edit>> plan(const FleetState& head) const;

 private:
  std::int64_t read_until_;
  std::map<std::pair<EntityKind, std::string>, Json> before_;
};

}  // namespace starling::hub
