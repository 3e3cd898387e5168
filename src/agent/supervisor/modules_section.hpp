// Purpose: decides which modules are enabled: the document's `modules` section, with the edits made on the
// device that the hub has not settled, without what could not be enabled. Sans-I/O but for the Disk.
// Owner: DeviceCore. Thread: one. Lifetime: as long as the device runs; everything passed in outlives it.
//
// The commit point of a section is a new generation, that of an edit its journal; what follows from them is
// carried out afterwards, and again at each start. Where neither says anything of a module, it is enabled as
// it shipped.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/settings/edit_journal.hpp"
#include "agent/settings/settings_core.hpp"
#include "agent/supervisor/supervised_module.hpp"

namespace starling::agent {

// The modules that there are.
class ModuleRunner {
 public:
  virtual ~ModuleRunner() = default;
  virtual std::vector<std::string> names() const = 0;  // sorted
  virtual bool is_enabled(std::string_view module) const = 0;
  virtual bool is_provisional(std::string_view module) const = 0;  // being enabled
  virtual bool is_held_up(std::string_view module) const = 0;      // by what may stay as it is for ever
  virtual bool is_ending(std::string_view module) const = 0;       // disabled, and its processes still live
  virtual bool is_shipped_enabled(std::string_view module) const = 0;
  // Was enabled when its folder went; it is among the names until nobody wants it any more.
  virtual bool is_missing(std::string_view module) const = 0;
  virtual void forget_missing(const std::string& module) = 0;
  virtual bool is_quarantined(std::string_view module) const = 0;  // it could not be enabled
  // Answered later, never from within the call.
  virtual void command(std::vector<Commanded> commands) = 0;
};

class ModulesSection {
 public:
  ModulesSection(Disk& disk, const Clock& clock, SettingsCore& settings, SettingsListener& listener,
                 SeededRandom random, Logger log);

  // Errors: those of Disk.
  Result<void> start();
  // The runner has read its modules, with said() for each, and outlives this.
  void run_by(ModuleRunner& runner) { runner_ = &runner; }

  // ---- what the hub says
  void offer(const protocol::ConfigUpdate& update);
  bool owns_edit(std::string_view id) const { return find(id) != journal_.entries().end(); }
  void settle_edit(const protocol::ConfigProposed& answer);

  // ---- what is said on the device
  // An edit: in force at once, and a proposal to the hub once it has settled or is held up. Errors in the
  // answer: not_found, those of Disk, those of Answered.
  void toggle(std::string_view module, bool enabled, Answered answered);
  // The same, in config.txt. Nobody waits for the answer: what the disk does not take is tried again.
  void edited_by_hand(const std::string& module, bool enabled);
  // Its files were replaced, and say something else of how it ships.
  void ships_anew(std::string_view module);

  // ---- what became of it
  void reverted(std::string_view module, std::string_view why);  // it could not be enabled
  void modules_changed();                                        // their states
  void module_gone(std::string_view module) { drop_refusal(module); }
  // If it could not be enabled and nobody has turned it off since: something has changed that may help.
  void try_again(std::string_view module);

  // ---- what is wanted
  // nullopt: nothing is said of it, so it is as it shipped.
  std::optional<bool> wanted(std::string_view module) const;
  // Somebody wants it off: that it could not be enabled once is past.
  bool is_turned_off(std::string_view module) const { return said(module) == false; }
  // That the hub did not accept what was said here of it last, for people; empty: nothing of the kind. In
  // memory only.
  std::string_view edit_refused(std::string_view module) const;
  // The journal could not be read at this start.
  bool edits_lost() const { return edits_lost_; }

  // ---- what the disk did not take
  void tick();
  std::optional<SteadyTime> next_deadline() const { return disk_retry_at_; }

  // ---- for the link
  std::vector<std::string> names() const;
  protocol::SectionState state() const;
  protocol::ConfigStatus status() const;
  std::vector<protocol::PendingEdit> pending_edits() const;  // that the hub may be told
  void mark_edits_sent();

 private:
  using Entries = JournalEntries::const_iterator;

  Entries find(std::string_view edit_id) const;
  std::optional<bool> said(std::string_view module) const;
  std::optional<bool> said_by_hub(std::string_view module) const;
  Digest running() const;
  protocol::Phase phase() const;
  Result<std::optional<JsonObject>> content_of(const protocol::ConfigUpdate& update) const;
  void refuse(const protocol::ConfigUpdate& update, std::string why);
  Result<void> settle(const JournalEntry& entry, const protocol::ConfigProposed& answer);
  void note_refusal(const protocol::PendingEdit& edit, const protocol::ConfigProposed& answer);
  void drop_refusal(std::string_view module);
  Result<void> take_back(std::string_view module, std::string_view why);
  void try_again_later(std::string_view what, const Error& error);
  void settle_again();
  Result<void> save(JsonObject document, JsonObject quarantine);
  Result<void> save(JournalEntries entries) { return journal_.save(std::move(entries), Digest()); }
  Result<void> note(std::string_view module, bool enabled);
  Answered with_last_word(std::string_view module, Answered answered) const;
  Result<void> put_in_journal(std::string_view module, bool enabled);
  Result<void> want_again(std::string_view module);
  Result<void> release(std::string_view module);
  struct Former {  // what was in force before the hub said something
    JsonObject document, quarantine;
  };
  void carry_out(const std::optional<Former>& former = std::nullopt);
  void tell();

  const Clock& clock_;
  SettingsCore& settings_;
  SettingsListener& listener_;
  SeededRandom random_;
  Logger log_;
  EditJournal journal_;
  ModuleRunner* runner_ = nullptr;
  bool edits_lost_ = false;

  std::int64_t revision_ = 0;  // as of which the section was offered; 0: not in this start
  Digest refused_;             // the section that is in force without what is in quarantine
  protocol::Phase told_ = protocol::Phase::applied;
  struct RefusedEdit {
    std::string text;
    std::optional<bool> stands;  // what the hub said of the module
  };
  std::map<std::string, RefusedEdit, std::less<>> refused_edits_;

  // What is not on disk yet.
  std::optional<SteadyTime> disk_retry_at_;
  bool section_missed_ = false;
  std::vector<protocol::ConfigProposed> unsettled_;
  std::map<std::string, std::string, std::less<>> unreverted_;  // module → why it could not be enabled
  std::set<std::string, std::less<>> unreleased_;               // mended, and still in quarantine
  std::map<std::string, bool, std::less<>> hand_edits_;
};

}  // namespace starling::agent
