// Purpose: the applied documents on disk, and the one commit point: renaming the link `current`.
// Owner: SettingsCore. Thread: one. Lifetime: the core's.
//
//   generations/7/document.json    one applied document, all sections, never changed afterwards
//   generations/corrupt-5/         one that could not be read, kept for a look
//   current   -> generations/7     what runs
//   confirmed -> generations/6     the way back, until 7 has proved itself
//
// Order of an apply: write 7/document.json (fsync), sync its folder, sync `generations`, rename `current`,
// sync the state folder. Before the rename a crash leaves the old document, after it the new one.
//
// Sections prove themselves apart: while one is still on trial, what `confirmed` names is a generation of its
// own, which never ran as a whole but each section of which did. Those that a release brought along do not:
// they are confirmed with it, or it takes them back with itself.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/disk.hpp"
#include "agent/settings/drift.hpp"
#include "agent/update/release.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "protocol/document.hpp"
#include "protocol/messages.hpp"

namespace starling::agent {

using ModuleNames = std::set<std::string, std::less<>>;

// Settings that did not work, and were replaced by the ones before.
struct TakenBack {
  Digest hash;
  std::string why;
  bool operator==(const TakenBack&) const = default;
};

struct Generation {
  std::int64_t number = 0;  // 0: the defaults, not on disk
  protocol::Cursor cursor;
  protocol::SettingsDocument settings;
  Digest settings_hash;
  JsonObject modules;              // the section as applied: without what is in quarantine
  JsonObject quarantine;           // module → why it could not be enabled
  JsonObject software;             // the section as applied
  std::optional<Release> release;  // that it runs on; none: what was installed with the system
  Digest override_hash;            // of config_override.json as derived when this was written
  // Modules that worked when the settings came, and use what they changed. Empty: they have proved
  // themselves. With `taken_back`: those that may not have heard that these are back in force.
  ModuleNames witnesses;
  std::optional<TakenBack> taken_back;  // in favour of these
  // While the release is on trial: settings and modules came with it, and stay or go with it.
  bool tied = false;
};

class GenerationStore {
 public:
  GenerationStore(Disk& disk, const Clock& clock, Logger log) : disk_(disk), clock_(clock), log_(log) {}

  struct Opened {
    std::optional<Generation> current;  // none: never had one, or none was readable
    bool settings_confirmed = false;    // those of current have proved themselves
    std::optional<Release> confirmed_release;
    std::vector<Drift> drift;
  };
  // Reads `current`, falls back to `confirmed`, then to nothing; unreadable ones are moved aside.
  // Errors: those of Disk that are not about one file's content.
  Result<Opened> open();

  // What the link `current` or `confirmed` names, as it is; none if it cannot be read. Errors: as open().
  Result<std::optional<Generation>> peek(std::string_view link);

  // Durable, but not in force. Gives the number.
  Result<std::int64_t> write(const Generation& generation);
  // The commit point. If it fails, `current` is what it was.
  Result<void> switch_to(std::int64_t number);
  enum class Part { settings, release };
  // All of `current` has proved itself, or a part of it, while the other is on trial.
  Result<void> confirm();
  Result<void> confirm(Part part, const Generation& running);
  // Puts that part of `confirmed` in force again, or of the defaults if there is none, with the rest of
  // `running`, which settles on its own; on a full disk, where nothing can be written, perhaps all of it.
  // Why settings are taken back is durable with it: they are not tried again after a restart.
  struct Reverted {
    Generation generation;
    Result<void> kept;  // what can run need not be on disk: a restart goes on with what is
  };
  Result<Reverted> revert_settings(const Generation& running, std::string why);
  Result<Generation> revert_release(const Generation& running, std::string why);
  // Removes generations that no link names.
  void collect();

  // Override hashes of every readable generation on disk: the file may be derived from any after a crash.
  std::vector<Digest> known_override_hashes();

 private:
  Result<Generation> load(std::int64_t number);
  Result<std::optional<std::int64_t>> number_of(std::string_view link);
  Result<std::optional<Generation>> load_link(std::string_view link, std::vector<Drift>& drift);
  Result<std::vector<std::int64_t>> numbers();
  Result<std::optional<Generation>> load_confirmed();
  Result<void> remove_link(std::string_view link);
  Result<Generation> put_back(Generation back, const Generation& proved, bool all_may_go_back);
  Result<void> switch_to_confirmed();
  Result<void> stay_at_current();

  Disk& disk_;
  const Clock& clock_;
  Logger log_;
  std::int64_t last_number_ = 0;
  std::optional<std::int64_t> current_;
  std::optional<std::int64_t> confirmed_;
};

// One whose settings are the defaults, whatever they are: its document names no component.
Generation defaults_generation();
inline bool has_defaults(const Generation& generation) {
  return generation.settings.components.empty();
}

std::string generation_text(const Generation& generation);
// Errors: corrupted.
Result<Generation> parse_generation(std::string_view text);

}  // namespace starling::agent
