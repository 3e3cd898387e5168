#include "agent/supervisor/config_mirror.hpp"

namespace starling::agent {

Result<void> ConfigMirror::sync(std::span<const ModuleStatus> modules) {
  Result<void> outcome;
  for (const ModuleStatus& module : modules) {
    const auto mirrored = mirrored_.find(module.name);
    if (!module.settled || (mirrored != mirrored_.end() && mirrored->second == module.enabled)) continue;
    const auto written = files_.write_enabled(module.name, module.enabled);
    if (written) {
      found(module.name, module.enabled);
      problems_.erase(module.name);
      continue;
    }
    const std::string& why = written.error().message;
    if (problem(module.name) != why) {
      log_.error("config.txt cannot be brought in step", {{"module", module.name}, {"why", why}});
    }
    problems_[module.name] = why;
    if (outcome) outcome = written;
  }
  return outcome;
}

std::string_view ConfigMirror::problem(std::string_view module) const {
  const auto found = problems_.find(module);
  return found == problems_.end() ? std::string_view() : std::string_view(found->second);
}

}  // namespace starling::agent
