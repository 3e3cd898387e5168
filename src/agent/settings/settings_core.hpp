// Purpose: decides which settings run on the device: takes documents from the hub and edits made here, asks
// the modules, commits, confirms or goes back. Sans-I/O but for the Disk: the simulator runs this very code.
// Owner: DeviceCore. Thread: one. Lifetime: as long as the device runs; everything passed in outlives it.
//
// One candidate is in work at a time. The newest document replaces one that is still being prepared; edits
// and their settlements wait in line. See the transition table in the .cpp file.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/disk.hpp"
#include "agent/seeded_random.hpp"
#include "agent/settings/edit_journal.hpp"
#include "agent/settings/generation_store.hpp"
#include "agent/settings/override_file.hpp"
#include "agent/settings/subscriptions.hpp"
#include "agent/settings/values.hpp"
#include "agent/update/download_policy.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "protocol/component.hpp"
#include "protocol/messages.hpp"
#include "protocol/software_document.hpp"

namespace starling::agent {

// The running modules, as far as settings go. `ready` means that nobody has to be waited for; otherwise the
// callback comes later, never from within the call, and not at all after rollback().
class ModulePort {
 public:
  enum class Answer { ready, waiting };
  using Prepared = std::function<void(std::vector<protocol::KeyError>)>;  // empty: all agree
  using Committed = std::function<void()>;

