// Purpose: what became of each module before this start of the agent: why it could not be enabled, how often
// it died of what, and how the last time. Owner: Supervisor. Thread: one. Lifetime: as long as the
// Supervisor.
//
// A death is written a moment later, with those that follow it, and counts from then on: whom the number was
// told sees it grow only, also when the agent is killed. Why a module could not be enabled is written at
// once.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/disk.hpp"
#include "agent/supervisor/deaths/death.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/log.hpp"

namespace starling::agent {

struct ModulePast {
  DeathCount deaths;       // that nobody asked for
  std::string quarantine;  // why the last enable was reverted; else empty
  bool waited = false;     // that enable, in vain, for a module that it requires
  bool by_hub = false;     // wanted by the hub, which may have taken that back
  std::optional<DeathReport> last_death;
};

class ModuleHistory {
 public:
  static constexpr std::string_view path = "module_history.json";
  static constexpr Milliseconds pause{500};                     // from a death to the file
  static constexpr std::size_t max_evidence_bytes = 64 * 1024;  // of all modules, and what else is long

  // What an earlier agent wrote is read; what cannot be read is forgotten, and logged.
  ModuleHistory(Disk& disk, const Clock& clock, Logger log);

  ModulePast of(std::string_view module) const;
  DeathCount deaths(std::string_view module) const;  // that are on disk
  std::vector<std::string> in_quarantine() const;

  void died(std::string_view module, const DeathReport& report);
  // As in ModulePast; an empty `why`: no longer.
  void quarantined(std::string_view module, std::string_view why, bool waited = false, bool by_hub = false);
  void forget(std::string_view module);  // its folder is gone

  // What is not on disk yet, at the deadline or before. Where that fails it is logged, and due again.
  void write();
  std::optional<SteadyTime> next_deadline() const { return write_at_; }

 private:
  struct Entry {
    ModulePast past;
    DeathCount written;
  };
  using Past = std::map<std::string, Entry, std::less<>>;
  static Result<Past> parse(std::string_view text);
  void write_after(Milliseconds time);

  Disk& disk_;
  const Clock& clock_;
  Logger log_;
  Past past_;
  std::optional<SteadyTime> write_at_;
};

}  // namespace starling::agent
