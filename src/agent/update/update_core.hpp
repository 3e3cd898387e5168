// Purpose: decides which release the device runs: takes the document's section `software`, has the release
// found, downloaded and unpacked, switches to it at its hour, and goes back if the device does not work with
// it. Sans-I/O but for the Disk: the tests cut its power at every step.
// Owner: DeviceCore. Thread: one. Lifetime: as long as the device runs; everything passed in outlives it.
//
// The commit point is the generation, which names the release: SettingsCore renames `current` once for both.
// What is in work is in the record (update.json), a step ahead of what is done; after a restart the record
// and the generation together say where to go on. See the transition table in the .cpp file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/disk.hpp"
#include "agent/seeded_random.hpp"
#include "agent/settings/settings_core.hpp"
#include "agent/update/package_desk.hpp"
#include "agent/update/release_check.hpp"
#include "agent/update/release_install.hpp"
#include "agent/update/update_port.hpp"
#include "agent/update/update_record.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "protocol/messages.hpp"
#include "protocol/software_document.hpp"

namespace starling::agent {

struct UpdateOptions {
  Milliseconds provisional{60'000};   // how long a release must hold before it is confirmed
  Milliseconds trial_retry{5'000};    // where that cannot be told then, or the disk does not take it
  Milliseconds trial_limit{900'000};  // how long modules, and a session with the hub, may take to come about
  Milliseconds first_pause{60'000};   // after what may be better later; doubled each time
  Milliseconds longest_pause{21'600'000};
  Milliseconds look_again{21'600'000};     // whether a release that was refused has become another one
  Milliseconds mend_again{86'400'000};     // what was mended and is damaged once more
  Milliseconds first_hubless{86'400'000};  // after a second trial in a row without the hub; doubled each time
  Milliseconds longest_hubless{691'200'000};
  std::uint64_t reserve_bytes = 8u << 20;  // of the disk, for the way back
};

class UpdateCore {
 public:
  static constexpr std::string_view no_hub =
      "no-hub";  // the fingerprint of a trial that ended for want of it
  static constexpr std::string_view no_installer = "no-package-installer";

  enum class State {
    idle,     // what runs is what is wanted
    seeking,  // what the release is
    downloading,
    installing,        // unpacking, and reading back
    staging_packages,  // Debian's that it needs are fetched
    waiting,           // for its hour
    installing_packages,
    equipping,  // what has to wait for them is made
    switching,
    provisional,
    going_back,
    paused,   // something is in the way that may go
    refused,  // or reverted: until something changes
  };

  UpdateCore(Disk& disk, const Clock& clock, SettingsCore& settings, SettingsListener& listener,
             UpdatePort& port, InstallTiming& timing, SeededRandom random, UpdateOptions options, Logger log);

  // Goes on where the last start was ended. Errors: those of Disk.
  Result<void> start();

  // ---- events
  void offer(const protocol::ConfigUpdate& update);
  void found(std::string_view version, Result<ReleaseTarget> target);
  void downloaded(const Digest& release, const Result<void>& result);
  void download_waits(const Digest& release, std::string fingerprint, std::string why);
  void environment_made(const Digest& release, const Result<void>& result);
  void link_changed();  // what it may be used for
  void hub_said(std::string_view fleet, WallTime time) { port_.hub_said(fleet, time); }
  void hub_session();                             // one has begun
  void hour_changed();                            // the one of the release that waits for it
  void keeper_counts(const StartCounts& counts);  // as it says them to a new agent
  void unhealthy(std::string fingerprint, std::string why);
  void modules_changed();  // while a release is on trial, one that has failed for good ends it
  // An operator wants it looked at now: whatever was refused or taken back may be tried once more.
  void check_now();
  void tick();
  std::optional<SteadyTime> next_deadline() const;

  // For what is still to be downloaded, unpacking it, and the way back: old releases go before there is too
  // little. Errors: unavailable (there is), those of Disk.
  Result<void> make_room(std::uint64_t bytes);

  // ---- what is so
  State state() const { return state_; }
  const UpdateRecord& record() const { return record_; }
  protocol::SectionState section() const;
  protocol::ConfigStatus status() const;
  std::string_view state_word() const;  // "pending", "downloading", ..., "confirmed"
  JsonObject report() const;
  JsonObject details() const;  // and what people on the device may want to know

 private:
  enum class Event {
    wanted,
    unwanted,
    resumed,
    found,
    known_bad,
    hindered,
    refused,
    downloaded,
    missing,
    unpacked,
    staged,
    mended,
    due,
    installed,
    switched,
    healthy,
    unhealthy,
    went_back,
  };
  struct Transition {
    State from;
    Event on;
    State to;
    std::optional<Event> (UpdateCore::*act)();
  };
  static const Transition transitions[];

  void step(Event event);

  // Actions of the table; each gives the event that follows at once, if any.
  std::optional<Event> seek();
  std::optional<Event> download();
  std::optional<Event> install();
  std::optional<Event> stage_packages();
  std::optional<Event> wait();
  std::optional<Event> install_packages();
  std::optional<Event> equip();
  std::optional<Event> switch_over();
  std::optional<Event> begin_trial();
  std::optional<Event> settle();
  std::optional<Event> settle_mended();
  std::optional<Event> go_back();
  std::optional<Event> settle_back();
  std::optional<Event> pause();
  std::optional<Event> refuse();
  std::optional<Event> refuse_again();
  std::optional<Event> drop();

  Result<void> reconcile();
  void resume_trial();
  void resume_work();
  void follow_section();
  void install_some();
  void begin_check();
  void check_some();
  void judge_trial();
  void leave_unwanted();
  void retry_for_hub();
  void forget_refusal();
  void leave_target();
  void look_at_refused();
  void keep_failure(RecordedStep became);
  DownloadWish download_wish() const;
  Result<void> check_target() const;
  bool needs_packages() const;
  bool lacks_installer() const { return record_.failure && record_.failure->fingerprint == no_installer; }
  bool installs_packages() const;
  std::optional<protocol::PackageAction> packages_due() const;
  std::optional<Event> ask(protocol::PackageAction action);
  void hear_packages();
  Event packages_fetched(const protocol::PackageAnswer& answer);
  void packages_installed(const protocol::PackageAnswer& answer);
  void packages_went_back(const protocol::PackageAnswer& answer);
  void packages_stay(const protocol::PackageAnswer& answer);
  void see_to_packages();
  Json packages_report() const;
  void collect();
  Result<std::optional<JsonObject>> content_of(const protocol::ConfigUpdate& update) const;
  void refuse_offer(const protocol::ConfigUpdate& update, std::string why);
  Result<void> put_section();
  void disk_refused(std::string_view what, const Error& error);
  void retry_disk();

  std::optional<std::string> wanted_version() const;
  JsonObject section_in_force() const;
  Digest wanted_hash() const;
  protocol::TiedSections tied() const;
  void tell_what_is_coming();
  std::string misfit(const protocol::TiedSections& with) const;
  bool runs_wanted_version() const;
  bool is_wanted(const Release& release) const { return wanted_version() == release.version; }
  bool runs_what_is_wanted() const;
  bool is_downloaded() const;
  bool is_settled() const { return state_ == State::refused; }
  // Which are not left in the middle.
  bool changes_packages() const {
    return desk_.asked() && desk_.asked()->action == protocol::PackageAction::install;
  }
  bool on_trial() const { return state_ == State::provisional || state_ == State::going_back; }
  std::optional<Event> fails(std::string fingerprint, std::string message, Event event);
  Result<void> record(RecordedStep step);
  void judge_starts();
  void note(RecordedStep step);  // where nothing depends on it: what failed is only logged
  void mark_bad(RecordedStep became);
  void tell();

  Disk& disk_;
  const Clock& clock_;
  SettingsCore& settings_;
  SettingsListener& listener_;
  UpdatePort& port_;
  InstallTiming& timing_;
  SeededRandom random_;
  UpdateOptions options_;
  Logger log_;

  PackageDesk desk_;
  State state_ = State::idle;
  UpdateRecord record_;
  std::optional<UpdateFailure> trouble_;  // of this attempt, until it is recorded
  std::optional<SteadyTime> deadline_;
  std::optional<ReleaseInstall> install_;
  std::optional<ReleaseCheck> check_;  // of what runs
  std::string damage_;                 // of what runs, that is to be mended
  std::string lasting_damage_;         // that is only told
  bool packages_stuck_ = false;        // in this start: they did not go back
  int downloads_ = 0;                  // in this attempt
  int pauses_ = 0;                     // since something went well
  StartCounts counts_;
  SteadyTime started_at_{};
  bool hub_seen_ = false;                    // in this start
  bool ends_ = false;                        // this agent does, for the next to judge
  int deaths_ = 0;                           // of modules in this trial, when it was looked at last
  InstallTiming::Answer hour_;               // when it was asked last
  std::optional<SteadyTime> disk_retry_at_;  // of the section, which the disk did not take
};

}  // namespace starling::agent
