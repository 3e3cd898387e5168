// Purpose: what somebody should know of the device's modules, for as long as it is so. Owner: Supervisor.
// Thread: one. Lifetime: the Supervisor's.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>

#include "agent/supervisor/module_status.hpp"
#include "agent/supervisor/supervisor_core.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"

namespace starling::agent {

// It need not run, or has done so for as long as the restart policy asks for to begin anew.
bool is_well(const ModuleStatus& module, SteadyTime now);

// What an alert of that kind says of the module is past.
bool is_over(SupervisorAlert::Kind kind, const ModuleStatus& module, SteadyTime now);

class OpenAlerts {
 public:
  static constexpr std::size_t most = 16;  // the newest
  static constexpr std::size_t max_text_bytes = 512;

  // In place of those of the same kind about the same modules, or some of them. The modules are sorted.
  void add(SupervisorAlert alert, WallTime at);
  // Ends those that are over for all their modules. How many that were.
  using Over = std::function<bool(SupervisorAlert::Kind kind, const std::string& module)>;
  std::size_t end(const Over& over);
  // {"kind", "modules", "text", "at_ms"} of each, newest last.
  JsonArray told() const;

 private:
  struct Open {
    SupervisorAlert alert;
    WallTime at;
  };
  std::deque<Open> open_;
};

}  // namespace starling::agent
