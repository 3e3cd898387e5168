// Purpose: modules and their transitions as the hub and local subscribers are told of them. Owner: none.
// Thread: any. Lifetime: none.
#pragma once

#include "agent/supervisor/module_status.hpp"
#include "agent/supervisor/resource_sampler.hpp"
#include "agent/supervisor/transition_journal.hpp"
#include "base/json.hpp"

namespace starling::agent {

// Members that say nothing are left out, and nothing counts down: the same state is the same report.
// Deadlines are given in UTC: the device's clocks translate.
JsonObject to_json(const ModuleStatus& status, const Clock& clock);
// Of a report that is too long: the evidence of its death; then whatever is not of a small, known size.
void leave_out_evidence(JsonObject& module);
void leave_out_texts(JsonObject& module);
JsonObject to_json(const Transition& transition, const Clock& clock);
JsonObject to_json(const ResourceUse& use);

}  // namespace starling::agent
