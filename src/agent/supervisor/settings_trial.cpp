#include "agent/supervisor/settings_trial.hpp"

#include <algorithm>

namespace starling::agent {

void SettingsTrial::begin(const SupervisorCore& core, const SessionRecovery& recovery,
                          const KnownBefore& known_before) {
  for (const ModuleStatus& module : core.statuses()) {
    const bool is_wanted = module.wanted && !module.provisional;
    if (is_wanted && known_before(module.name) && recovery.was_ready(module.name)) worked_before(module.name);
  }
}

void SettingsTrial::follow(const SupervisorCore& core) {
  const auto news = core.journal().after(followed_);
  followed_ = core.journal().newest();
  for (const Transition& transition : news.transitions)
    is(transition.module, transition.to);
  if (!news.gap) return;
  for (const ModuleStatus& module : core.statuses())
    is(module.name, module.state);
}

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

SettingsVerdict SettingsTrial::verdict(const SupervisorCore& core, const ModuleNames& witnesses) const {
  std::vector<ModuleStatus> statuses;
  for (const std::string& name : witnesses)
    if (auto status = core.status(name)) statuses.push_back(*std::move(status));
  return verdict(statuses);
}

bool uses_one_of(const ModuleManifest& manifest, std::span<const std::string> keys) {
  return std::ranges::any_of(keys, [&](const std::string& key) { return named_by(key, manifest.uses); });
}

}  // namespace starling::agent