  virtual ~ModulePort() = default;
  virtual Answer prepare(const Values& next, std::span<const std::string> changed, Prepared answered) = 0;
  // `next` are in force from now on; modules that were not asked, or refused, are told them.
  virtual Answer commit(const Values& next, std::span<const std::string> changed, Committed done) = 0;
  virtual void rollback() = 0;
};

// The files that documents name.
class AssetPort {
 public:
  struct Standing {
    bool complete = false;  // all are there, and whole
    std::string failure;    // why one of them cannot be had; it is tried again
  };
  virtual ~AssetPort() = default;
  // These are fetched as far as the link may be used for it, and kept; all others may go.
  // SettingsCore::assets_changed() says when one has come or cannot, never from within the call.
  virtual void want(const std::vector<const protocol::Assets*>& all, const DownloadPolicy& link) = 0;
  virtual Standing standing(const protocol::Assets& some) const = 0;
};

// How the device works with provisional settings.
struct SettingsVerdict {
  bool over = true;     // else it cannot be told yet
  std::string failure;  // why they do not work; empty: they do
};

// What the settings core wants to have said to the hub, and to know of the device.
class SettingsListener {
 public:
  virtual ~SettingsListener() = default;
  virtual void status_changed(const protocol::ConfigStatus& status) = 0;
  virtual void section_needed(protocol::Section section) = 0;  // whole: a patch did not fit
  virtual void edits_pending() = 0;
  virtual void report_changed() = 0;
  // Modules that use one of these settings, and work: it is seen by them whether new ones do, too.
  virtual ModuleNames witnesses(std::span<const std::string> changed) const = 0;
  virtual SettingsVerdict verdict() const = 0;  // asked before they are confirmed
  // Until when an offer waits, after a start of the agent, for modules that have a say in it and are not
  // connected yet. Nothing: all are there.
  virtual std::optional<SteadyTime> modules_come_by() const = 0;
};

struct SettingsOptions {
  Milliseconds provisional{60'000};    // how long a document must hold before it is confirmed
  Milliseconds trial_retry{5'000};     // where that cannot be told then
  Milliseconds revert_retry{5'000};    // after a way back that the disk did not take
  Milliseconds drift_shown{600'000};   // how long drift is reported, and what was put right
  Milliseconds accepted_edit{60'000};  // how long an accepted edit waits for the document that contains it
  std::string state_folder{};          // as modules find it: what the paths of assets begin with
};

class SettingsCore {
 public:
  enum class State { idle, validating, preparing, persisting, switching, committing, provisional, resting };
  using EditDone = std::function<void(const Result<void>&)>;

  SettingsCore(Disk& disk, const Clock& clock, const protocol::Catalog& catalog, ModulePort& modules,
               SettingsListener& listener, SeededRandom random, SettingsOptions options, Logger log);

  // Before start(). Without, a document that names assets is refused.
  void use_assets(AssetPort& assets) { assets_ = &assets; }
  // Reads what is on disk and puts it in force. Errors: those of Disk.
  Result<void> start();

  // ---- events
  void offer(const protocol::ConfigUpdate& update);
  void settle_edit(const protocol::ConfigProposed& answer);
  // Device-side edits, by full key or alias; null goes back to what the hub wants. All or nothing; `done` is
  // called when they are durable and in force, or why not.
  void set(std::string_view key, Json value, EditDone done);
  void update_bulk(JsonObject values, EditDone done);
  void check_override();                 // the override file may have been edited by hand
  void modules_changed();                // a document that was refused may be agreed to now
  void something_is_kept_back();         // by the hub, because it was refused, by an earlier agent perhaps
  void try_refused_again();              // whatever it was refused for
  void unhealthy(std::string_view why);  // the device does not work with the provisional document
  void assets_changed();                 // one has come, or cannot
  void tick();
  std::optional<SteadyTime> next_deadline() const;

  // ---- the modules section, which is part of each generation and settles on its own
  const JsonObject& modules() const { return running_.modules; }
  const JsonObject& module_quarantine() const { return running_.quarantine; }
  // Durable and in force when it returns; the settings stay what they are. Errors: those of Disk.
  Result<void> put_modules(JsonObject modules, JsonObject quarantine);

  // ---- the software section, and the release that the generation runs on, likewise
  const JsonObject& software() const { return running_.software; }
  const std::optional<Release>& release() const { return running_.release; }
  const std::optional<Release>& confirmed_release() const { return confirmed_release_; }
  bool release_on_trial() const { return running_.release != confirmed_release_; }
  // Another release is on trial until it is confirmed, and so is what it brings along; the next start puts
  // that in force. Errors of all: those of Disk, and of fits().
  Result<void> put_software(JsonObject software, std::optional<Release> release,
                            const protocol::TiedSections& with = {});
  Result<void> confirm_release();
  Result<void> revert_release(std::string why);

  // ---- settings and modules that a release brings along: patches on those that run
  void is_coming(protocol::TiedSections with);  // its files are fetched, and kept
  // Whether this agent takes them. Errors: invalid_argument, naming the setting.
  Result<void> fits(const protocol::TiedSections& with) const;
  std::string holds_up(const protocol::TiedSections& with) const;  // for people; empty: nothing
  bool next_start_is_due() const { return next_start_is_due_; }
  bool is_tied() const { return running_.tied && release_on_trial(); }
  SettingsVerdict verdict_with_release() const;  // on what is tied to it

  // ---- what runs
  State state() const { return state_; }
  const Values& values() const { return values_; }
  const Values& values_for_modules() const { return heard_; }          // with paths in place of files' names
  const ModuleNames& witnesses() const { return running_.witnesses; }  // of a trial, or of how it ended
  void witnesses_told();                                               // all of them know the values in force
  const protocol::SettingsDocument& document() const { return running_.settings; }
  const protocol::Cursor& cursor() const { return running_.cursor; }
  const Digest& running_hash() const { return running_.settings_hash; }
  std::vector<protocol::SectionState> sections() const;
  protocol::ConfigStatus status() const;  // the last outcome: what a hub that missed it has to know
  std::vector<protocol::PendingEdit> pending_edits() const;  // not settled yet
  void mark_edits_sent() { journal_.mark_sent(); }
  const std::vector<Drift>& drift() const { return drift_; }
  void note_drift(std::string_view kind, std::string message);  // also of what is not settings
  JsonObject report() const;
  Subscriptions& subscriptions() { return subscriptions_; }
  const protocol::Catalog& catalog() const { return catalog_; }

 private:
  enum class Event {
    begun,
    valid,
    invalid,
    ready,
    refused,
    replaced,
    written,
    failed,
    switched,
    acknowledged,
    healthy,
    unhealthy
  };
  struct Transition {
    State from;
    Event on;
    State to;
    std::optional<Event> (SettingsCore::*act)();
  };
  static const Transition transitions[];

  enum class Kind { document, edit, settlement };
  enum class Origin { hub, module, override_file };
  struct Candidate {
    Kind kind = Kind::document;
    Origin origin = Origin::hub;
    Generation generation;                      // document
    Values edits;                               // edit: key → new value
    protocol::ConfigProposed answer;            // settlement
    std::optional<std::int64_t> expires_up_to;  // settlement of accepted edits without an answer: revision
    EditDone done;                              // edit
    // Worked out by validate():
    JournalEntries journal;
    bool journal_changed = false;
    Values values;
    Values heard;
    std::vector<std::string> changed;
    std::string override_content;
    std::vector<protocol::KeyError> errors;
    std::optional<ErrorCode> disk_error;  // why it cannot be kept
    std::size_t drift_before = 0;         // how much drift there was when the work began
  };

  void run_with(Generation generation);
  Generation stored_form() const;
  Result<protocol::SettingsDocument> with_patch(const JsonObject& patch) const;
  Result<void> lay_over(Generation& next, const protocol::TiedSections& with) const;
  void have_proved_themselves();
  Result<void> put(const Generation& next);
  Result<void> confirm_settings();
  void step(Event event);
  State resting_state() const { return provisional_until_ ? State::provisional : State::idle; }
  void try_again_later();
  void try_again();
  void ask_again();
  bool at_rest() const { return state_ == State::idle || state_ == State::provisional; }
  void begin_waiting();
  void judge_trial();

  // Actions of the table; each gives the event that follows at once, if any.
  std::optional<Event> validate();
  std::optional<Event> prepare();
  std::optional<Event> roll_back_and_validate();
  std::optional<Event> persist();
  std::optional<Event> switch_over();
  std::optional<Event> commit();
  std::optional<Event> settle();
  std::optional<Event> refuse();
  std::optional<Event> roll_back_and_refuse();
  std::optional<Event> confirm();
  std::optional<Event> revert();

  bool validate_document();
  bool validate_edit();
  bool validate_settlement();
  void put_in_journal(const std::string& key, const Json& value);
  void work_out_values(const protocol::SettingsDocument& document);
  void prepared(std::vector<protocol::KeyError> errors);

  Result<std::optional<protocol::SettingsDocument>> patched(const protocol::ConfigUpdate& update) const;
  const protocol::SettingsDocument* document_with(const Digest& hash) const;
  void refuse_offer(const protocol::ConfigUpdate& update, std::string message);
  void want_assets();
  DownloadPolicy link_policy() const;
  bool offer_is_staged() const;
  void say_what_offer_waits_for();
  Values heard_with(const Values& values, const protocol::SettingsDocument& document) const;
  void send_status(const Digest& target, protocol::Phase phase, std::vector<protocol::KeyError> errors = {});

  bool know_override(const Digest& hash);
  void absorb_hand_edit();
  void propose_hand_edits();
  void refuse_hand_edit(const Candidate& edit, const std::string& why);
  void write_override();
  void close_override();
  void keep_override_aside();
  void drift_is_put_right(std::string_view kind);
  JournalEntries unexpired_edits() const;
  void expire_accepted_edits(std::int64_t up_to_revision);
  void keep_sent_edits();

  Disk& disk_;
  const Clock& clock_;
  const protocol::Catalog& catalog_;
  ModulePort& modules_;
  SettingsListener& listener_;
  SeededRandom random_;
  SettingsOptions options_;
  Logger log_;
  AssetPort* assets_ = nullptr;

  GenerationStore store_;
  EditJournal journal_;
  Subscriptions subscriptions_;
  std::vector<Drift> drift_;

  State state_ = State::idle;
  bool stepping_ = false;
  Generation running_;
  std::optional<Release> confirmed_release_;
  Values values_;
  Values heard_;  // by modules
  Digest refused_;
  protocol::ConfigStatus refusal_;  // why refused_ was
  std::optional<SteadyTime> provisional_until_;
  std::optional<SteadyTime> accepted_until_;
  std::optional<SteadyTime> drift_until_;
  std::optional<SteadyTime> disk_retry_at_;
  std::string unhealthy_why_;       // not empty: go back as soon as nothing is in work
  bool way_back_unkept_ = false;    // by the disk
  bool refusal_may_pass_ = false;   // it was for the modules or the disk that refused_ was
  bool module_has_come_ = false;    // since the last refusal
  bool next_start_is_due_ = false;  // with what is on disk: nothing comes between
  protocol::TiedSections coming_;
  bool override_check_wanted_ = false;
  std::vector<Digest> known_overrides_;  // content of the override file that came from here
  Values hand_edits_;                    // by hand in it, and neither taken nor refused by its values yet

  std::optional<Candidate> candidate_;
  std::optional<Candidate> waiting_offer_;  // also for its assets
  std::deque<Candidate> waiting_edits_;
  std::vector<Candidate> unsettled_;  // settlements that the disk did not take
};

}  // namespace starling::agent
