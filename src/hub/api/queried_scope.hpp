// Purpose: the devices that a query names, as a write that names the same would concern them.
// Owner: values. Thread: the hub's. Lifetime: none.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "hub/api/call.hpp"
#include "hub/settings/scope.hpp"

namespace starling::hub {

// device, selector, group, persona: the parameters that name them, one at most.
std::vector<std::string_view> scope_queries();

// Nothing: none of them is there. Errors: those of resolve_target.
Result<std::optional<Scope>> queried_scope(const Call& call);

Scope fleet_scope();

}  // namespace starling::hub
