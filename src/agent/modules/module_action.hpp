// Purpose: the action by which the hub asks a module to act: {"module": NAME, "action": WORD, "parameters":
// {}}. Owner: DeviceCore. Thread: one. Lifetime: outlives ActionCore.
#pragma once

#include "agent/hub_link/action_core.hpp"
#include "agent/modules/module_core.hpp"

namespace starling::agent {

class ModuleActionRunner final : public ActionRunner {
 public:
  explicit ModuleActionRunner(ModuleCore& modules) : modules_(modules) {}
  void run(const protocol::Action& action, Done done) override;

 private:
  ModuleCore& modules_;
};

}  // namespace starling::agent
