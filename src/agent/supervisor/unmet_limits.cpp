#include "agent/supervisor/unmet_limits.hpp"

namespace starling::agent {

Controllers controllers_of(const CgroupTree* cgroups) {
  if (cgroups == nullptr) return {};
  return {true, cgroups->has_memory(), cgroups->has_cpu()};
}

std::string unmet_limits(const ModuleLimits& limits, const Controllers& there) {
  const bool memory = limits.memory_bytes && !there.memory;
  const bool cpu = limits.cpu_percent && !there.cpu;
  if (!memory && !cpu) return {};
  const std::string which = memory && cpu ? "limits.memory and limits.cpu are"
                            : memory      ? "limits.memory is"
                                          : "limits.cpu is";
  const std::string why =
      !there.cgroups ? "the agent has no control group of its own (Delegate=yes in its unit)"
      : memory       ? "the kernel's controller is off (on a Raspberry Pi, cgroup_enable=memory in "
                       "cmdline.txt turns that of memory on)"
                     : "the kernel's controller is off";
  return which + " not in force on this device: " + why;
}

}  // namespace starling::agent
