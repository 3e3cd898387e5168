#include "agent/supervisor/open_alerts.hpp"

#include <algorithm>

#include "agent/supervisor/notify.hpp"

namespace starling::agent {

bool is_well(const ModuleStatus& module, SteadyTime now) {
  if (!module.wanted) return module.quarantine.empty();
  const bool runs = module.state == ModuleState::idle || module.state == ModuleState::recording;
  return runs && module.since && now - *module.since >= RestartPolicy::least_good_run;
}

void OpenAlerts::add(SupervisorAlert alert, WallTime at) {
  std::erase_if(open_, [&](const Open& open) {
    return open.alert.kind == alert.kind && open.alert.modules == alert.modules;
  });
  alert.text = printable_text(alert.text, max_text_bytes);
  open_.push_back({std::move(alert), at});
  if (open_.size() > most) open_.pop_front();
}

std::size_t OpenAlerts::end(const std::function<bool(const std::string& module)>& well) {
  return std::erase_if(open_,
                       [&](const Open& open) { return std::ranges::all_of(open.alert.modules, well); });
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
