// Purpose: tells by the modules that worked when new settings came whether the device works with them. No
// I/O. Owner: Supervisor. Thread: one. Lifetime: a start of the agent.
//
// A module works from when it is ready until it fails; one that is stopped, or on its way up, still does.
// What did not work before the settings came says nothing about them, nor does what waits for a
// module that is broken. One that waits for its turn, or for memory, is still to be tried.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "agent/settings/settings_core.hpp"
#include "agent/supervisor/folders/manifest.hpp"
#include "agent/supervisor/module_status.hpp"
#include "agent/supervisor/supervisor_core.hpp"

namespace starling::agent {

class SettingsTrial {
 public:
  static constexpr int crash_loop = 3;  // deaths with the same settings

  // ---- what becomes of modules
  // It is known what runs. What has not come up yet worked if it did when the last agent ended.
  using KnownBefore = std::function<bool(const std::string& module)>;  // to an earlier agent
  void begin(const SupervisorCore& core, const SessionRecovery& recovery, const KnownBefore& known_before);
  void follow(const SupervisorCore& core);              // since the last call
  void is(std::string_view module, ModuleState state);  // after each transition
  void worked_before(std::string_view module);  // when the last agent ended; what has been seen since counts
  void died(std::string_view module);           // unasked
  void settings_changed(std::string_view module);  // that it uses: the deaths before are not theirs
  void forget(std::string_view module);

  bool works(std::string_view module) const;
  SettingsVerdict verdict(std::span<const ModuleStatus> witnesses) const;
  SettingsVerdict verdict(const SupervisorCore& core, const ModuleNames& witnesses) const;

 private:
  struct Module {
    bool works = false;
    int deaths = 0;
  };
  std::map<std::string, Module, std::less<>> modules_;
  std::uint64_t followed_ = 0;  // transitions
};

// Whether it uses one of these settings.
bool uses_one_of(const ModuleManifest& manifest, std::span<const std::string> keys);

}  // namespace starling::agent
