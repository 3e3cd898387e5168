// Purpose: keeps `enabled` in each module's config.txt what the generation settled on. Owner: Agent.
// Thread: one. Lifetime: outlives SupervisorCore.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "agent/supervisor/module_status.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace starling::agent {

// The modules' config.txt.
class ConfigFiles {
 public:
  virtual ~ConfigFiles() = default;
  // Durable when it returns; everything else in the file stays.
  virtual Result<void> write_enabled(std::string_view module, bool enabled) = 0;
};

class ConfigMirror {
 public:
  ConfigMirror(ConfigFiles& files, Logger log) : files_(files), log_(log) {}

  // What its config.txt says now: at the start, and after a hand edit.
  void found(std::string_view module, bool enabled) { mirrored_[std::string(module)] = enabled; }
  // Writes what has settled and is not there yet. An error is the first of all; call again. One file that
  // cannot be written keeps no other from being written.
  Result<void> sync(std::span<const ModuleStatus> modules);
  // Of a module whose file could not be written, else empty.
  std::string_view problem(std::string_view module) const;

 private:
  ConfigFiles& files_;
  Logger log_;
  std::map<std::string, bool, std::less<>> mirrored_;
  std::map<std::string, std::string, std::less<>> problems_;
};

}  // namespace starling::agent
