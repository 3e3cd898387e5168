// What the hub wants, where a start goes on, and what is said about it.
#include <fmt/format.h>

#include <algorithm>

#include "agent/update/update_core.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/merge_patch.hpp"
#include "protocol/version.hpp"

namespace starling::agent {

using protocol::Phase;
using protocol::Section;

namespace {

// Components that it brings may take what those of this agent do not.
constexpr std::string_view brought_components = "/payload/share/starling/components";
constexpr std::size_t max_section_bytes = 512u << 10;

Result<void> check_section(const JsonObject& section) {
  if (auto read = protocol::SoftwareDocument::from_json(section); !read) {
    return fail(read, "the section 'software' cannot be used");
  }
  if (boost::json::serialize(section).size() > max_section_bytes) {
    return fail(ErrorCode::too_large, "the section 'software' is too large");
  }
  return {};
}

}  // namespace

std::optional<std::string> UpdateCore::wanted_version() const {
  const Json* release = record_.section.if_contains(protocol::release_field);
  if (release == nullptr || !release->is_string()) return std::nullopt;
  return std::string(release->get_string());
}

// What goes with the release is in the other sections once it runs.
JsonObject UpdateCore::section_in_force() const {
  JsonObject section = record_.section;
  section.erase(protocol::with_field);
  return section;
}

protocol::TiedSections UpdateCore::tied() const {
  auto document = protocol::SoftwareDocument::from_json(record_.section);
  return document ? std::move(document->with) : protocol::TiedSections();
}

std::string UpdateCore::misfit(const protocol::TiedSections& with) const {
  if (with.empty() ||
      disk_.status(release_path(record_.target->release.hash) + std::string(brought_components)))
    return {};
  const auto fits = settings_.fits(with);
  return fits ? "" : "it comes with settings that this device does not take: " + fits.error().message;
}

bool UpdateCore::runs_wanted_version() const {
  const auto wanted = wanted_version();
  return !wanted || (settings_.release() && settings_.release()->version == *wanted);
}

Digest UpdateCore::wanted_hash() const {
  return protocol::hash_of(runs_wanted_version() ? section_in_force() : record_.section);
}

void UpdateCore::tell_what_is_coming() {
  settings_.is_coming(runs_wanted_version() ? protocol::TiedSections() : tied());
}

bool UpdateCore::runs_what_is_wanted() const {
  return runs_wanted_version() && (!wanted_version() || damage_.empty());
}

// ---- a start

Result<void> UpdateCore::start() {
  started_at_ = clock_.steady();
  auto opened = open_update_record(disk_);
  if (!opened) return fail(opened);
  if (!opened->damage.empty()) {
    log_.error(opened->damage);
    settings_.note_drift("corruption", opened->damage);
  }
  record_ = std::move(opened->record);
  tell_what_is_coming();
  if (settings_.release_on_trial()) {
    resume_trial();
  } else {
    resume_work();
  }
  if (state_ == State::idle) deadline_ = started_at_ + options_.provisional;  // then what runs is looked at
  collect();
  see_to_packages();
  return {};
}

// The generation names a release that has not proved itself, whatever is written down about it.
void UpdateCore::resume_trial() {
  const auto& runs = settings_.release();
  if (runs && (!record_.target || record_.target->release != *runs)) {
    record_.target = ReleaseTarget();
    record_.target->release = *runs;
    record_.step = RecordedStep::provisional;
  }
  if (record_.step == RecordedStep::going_back) {
    state_ = State::going_back;
    deadline_ = started_at_;
    return;
  }
  note(RecordedStep::provisional);
  state_ = State::provisional;
  deadline_ = started_at_ + options_.provisional;
  leave_unwanted();
  judge_starts();
  // The components may be its own.
  if (const auto fits = settings_.is_tied() ? settings_.fits({}) : Result<void>(); !fits) {
    unhealthy("settings-refused", "it does not take the settings that came with it: " + fits.error().message);
  }
}

void UpdateCore::resume_work() {
  const bool runs_target = record_.target && settings_.release() == record_.target->release;
  switch (record_.step) {
    case RecordedStep::provisional:
    case RecordedStep::going_back:
      if (runs_target) {
        note(RecordedStep::confirmed);
        break;
      }
      // Somebody went back for it. Where that could not be written down it was the disk's fault, and the
      // release is tried again later.
      if (record_.failure) {
        mark_bad(RecordedStep::reverted);
      } else {
        fails("agent-did-not-start", "the device went back before the agent could say why", Event::unhealthy);
        record_.failure = trouble_;
        keep_failure(RecordedStep::reverted);
      }
      if (record_.failure->fingerprint == no_hub) ++record_.hubless_trials;
      note(RecordedStep::reverted);
      [[fallthrough]];
    case RecordedStep::refused:
    case RecordedStep::reverted:
      state_ = State::refused;
      deadline_ = started_at_ + options_.look_again;
      if (record_.target && is_wanted(record_.target->release) && !lacks_installer()) return;
      break;
    case RecordedStep::downloading:
    case RecordedStep::installing:
    case RecordedStep::waiting:
    case RecordedStep::switching:
      if (runs_target) {
        note(RecordedStep::confirmed);
      } else if (record_.target && is_wanted(record_.target->release)) {
        return step(Event::resumed);
      }
      break;
    default: break;
  }
  follow_section();
}

// Where nothing is in work that has to end first: towards what the section says.
void UpdateCore::follow_section() {
  if (on_trial() || changes_packages()) return;
  if (!runs_what_is_wanted()) return step(Event::wanted);
  if (auto put = put_section(); !put) disk_refused("the software section is not kept", put.error());
  step(Event::unwanted);
}

// ---- what the hub says

void UpdateCore::offer(const protocol::ConfigUpdate& update) {
  auto content = content_of(update);
  if (!content) return refuse_offer(update, content.error().message);
  if (!*content) return listener_.section_needed(Section::software);
  // While it is on trial, what came with it is remembered: the hub says it again should it not stay.
  const bool same = **content == record_.section ||
                    (on_trial() && runs_wanted_version() && **content == section_in_force());
  if (same) **content = record_.section;
  UpdateRecord next = record_;
  next.section = std::move(**content);
  next.revision = update.revision;
  if (!same) {
    if (auto saved = save_update_record(disk_, next); !saved) {
      disk_refused("the software section is not taken", saved.error());
      return refuse_offer(update, saved.error().message);
    }
  }
  record_ = std::move(next);
  tell_what_is_coming();
  leave_unwanted();
  const bool in_work = state_ != State::idle && !runs_what_is_wanted();
  if (on_trial() || (same && in_work)) return tell();
  follow_section();
}

// None if its base is not here or the result is not what was announced.
Result<std::optional<JsonObject>> UpdateCore::content_of(const protocol::ConfigUpdate& update) const {
  Json content = update.payload;
  if (update.base) {
    if (update.base != section().applied) return std::nullopt;
    content = settings_.software();
    protocol::apply_merge_patch(content, update.payload);
  }
  const bool as_announced = protocol::hash_of(content) == update.hash;
  if (!as_announced && update.base) return std::nullopt;
  if (!as_announced || !content.is_object()) {
    return fail(ErrorCode::corrupted, "the section does not have the hash that it came with");
  }
  if (auto good = check_section(content.get_object()); !good) return fail(good);
  return std::move(content.get_object());
}

void UpdateCore::refuse_offer(const protocol::ConfigUpdate& update, std::string why) {
  log_.warning("the software section cannot be used", {{"revision", update.revision}, {"why", why}});
  protocol::ConfigStatus refusal = status();
  refusal.target = update.hash;
  refusal.phase = Phase::refused;
  refusal.errors = {{"", std::move(why)}};
  listener_.status_changed(refusal);
}

// As it is in the generation, where the release that runs is the one it names.
Result<void> UpdateCore::put_section() {
  JsonObject section = section_in_force();
  if (settings_.software() == section) return {};
  return settings_.put_software(std::move(section), settings_.release());
}

void UpdateCore::disk_refused(std::string_view what, const Error& error) {
  log_.warning(what, {{"error", error.message}});
  if (!disk_retry_at_) disk_retry_at_ = clock_.steady() + disk_retry;
}

// Without a hub, what it said last still is to be kept.
void UpdateCore::retry_disk() {
  if (!disk_retry_at_ || clock_.steady() < *disk_retry_at_) return;
  disk_retry_at_.reset();
  if (state_ == State::idle) follow_section();
  listener_.section_needed(Section::software);
}

void UpdateCore::check_now() {
  record_.bad.clear();
  packages_stuck_ = false;
  record_.hubless_trials = record_.hubless_until_ms = 0;
  pauses_ = 0;
  const bool anew = state_ == State::refused || state_ == State::paused;
  if (anew) record_.failure.reset();  // last_failed keeps what a refusal was for
  note(record_.step);
  if (anew) return follow_section();
  hour_changed();
  see_to_packages();
  begin_check();
}

// ---- what is said

protocol::SectionState UpdateCore::section() const {
  const Digest applied = protocol::hash_of(settings_.software());
  return {Section::software, applied, is_settled() ? wanted_hash() : Digest()};
}

std::string_view UpdateCore::state_word() const {
  switch (state_) {
    case State::idle: return "confirmed";
    case State::seeking: return "pending";
    case State::downloading: return "downloading";
    case State::installing:
    case State::staging_packages:
    case State::installing_packages:
    case State::equipping:
    case State::switching: return "installing";
    case State::waiting: return "waiting";
    case State::paused: return "pending";
    case State::provisional:
    case State::going_back: return "provisional";
    case State::refused: return record_.step == RecordedStep::reverted ? "reverted" : "refused";
  }
  return "";
}

protocol::ConfigStatus UpdateCore::status() const {
  const protocol::SectionState now = section();
  protocol::ConfigStatus status;
  status.section = Section::software;
  status.target = wanted_hash();
  status.running_revision = record_.revision;
  status.running = now.applied;
  switch (state_) {
    case State::idle: status.phase = Phase::applied; break;
    case State::provisional:
    case State::going_back: status.phase = Phase::provisional; break;
    case State::refused:
      status.phase = record_.step == RecordedStep::reverted ? Phase::reverted : Phase::refused;
      break;
    default: status.phase = Phase::staging;
  }
  if (record_.failure && !on_trial() && state_ != State::idle) {
    status.errors.push_back({"software.release", record_.failure->message});
  }
  return status;
}

JsonObject UpdateCore::report() const {
  JsonObject software;
  software["state"] = state_word();
  const auto version_of = [](const std::optional<Release>& release) {
    return release ? Json(JsonString(release->version)) : Json();
  };
  software["release"] = version_of(settings_.release());
  software["confirmed"] = version_of(settings_.confirmed_release());
  if (const auto wanted = wanted_version(); wanted && state_ != State::idle) software["wanted"] = *wanted;
  if (const std::string& damage = damage_.empty() ? lasting_damage_ : damage_; !damage.empty()) {
    software["damage"] = damage;
  }
  if (record_.packages) software["packages"] = packages_report();
  if (state_ == State::waiting) {
    if (!hour_.waits_for.empty()) software["waits_for"] = hour_.waits_for;
    if (hour_.switches_at) software["switches_at_ms"] = hour_.switches_at->time_since_epoch().count();
  }
  if (record_.failure && state_ != State::idle) {
    software["failure"] = JsonObject{{"fingerprint", record_.failure->fingerprint},
                                     {"message", record_.failure->message},
                                     {"at_ms", record_.failure->at_ms}};
  }
  if (const auto& failed = record_.last_failed) {
    software["last_failed"] = JsonObject{{"release", failed->version},
                                         {"became", to_string(failed->became)},
                                         {"fingerprint", failed->failure.fingerprint},
                                         {"message", failed->failure.message},
                                         {"at_ms", failed->failure.at_ms}};
  }
  return software;
}

JsonObject UpdateCore::details() const {
  JsonObject details = report();
  if (const auto wanted = wanted_version()) details["wanted"] = *wanted;
  details["step"] = to_string(record_.step);
  JsonArray refused;
  for (const BadRelease& one : record_.bad) {
    refused.push_back(JsonObject{{"sha256", one.hash.hex()},
                                 {"became", to_string(one.became)},
                                 {"message", one.failure.message},
                                 {"at_ms", one.failure.at_ms}});
  }
  details["refused"] = std::move(refused);
  return details;
}

void UpdateCore::tell() {
  listener_.status_changed(status());
  listener_.report_changed();
}

}  // namespace starling::agent
