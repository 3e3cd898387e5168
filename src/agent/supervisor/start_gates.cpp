// What modules must wait for: the part of SupervisorCore that looks at the order among them.
#include <algorithm>

#include "agent/supervisor/supervisor_core.hpp"

namespace starling::agent {

StartGate SupervisorCore::gate_of(const SupervisedModule& module) const {
  StartGate gate;
  if (module.is_broken()) return gate;  // and nobody needs to wait to be told
  check_requirements(*module.manifest(), gate);
  if (gate.wait == StartGate::Wait::nothing) check_order(*module.manifest(), gate);
  if (gate.wait != StartGate::Wait::nothing) return gate;
  if (!attached_) {
    gate = {StartGate::Wait::device, "waits for the keeper, which is away", false, Cause::none};
  } else if (memory_short_) {
    gate = {StartGate::Wait::device, "waits because the device is short of memory", false, Cause::none};
  }
  return gate;
}

StartGate SupervisorCore::gate_of_shutdown(const SupervisedModule& module) const {
  StartGate gate{StartGate::Wait::device, "does not start while the device goes down", true, Cause::shutdown};
  for (const auto& [name, other] : modules_) {
    // One that has failed has no process to wait for, and may be part of a cycle.
    if (!other->manifest() || other->is_down() || is_failed(other->state())) continue;
    const ModuleManifest& manifest = *other->manifest();
    for (const auto* earlier : {&manifest.requirements, &manifest.after})
      if (std::ranges::find(*earlier, module.name()) != earlier->end()) gate.must_stop = false;
  }
  return gate;
}

void SupervisorCore::check_requirements(const ModuleManifest& manifest, StartGate& gate) const {
  for (const std::string& name : manifest.requirements) {
    const SupervisedModule* required = find(name);
    const std::string quoted = "'" + name + "'";
    if (required == nullptr || !required->wanted() || held_back_.contains(name)) {
      const bool missing = required == nullptr;
      gate = {StartGate::Wait::requirement,
              "waits for " + quoted + (missing ? ", which does not exist" : ", which is not to run"), true,
              Cause::requirement, missing};
      return;
    }
    if (is_ready(required->state()) || gate.wait != StartGate::Wait::nothing) continue;
    gate.wait = is_coming(name) ? StartGate::Wait::order : StartGate::Wait::requirement;
    gate.waits_for = "waits for " + quoted + ", which is " + std::string(to_string(required->state()));
  }
}

void SupervisorCore::check_order(const ModuleManifest& manifest, StartGate& gate) const {
  for (const std::string& name : manifest.after) {
    if (!is_coming(name)) continue;
    gate.wait = StartGate::Wait::order;
    gate.waits_for = "waits until '" + name + "' has started";
    return;
  }
}

// It will be ready, or fail, without anybody's help.
bool SupervisorCore::is_coming(std::string_view name) const {
  const SupervisedModule* module = find(name);
  if (module == nullptr || !module->wanted() || held_back_.contains(name)) return false;
  if (module->state() == ModuleState::starting) return true;
  const bool down = module->state() == ModuleState::disabled || module->state() == ModuleState::stopping;
  return down && module->wait() != StartGate::Wait::requirement;
}

}  // namespace starling::agent
