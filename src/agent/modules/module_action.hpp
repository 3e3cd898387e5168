// Purpose: the actions that modules carry out. Owner: DeviceCore. Thread: one. Lifetime: outlives ActionCore.
#pragma once

#include "agent/hub_link/action_core.hpp"
#include "agent/modules/module_core.hpp"

namespace starling::agent {

// {"module": NAME, "action": WORD, "parameters": {}}: one module is asked to act.
class ModuleActionRunner final : public ActionRunner {
 public:
  explicit ModuleActionRunner(ModuleCore& modules) : modules_(modules) {}
  void run(const protocol::Action& action, Done done) override;

 private:
  ModuleCore& modules_;
};

// The device shows itself to whoever looks for it: what can be seen or heard of it belongs to modules, so
// each that is connected is asked to `identify`. Its result names those that did, and why others did not.
class IdentifyRunner final : public ActionRunner {
 public:
  IdentifyRunner(std::string device_id, ModuleCore& modules, Logger log)
      : device_id_(std::move(device_id)), modules_(modules), log_(log) {}
  void run(const protocol::Action& action, Done done) override;

 private:
  std::string device_id_;
  ModuleCore& modules_;
  Logger log_;
};

}  // namespace starling::agent
