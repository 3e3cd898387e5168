// Purpose: what is published, in the fleet's change log: for the audit trail, and so that a release that is
// wanted can be checked; and when devices take it. Owner: none; a plan. Thread: the hub's. Lifetime: none.
#pragma once

#include "hub/releases/repository_view.hpp"
#include "hub/state/change_log.hpp"

namespace starling::hub {

// Puts the releases that the log does not have, or has with other tars or another schedule. No edits: it has
// them all.
ChangeLog::Plan releases_plan(SharedView view, Actor actor, std::string action = "release.publish",
                              std::string reason = {});

}  // namespace starling::hub
