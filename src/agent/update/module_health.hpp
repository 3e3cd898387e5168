// Purpose: whether modules are as well with a release as they were before it. Owner: values. Thread: any.
// Lifetime: none.
#pragma once

#include <string>
#include <vector>

#include "agent/supervisor/module_status.hpp"
#include "agent/update/update_port.hpp"

namespace starling::agent {

std::vector<std::string> ready_ones(const std::vector<ModuleStatus>& modules);
// One that is not there any more, or shall not run, is no reason.
ReleaseVerdict judge_modules(const std::vector<ModuleStatus>& modules,
                             const std::vector<std::string>& were_ready);

}  // namespace starling::agent
