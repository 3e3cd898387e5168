#include "agent/supervisor/settings_trial.hpp"

#include <algorithm>

namespace starling::agent {

void SettingsTrial::is(std::string_view module, ModuleState state) {
  if (is_ready(state) || is_failed(state)) modules_[std::string(module)].works = is_ready(state);
}

void SettingsTrial::worked_before(std::string_view module) {
  modules_.try_emplace(std::string(module), Module{true, 0});
}

void SettingsTrial::died(std::string_view module) {
  ++modules_[std::string(module)].deaths;
}

void SettingsTrial::settings_changed(std::string_view module) {
  if (const auto known = modules_.find(module); known != modules_.end()) known->second.deaths = 0;
}

void SettingsTrial::forget(std::string_view module) {
  if (const auto known = modules_.find(module); known != modules_.end()) modules_.erase(known);
}

bool SettingsTrial::works(std::string_view module) const {
  const auto known = modules_.find(module);
  return known != modules_.end() && known->second.works;
}

SettingsVerdict SettingsTrial::verdict(std::span<const ModuleStatus> witnesses) const {
  SettingsVerdict verdict;
  for (const ModuleStatus& module : witnesses) {
    if (!module.wanted || module.provisional) continue;
    const bool failed = is_failed(module.state);
    const bool tried_soon = failed && module.pace == RetryPace::quick && module.next_retry;
    const auto known = modules_.find(module.name);
    if (known != modules_.end() && known->second.deaths >= crash_loop) {
      return {.over = true, .failure = "module '" + module.name + "' keeps ending since they are in force"};
    }
    if (module.wait == StartGate::Wait::requirement) continue;
    if (failed && !tried_soon) {
      return {.over = true, .failure = "module '" + module.name + "' does not run since they are in force"};
    }
    // It has not been tried with them, and will be as soon as the others or the device let it start.
    const bool held = module.wait != StartGate::Wait::nothing;
    if (tried_soon || held || is_transient(module.state)) verdict.over = false;
  }
  return verdict;
}

bool uses_one_of(const ModuleManifest& manifest, std::span<const std::string> keys) {
  return std::ranges::any_of(keys, [&](const std::string& key) { return named_by(key, manifest.uses); });
}

}  // namespace starling::agent
