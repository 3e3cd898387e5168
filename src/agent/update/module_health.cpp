#include "agent/update/module_health.hpp"

#include <algorithm>

#include "agent/supervisor/settings_trial.hpp"

namespace starling::agent {

std::vector<std::string> ready_ones(const std::vector<ModuleStatus>& modules) {
  std::vector<std::string> names;
  for (const ModuleStatus& module : modules)
    if (is_ready(module.state)) names.push_back(module.name);
  return names;
}

ReleaseVerdict judge_modules(const std::vector<ModuleStatus>& modules,
                             const std::vector<std::string>& were_ready) {
  ReleaseVerdict verdict;
  for (const ModuleStatus& module : modules) {
    const bool was = std::ranges::find(were_ready, module.name) != were_ready.end();
    if (!was) continue;
    if (!module.quarantine.empty()) {
      verdict.failure =
          "module '" + module.name + "' is in quarantine with this release: " + module.quarantine;
      verdict.hopeless = true;
      continue;
    }
    if (!module.wanted) continue;
    const bool failed = is_failed(module.state);
    const int deaths = module.restarts + (failed ? 1 : 0);
    verdict.deaths += deaths;
    if (deaths >= SettingsTrial::crash_loop) {
      verdict.failure = "module '" + module.name + "' keeps ending with this release";
      verdict.hopeless = true;
    }
    if (is_ready(module.state)) continue;
    const bool tried_soon = failed && module.pace == RetryPace::quick && module.next_retry;
    if (is_transient(module.state) || tried_soon || !module.waits_for.empty()) {
      verdict.over = false;
      verdict.waits_for =
          "module '" + module.name + "' is not ready with this release: " +
          (module.waits_for.empty() ? "it is " + std::string(to_string(module.state)) : module.waits_for);
      continue;
    }
    verdict.failure = "module '" + module.name + "' is " + std::string(to_string(module.state)) +
                      " with this release, and ought to be ready";
  }
  return verdict;
}

}  // namespace starling::agent
