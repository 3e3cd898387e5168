// Purpose: what the hub may ask of modules once: start, stop or restart one, hand over logs. Parameters and
// results: docs/wire-protocol.md. Owner: Agent. Thread: one. Lifetime: outlives ActionCore.
#pragma once

#include "agent/hub_link/action_core.hpp"
#include "agent/supervisor/supervisor.hpp"

namespace starling::agent {

// {"module": NAME, "command": "start" | "stop" | "restart" | "reconcile"} → {"state": ...}, once it has
// settled. To reconcile goes to many devices: who has no such module is as it should be ({"state": null}).
class ModuleCommandRunner final : public ActionRunner {
 public:
  explicit ModuleCommandRunner(Supervisor& supervisor) : supervisor_(supervisor) {}
  void run(const protocol::Action& action, Done done) override;

 private:
  Supervisor& supervisor_;
};

// {"modules": [NAME...], "max_bytes": N}, both optional → {"logs": {NAME: newest lines}}.
class CollectLogsRunner final : public ActionRunner {
 public:
  static constexpr std::int64_t most_bytes = 120'000;  // of all: escapes make the result longer

  explicit CollectLogsRunner(Supervisor& supervisor) : supervisor_(supervisor) {}
  void run(const protocol::Action& action, Done done) override;

 private:
  Result<std::vector<std::string>> wanted(const protocol::Action& action) const;
  Supervisor& supervisor_;
};

}  // namespace starling::agent
