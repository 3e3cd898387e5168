// Purpose: keeps `enabled` in each module's config.txt what the generation settled on, and tells an edit by
// hand from what it wrote itself. Owner: Agent. Thread: one. Lifetime: outlives SupervisorCore.
//
// What each config.txt was last known to say is kept in a file of its own, written after them: what differs
// from it was written by somebody else, also while the agent was away. What it said when the agent saw it
// first is kept there before it is changed: that is what counts where nothing is said, and after a factory
// reset.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "agent/disk.hpp"
#include "agent/supervisor/module_status.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace starling::agent {

// The modules' config.txt.
class ConfigFiles {
 public:
  virtual ~ConfigFiles() = default;
  // Else it is a folder of something else, or one whose module.toml has not come yet: nothing is written
  // there.
  virtual bool holds_module(std::string_view module) const = 0;
  // nullopt: nothing of whether it is enabled. Errors: those of reading it, invalid_argument.
  virtual Result<std::optional<bool>> says(std::string_view module) = 0;
  // Durable when it returns; everything else in the file stays.
  virtual Result<void> write_enabled(std::string_view module, bool enabled) = 0;
};

class ConfigMirror {
 public:
  static constexpr std::string_view path = "mirrored_modules.json";

  // What was known is read; without it every config.txt is taken for unedited.
  ConfigMirror(ConfigFiles& files, Disk& disk, Logger log);

  // How a module begins: as hub and device say, else as it shipped. With `edits_lost`, which said what was
  // decided on the device, its config.txt says it.
  struct Beginning {
    bool enabled = false;
    bool proved = true;             // else it is being enabled: config.txt has not followed, or was first
    std::optional<bool> hand_edit;  // of config.txt, while the agent was away
  };
  Beginning begin(std::string_view module, std::optional<bool> config, std::optional<bool> said,
                  bool edits_lost = false, bool is_another = false);
  // What its config.txt said at first; false: nothing.
  bool shipped(std::string_view module) const;
  // What the module's config.txt was last known to say.
  std::optional<bool> known(std::string_view module) const;
  // What it says now, after a hand edit.
  void found(std::string_view module, bool enabled);
  // It says nothing any more, and is written again.
  void lost(std::string_view module);
  // What it says now, having come with the rest of the module: it ships so from now on.
  void ships(std::string_view module, bool enabled);
  // The module.toml is another one than that which was there when its config.txt was looked at last. An
  // empty `stamp`: it is not there.
  bool is_another(std::string_view module, const std::string& stamp) const;
  void note_stamp(std::string_view module, const std::string& stamp);
  // Somebody is at work in its folder: nothing is written there, until that is over.
  void leave_alone(std::string_view module) { left_alone_.emplace(module); }
  void take_up(std::string_view module);
  void forget(std::string_view module);  // its folder is gone
  // Writes what has settled and is not there yet. An error is the first of all; call again. One file that
  // cannot be written keeps no other from being written.
  Result<void> sync(std::span<const ModuleStatus> modules);
  // Each config.txt says again what it shipped with. One that cannot be written is logged.
  void restore_shipped();
  // Of a module whose file could not be written, else empty.
  std::string_view problem(std::string_view module) const;
  // Whether a module's problem has come, changed or gone since this was asked last.
  bool take_problems_changed() { return std::exchange(problems_changed_, false); }

 private:
  void read();
  bool must_write(const ModuleStatus& module);
  void ship(std::string_view module, bool enabled);
  Result<void> save();
  void note(std::string_view module, bool enabled);
  void tell_problem(std::string_view module, const std::string& why);

  ConfigFiles& files_;
  Disk& disk_;
  Logger log_;
  std::map<std::string, bool, std::less<>> mirrored_, shipped_;
  std::map<std::string, std::string, std::less<>> stamps_;  // of each module.toml
  std::set<std::string, std::less<>> left_alone_;
  std::set<std::string, std::less<>> on_trial_;  // enabled by hand, and not settled since
  std::map<std::string, std::string, std::less<>> problems_;
  bool problems_changed_ = false;
  bool unsaved_ = false;
  bool shipped_unsaved_ = false;
};

}  // namespace starling::agent
