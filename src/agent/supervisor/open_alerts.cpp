#include "agent/supervisor/open_alerts.hpp"

#include <algorithm>

#include "base/printable_text.hpp"

namespace starling::agent {

bool is_well(const ModuleStatus& module, SteadyTime now) {
  if (!module.wanted) return module.quarantine.empty();
  const bool runs = module.state == ModuleState::idle || module.state == ModuleState::recording;
  return runs && module.since && now - *module.since >= RestartPolicy::least_good_run;
}

bool is_over(SupervisorAlert::Kind kind, const ModuleStatus& module, SteadyTime now) {
  const bool well = is_well(module, now);
  switch (kind) {
    case SupervisorAlert::Kind::crash_loop: return well || module.pace != RetryPace::slow;
    case SupervisorAlert::Kind::memory_hold: return well || module.pace != RetryPace::memory_hold;
    case SupervisorAlert::Kind::needs_help:
      return !module.unkillable && (well || module.pace != RetryPace::never);
    case SupervisorAlert::Kind::died_together: return well;
  }
  return well;
}

void OpenAlerts::add(SupervisorAlert alert, WallTime at) {
  std::erase_if(open_, [&](const Open& open) {
    return open.alert.kind == alert.kind && std::ranges::includes(alert.modules, open.alert.modules);
  });
  alert.text = printable_text(alert.text, max_text_bytes);
  open_.push_back({std::move(alert), at});
  if (open_.size() > most) open_.pop_front();
}

std::size_t OpenAlerts::end(const Over& over) {
  return std::erase_if(open_, [&](const Open& open) {
    return std::ranges::all_of(open.alert.modules,
                               [&](const std::string& module) { return over(open.alert.kind, module); });
  });
}

JsonArray OpenAlerts::told() const {
  JsonArray all;
  for (const Open& open : open_) {
    JsonArray modules;
    for (const std::string& module : open.alert.modules)
      modules.push_back(JsonString(module));
    all.push_back(JsonObject{{"kind", to_string(open.alert.kind)},
                             {"modules", std::move(modules)},
                             {"text", open.alert.text},
                             {"at_ms", open.at.time_since_epoch().count()}});
  }
  return all;
}

}  // namespace starling::agent
