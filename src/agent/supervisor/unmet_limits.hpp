// Purpose: says which limits of a manifest this device cannot keep. Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "agent/supervisor/cgroup_tree.hpp"

namespace starling::agent {

struct Controllers {
  bool cgroups = false, memory = false, cpu = false;  // a cgroup for each module; what is turned on there
};
Controllers controllers_of(const CgroupTree* cgroups);

// For people; empty: all that are wanted can be in force.
std::string unmet_limits(const ModuleLimits& limits, const Controllers& there);

}  // namespace starling::agent
