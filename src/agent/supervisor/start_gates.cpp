// What modules must wait for: the part of SupervisorCore that looks at the order among them.
#include <algorithm>

#include "agent/supervisor/supervisor_core.hpp"
#include "base/printable_text.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t shown_reason = 200;

std::string how_it_is(const SupervisedModule& required) {
  if (!required.waits_for().empty()) return required.waits_for();
  const std::string state = "is " + std::string(to_string(required.state()));
  return required.has_given_up() ? state + ": " + printable_text(required.detail(), shown_reason) : state;
}

}  // namespace

StartGate SupervisorCore::gate_of(const SupervisedModule& module) const {
  StartGate gate;
  const Result<ModuleManifest>& manifest = module.manifest_in_force();
  const bool starts_in_vain = !module.has_process() && module.is_broken();
  if (!manifest || starts_in_vain) return gate;  // and nobody needs to wait to be told
  check_requirements(*manifest, gate);
  if (gate.wait == StartGate::Wait::nothing) check_order(*manifest, gate);
  if (gate.wait != StartGate::Wait::nothing) return gate;
  if (!attached_) {
    gate = {StartGate::Wait::device, "waits for the keeper, which is away", false, Cause::none, false, {}};
  } else if (memory_short_) {
    gate = {StartGate::Wait::device,
            "waits because the device is short of memory",
            false,
            Cause::none,
            false,
            {}};
  }
  return gate;
}

StartGate SupervisorCore::gate_of_shutdown(const SupervisedModule& module) const {
  StartGate gate{
      StartGate::Wait::device, "does not start while the device goes down", true, Cause::shutdown, false, {}};
  // Those that come earlier may wait for it all the same, where manifests of different times make a cycle.
  for (auto later = sequence_.rbegin(); later != sequence_.rend() && *later != module.name(); ++later) {
    const SupervisedModule* other = find(*later);
    // One that has failed has no process to wait for.
    if (other == nullptr || other->is_down() || is_failed(other->state())) continue;
    const Result<ModuleManifest>& manifest = other->manifest_in_force();
    if (!manifest) continue;
    for (const auto* earlier : {&manifest->requirements, &manifest->after})
      if (std::ranges::find(*earlier, module.name()) != earlier->end()) gate.must_stop = false;
  }
  return gate;
}

void SupervisorCore::check_requirements(const ModuleManifest& manifest, StartGate& gate) const {
  for (const std::string& name : manifest.requirements) {
    if (auto held_back = held_back_by(name)) {
      gate = std::move(*held_back);
      return;
    }
    const SupervisedModule* required = find(name);
    if (is_ready(required->state()) || gate.wait != StartGate::Wait::nothing) continue;
    gate.wait = is_coming(name) ? StartGate::Wait::order : StartGate::Wait::requirement;
    gate.in_vain = required->has_given_up();
    gate.waits_for = "waits for '" + name + "', which " + how_it_is(*required);
  }
}

// By one that is not to run: named is the one at the end of the chain, of which somebody has to take care.
std::optional<StartGate> SupervisorCore::held_back_by(std::string_view required) const {
  const SupervisedModule* module = find(required);
  const auto chain = held_back_.find(required);
  const std::string quoted = "'" + std::string(required) + "'";
  StartGate gate{StartGate::Wait::requirement, {}, true, Cause::requirement, true, {}};
  if (module == nullptr) {
    gate.missing = quoted + ", which does not exist";
  } else if (!module->wanted()) {
    const std::string absent = absent_requirement(*module);
    gate.in_vain = !module->quarantine().empty() || !absent.empty();
    gate.missing = quoted + ", which is not to run";
    gate.missing += absent.empty() ? ": 'module enable " + std::string(required) + "' starts it"
                                   : " and requires '" + absent + "', which does not exist";
    if (!module->quarantine().empty()) {
      gate.missing =
          quoted + ", which could not be enabled: " + printable_text(module->quarantine(), shown_reason);
    }
  } else if (chain != held_back_.end()) {
    gate.missing = chain->second.missing;
    gate.in_vain = chain->second.in_vain;
    gate.waits_for = "waits for " + quoted + ", which waits for " + gate.missing;
  } else {
    return std::nullopt;
  }
  if (gate.waits_for.empty()) gate.waits_for = "waits for " + gate.missing;
  return gate;
}

// The first that does not exist of those that it requires, also by way of others; empty: all are there.
std::string SupervisorCore::absent_requirement(const SupervisedModule& module) const {
  std::vector<std::string> required{module.name()};
  for (std::size_t i = 0; i < required.size(); ++i) {
    const SupervisedModule* one = find(required[i]);
    if (one == nullptr) return required[i];
    if (!one->manifest()) continue;
    for (const std::string& name : one->manifest()->requirements)
      if (std::ranges::find(required, name) == required.end()) required.push_back(name);
  }
  return {};
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
