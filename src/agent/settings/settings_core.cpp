#include "agent/settings/settings_core.hpp"

#include <algorithm>
#include <limits>

namespace starling::agent {

using protocol::ConfigStatus;
using protocol::Phase;
using protocol::Section;

namespace {

JsonObject to_json(const Drift& drift) {
  JsonObject json;
  json["kind"] = drift.kind;
  json["message"] = drift.message;
  json["at_ms"] = drift.at_ms;
  return json;
}

std::string joined(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys)
    text += (text.empty() ? "" : ", ") + key;
  return text;
}

}  // namespace

// `resting` stands for idle or, while a document has to prove itself, provisional.
const SettingsCore::Transition SettingsCore::transitions[] = {
    // from              event                to                 action
    {State::idle, Event::begun, State::validating, &SettingsCore::validate},
    {State::provisional, Event::begun, State::validating, &SettingsCore::validate},
    {State::validating, Event::valid, State::preparing, &SettingsCore::prepare},
    {State::validating, Event::invalid, State::resting, &SettingsCore::refuse},
    {State::preparing, Event::ready, State::persisting, &SettingsCore::persist},
    {State::preparing, Event::refused, State::resting, &SettingsCore::roll_back_and_refuse},
    {State::preparing, Event::replaced, State::validating, &SettingsCore::roll_back_and_validate},
    {State::persisting, Event::written, State::switching, &SettingsCore::switch_over},
    {State::persisting, Event::failed, State::resting, &SettingsCore::roll_back_and_refuse},
    {State::switching, Event::switched, State::committing, &SettingsCore::commit},
    {State::switching, Event::failed, State::resting, &SettingsCore::roll_back_and_refuse},
    {State::committing, Event::acknowledged, State::resting, &SettingsCore::settle},
    {State::provisional, Event::healthy, State::resting, &SettingsCore::confirm},
    {State::provisional, Event::unhealthy, State::resting, &SettingsCore::revert},
};

SettingsCore::SettingsCore(Disk& disk, const Clock& clock, const protocol::Catalog& catalog,
                           ModulePort& modules, SettingsListener& listener, SeededRandom random,
                           SettingsOptions options, Logger log)
    : disk_(disk),
      clock_(clock),
      catalog_(catalog),
      modules_(modules),
      listener_(listener),
      random_(random),
      options_(std::move(options)),
      log_(log),
      store_(disk, clock, log),
      journal_(disk, clock, EditJournal::settings_path, log) {}

Result<void> SettingsCore::start() {
  auto opened = store_.open();
  if (!opened) return fail(opened);
  auto journal_drift = journal_.open();
  if (!journal_drift) return fail(journal_drift);
  confirmed_release_ = std::move(opened->confirmed_release);
  if (opened->current) opened->current->tied &= opened->current->release != confirmed_release_;
  drift_ = std::move(opened->drift);
  drift_.insert(drift_.end(), journal_drift->begin(), journal_drift->end());
  if (opened->current && !opened->settings_confirmed) {
    // What came with a release is tried as long as that.
    provisional_until_ = clock_.steady();
    if (!opened->current->tied) *provisional_until_ += options_.provisional;
  }
  run_with(opened->current ? std::move(*opened->current) : defaults_generation());
  if (!drift_.empty()) drift_until_ = clock_.steady() + options_.drift_shown;
  state_ = resting_state();
  known_overrides_ = store_.known_override_hashes();
  for (const Digest& hash : journal_.override_hashes())
    known_overrides_.push_back(hash);
  if (provisional_until_) {  // perhaps the first document, and no generation is of the time before it
    const Values defaults = values_in_force(catalog_, default_document(catalog_), {});
    known_overrides_.push_back(sha256(override_text(catalog_, defaults)));
  }
  if (!drift_.empty()) {
    // Derived from what cannot be read any more, for all that is known: not an edit by hand.
    if (const auto text = disk_.read_file(override_path, max_override_bytes)) {
      known_overrides_.push_back(sha256(*text));
    }
  }
  const bool accepted = std::any_of(journal_.entries().begin(), journal_.entries().end(),
                                    [](const JournalEntry& entry) { return entry.accepted_revision; });
  if (accepted) accepted_until_ = clock_.steady() + options_.accepted_edit;
  values_ = values_in_force(catalog_, running_.settings, unexpired_edits());
  heard_ = heard_with(values_, running_.settings);
  log_.info("settings loaded", {{"generation", running_.number},
                                {"revision", running_.cursor.revision},
                                {"hash", running_.settings_hash.hex().substr(0, 12)},
                                {"confirmed", !provisional_until_}});
  close_override();
  want_assets();
  check_override();
  return {};
}

void SettingsCore::run_with(Generation generation) {
  running_ = std::move(generation);
  if (running_.taken_back) {
    refused_ = refusal_.target = running_.taken_back->hash;
    refusal_.phase = Phase::reverted;
    refusal_.errors = {{"", running_.taken_back->why}};
  }
  if (!has_defaults(running_)) return;
  running_.settings = default_document(catalog_);
  running_.settings_hash = running_.settings.hash();
}

// As it is written: while no hub has said anything, the settings are the defaults, whatever they are.
Generation SettingsCore::stored_form() const {
  if (!running_.cursor.hub_generation.empty()) return running_;
  Generation stored = defaults_generation();
  stored.modules = running_.modules;
  stored.quarantine = running_.quarantine;
  stored.software = running_.software;
  stored.release = running_.release;
  stored.override_hash = sha256(override_text(catalog_, values_));
  stored.witnesses = running_.witnesses;
  stored.taken_back = running_.taken_back;
  stored.tied = running_.tied;
  return stored;
}

Result<void> SettingsCore::put(const Generation& next) {
  const auto number = store_.write(next);
  if (!number) return fail(number);
  if (auto switched = store_.switch_to(*number); !switched) return switched;
  const bool way_back_taken = std::exchange(way_back_unkept_, false);
  running_.number = *number;
  running_.modules = next.modules;
  running_.quarantine = next.quarantine;
  running_.software = next.software;
  running_.release = next.release;
  if (!provisional_until_ && !release_on_trial()) {
    // Should this fail, the next start finds by their content what has proved itself.
    if (auto confirmed = store_.confirm(); !confirmed) {
      log_.warning("cannot confirm the generation", {{"error", confirmed.error().message}});
    }
  }
  if (way_back_taken) {
    absorb_hand_edit();  // while a generation still says what is none
    write_override();
    want_assets();
  }
  store_.collect();
  return {};
}

Result<void> SettingsCore::put_modules(JsonObject modules, JsonObject quarantine) {
  Generation next = stored_form();
  next.modules = std::move(modules);
  next.quarantine = std::move(quarantine);
  return put(next);
}

Result<void> SettingsCore::confirm_settings() {
  if (!release_on_trial()) return store_.confirm();
  return store_.confirm(GenerationStore::Part::settings, stored_form());
}

// ---- the machine

void SettingsCore::step(Event event) {
  const bool outermost = !stepping_;
  stepping_ = true;
  std::optional<Event> next = event;
  while (next) {
    const auto found =
        std::find_if(std::begin(transitions), std::end(transitions),
                     [&](const Transition& row) { return row.from == state_ && row.on == *next; });
    if (found == std::end(transitions)) break;
    if (found->to != State::resting) state_ = found->to;
    next = (this->*found->act)();
    if (found->to == State::resting) state_ = resting_state();
  }
  if (!outermost) return;
  stepping_ = false;
  begin_waiting();
}

void SettingsCore::begin_waiting() {
  while (at_rest() && !stepping_) {
    const bool judged_here = state_ == State::provisional && !is_tied();
    if (!unhealthy_why_.empty() && judged_here && clock_.steady() >= *provisional_until_) {
      step(Event::unhealthy);
      return;
    }
    if (!waiting_edits_.empty()) {
      candidate_ = std::move(waiting_edits_.front());
      waiting_edits_.pop_front();
    } else if (offer_is_staged()) {
      candidate_ = std::move(*waiting_offer_);
      waiting_offer_.reset();
    } else {
      break;
    }
    stepping_ = true;
    step(Event::begun);
    stepping_ = false;
  }
  if (at_rest() && override_check_wanted_) check_override();
}

std::optional<SettingsCore::Event> SettingsCore::prepare() {
  // The values may be the running ones: only the document's label or the journal changes then.
  if (candidate_->changed.empty()) return Event::ready;
  const auto answer =
      modules_.prepare(candidate_->heard, candidate_->changed,
                       [this](std::vector<protocol::KeyError> errors) { prepared(std::move(errors)); });
  if (answer == ModulePort::Answer::ready) return Event::ready;
  if (candidate_->kind == Kind::document) {
    send_status(candidate_->generation.settings_hash, Phase::staging);
  }
  return std::nullopt;
}

void SettingsCore::prepared(std::vector<protocol::KeyError> errors) {
  if (state_ != State::preparing) return;
  if (errors.empty()) return step(Event::ready);
  if (candidate_->kind == Kind::settlement) {
    // The hub's value stands, whatever a module thinks of it; it ran with that value before the edit.
    note_drift(failed_apply, "after an edit was not accepted: " + errors.front().message);
    return step(Event::ready);
  }
  candidate_->errors = std::move(errors);
  step(Event::refused);
}

std::optional<SettingsCore::Event> SettingsCore::roll_back_and_validate() {
  modules_.rollback();
  candidate_ = std::move(*waiting_offer_);
  waiting_offer_.reset();
  return validate();
}

std::optional<SettingsCore::Event> SettingsCore::persist() {
  if (candidate_->kind != Kind::document) return Event::written;  // the journal is written in one step
  if (next_start_is_due_) {
    candidate_->errors.push_back({"", "the device begins anew with another release"});
    return Event::failed;
  }
  candidate_->generation.modules = running_.modules;
  candidate_->generation.quarantine = running_.quarantine;
  candidate_->generation.software = running_.software;
  candidate_->generation.release = running_.release;
  candidate_->generation.tied = running_.tied;
  candidate_->generation.override_hash = sha256(candidate_->override_content);
  // What an earlier change broke, while it is on trial, is not forgotten over a later one.
  candidate_->generation.witnesses = running_.witnesses;
  candidate_->generation.witnesses.merge(listener_.witnesses(candidate_->changed));
  const auto number = store_.write(candidate_->generation);
  if (!number) {
    candidate_->disk_error = number.error().code;
    candidate_->errors.push_back({"", number.error().message});
    return Event::failed;
  }
  candidate_->generation.number = *number;
  return Event::written;
}

std::optional<SettingsCore::Event> SettingsCore::switch_over() {
  Result<void> switched;
  if (candidate_->kind == Kind::document) {
    switched = store_.switch_to(candidate_->generation.number);
  } else if (candidate_->journal_changed) {
    keep_sent_edits();
    switched = journal_.save(candidate_->journal, sha256(candidate_->override_content));
  }
  if (switched) return Event::switched;
  candidate_->disk_error = switched.error().code;
  candidate_->errors.push_back({"", switched.error().message});
  return Event::failed;
}

std::optional<SettingsCore::Event> SettingsCore::commit() {
  values_ = candidate_->values;
  heard_ = std::move(candidate_->heard);
  if (candidate_->kind == Kind::document) {
    running_ = std::move(candidate_->generation);
    way_back_unkept_ = false;
    refused_ = {};
    unhealthy_why_.clear();
    const std::size_t healed = std::min(candidate_->drift_before, drift_.size());
    drift_.erase(drift_.begin(), drift_.begin() + static_cast<std::ptrdiff_t>(healed));
    provisional_until_ = clock_.steady() + options_.provisional;
  }
  if (candidate_->origin == Origin::override_file) hand_edits_.clear();
  // Before the hub hears of it: whoever waited for this device finds its file up to date.
  write_override();
  auto answer = ModulePort::Answer::ready;
  if (!candidate_->changed.empty()) {
    answer = modules_.commit(heard_, candidate_->changed, [this] { step(Event::acknowledged); });
  }
  if (candidate_->kind == Kind::document) send_status(running_.settings_hash, Phase::provisional);
  if (candidate_->kind == Kind::document || !candidate_->changed.empty()) {
    log_.info(candidate_->kind == Kind::document ? "settings applied" : "device-side edit applied",
              {{"revision", running_.cursor.revision},
               {"hash", running_.settings_hash.hex().substr(0, 12)},
               {"changed", joined(candidate_->changed)}});
  }
  if (!candidate_->changed.empty()) {
    const std::vector<std::string> changed = candidate_->changed;
    subscriptions_.notify(running_.cursor.revision, heard_, changed);
  }
  if (answer == ModulePort::Answer::waiting) return std::nullopt;
  return Event::acknowledged;
}

std::optional<SettingsCore::Event> SettingsCore::settle() {
  const Candidate done = std::move(*candidate_);
  candidate_.reset();
  if (done.kind == Kind::document) {
    if (done.journal_changed) {
      // If this does not get through, the entries are left out again at the next start.
      if (auto saved = journal_.save(done.journal, sha256(done.override_content)); !saved) {
        log_.warning("edits that the hub has taken over stay in the journal",
                     {{"error", saved.error().message}});
      }
    }
    store_.collect();
  }
  want_assets();
  if (done.kind == Kind::edit && done.journal_changed) listener_.edits_pending();
  if (done.done) done.done({});
  listener_.report_changed();
  return std::nullopt;
}

std::optional<SettingsCore::Event> SettingsCore::roll_back_and_refuse() {
  const bool asked = !candidate_->changed.empty();
  const bool document = candidate_->kind == Kind::document;
  const bool by_disk = candidate_->disk_error.has_value();
  if (asked) modules_.rollback();
  if (by_disk) try_again_later();
  const auto next = refuse();
  if (document) refusal_may_pass_ = asked || by_disk;
  return next;
}

void SettingsCore::modules_changed() {
  module_has_come_ = true;
  ask_again();
  if (waiting_offer_) begin_waiting();
}

void SettingsCore::something_is_kept_back() {
  refusal_may_pass_ = true;
  if (module_has_come_) ask_again();
}

// The hub, for its document: all of it, also what it has kept back since that was refused.
void SettingsCore::ask_again() {
  if (refusal_may_pass_) try_refused_again();
}

void SettingsCore::try_refused_again() {
  refusal_may_pass_ = module_has_come_ = false;
  refused_ = {};
  listener_.section_needed(Section::settings);
}

std::optional<SettingsCore::Event> SettingsCore::refuse() {
  const Candidate refused = std::move(*candidate_);
  candidate_.reset();
  std::string why;
  for (const protocol::KeyError& error : refused.errors) {
    why += (why.empty() ? "" : "; ") + (error.key.empty() ? "" : error.key + ": ") + error.message;
  }
  if (refused.kind == Kind::document) {
    refused_ = refused.generation.settings_hash;
    refusal_may_pass_ = module_has_come_ = false;
    log_.warning("settings refused, the former ones stay in force",
                 {{"revision", refused.generation.cursor.revision}, {"why", why}});
    send_status(refused_, Phase::refused, refused.errors);
    want_assets();
  } else if (refused.kind == Kind::settlement) {  // by the disk: nobody else is asked
    log_.warning("what the hub says of an edit cannot be kept, trying again", {{"why", why}});
    const auto same =
        std::ranges::find(unsettled_, refused.answer.id, [](const Candidate& one) { return one.answer.id; });
    Candidate& again = same == unsettled_.end() ? unsettled_.emplace_back() : *same;
    again.kind = Kind::settlement;
    again.answer = refused.answer;
    again.expires_up_to = std::max(again.expires_up_to, refused.expires_up_to);
  } else {
    log_.warning("device-side edit refused", {{"why", why}});
    if (refused.origin == Origin::override_file) refuse_hand_edit(refused, why);
    if (refused.done) refused.done(fail(refused.disk_error.value_or(ErrorCode::invalid_argument), why));
  }
  listener_.report_changed();
  return std::nullopt;
}

std::optional<SettingsCore::Event> SettingsCore::confirm() {
  if (auto confirmed = confirm_settings(); !confirmed) {
    log_.error("cannot confirm the settings, trying again", {{"error", confirmed.error().message}});
    provisional_until_ = clock_.steady() + options_.provisional;
    return std::nullopt;
  }
  have_proved_themselves();
  return std::nullopt;
}

void SettingsCore::have_proved_themselves() {
  provisional_until_.reset();
  running_.witnesses.clear();
  store_.collect();
  want_assets();
  log_.info("settings confirmed", {{"revision", running_.cursor.revision}});
  send_status(running_.settings_hash, Phase::applied);
  listener_.report_changed();
}

std::optional<SettingsCore::Event> SettingsCore::revert() {
  auto former = store_.revert_settings(running_, unhealthy_why_);
  if (!former) {
    note_drift(failed_apply, "the settings do not work (" + unhealthy_why_ +
                                 ") and the confirmed ones cannot be put back: " + former.error().message);
    provisional_until_ = clock_.steady() + options_.revert_retry;
    listener_.report_changed();
    return std::nullopt;
  }
  const std::string why = std::exchange(unhealthy_why_, "");
  way_back_unkept_ = !former->kept;
  if (way_back_unkept_) {
    log_.error("settings that do not work are tried again after a restart, trying to note that down",
               {{"error", former->kept.error().message}});
    try_again_later();
  }
  run_with(std::move(former->generation));
  drift_is_put_right(failed_apply);
  provisional_until_.reset();
  values_ = values_in_force(catalog_, running_.settings, unexpired_edits());
  const Values before = std::exchange(heard_, heard_with(values_, running_.settings));
  const auto changed = changed_keys(before, heard_);
  log_.warning("settings reverted", {{"revision", running_.cursor.revision}, {"why", why}});
  // Nobody can refuse what ran before; nor does the way back wait for anybody.
  modules_.commit(heard_, changed, [] {});
  write_override();
  store_.collect();
  want_assets();
  send_status(refused_, Phase::reverted, refusal_.errors);
  if (!changed.empty()) subscriptions_.notify(running_.cursor.revision, heard_, changed);
  witnesses_told();
  listener_.report_changed();
  return std::nullopt;
}

void SettingsCore::witnesses_told() {
  if (provisional_until_ || running_.witnesses.empty()) return;
  running_.witnesses.clear();
  if (auto written = put_modules(running_.modules, running_.quarantine); !written) {
    log_.warning("the next agent tells once more that settings were taken back",
                 {{"error", written.error().message}});
  }
}

// ---- time

void SettingsCore::tick() {
  const SteadyTime now = clock_.steady();
  if (state_ == State::provisional && !is_tied() && now >= *provisional_until_) judge_trial();
  if (at_rest() && accepted_until_ && now >= *accepted_until_) {
    expire_accepted_edits(std::numeric_limits<std::int64_t>::max());
  }
  if (at_rest() && disk_retry_at_ && now >= *disk_retry_at_) try_again();
  if (waiting_offer_) begin_waiting();
  if (drift_until_ && now >= *drift_until_) {
    drift_until_.reset();
    drift_.clear();
    listener_.report_changed();
  }
}

void SettingsCore::judge_trial() {
  if (unhealthy_why_.empty()) {
    SettingsVerdict verdict = listener_.verdict();
    if (!verdict.over) {
      provisional_until_ = clock_.steady() + options_.trial_retry;
      return;
    }
    unhealthy_why_ = std::move(verdict.failure);
  }
  step(unhealthy_why_.empty() ? Event::healthy : Event::unhealthy);
}

std::optional<SteadyTime> SettingsCore::next_deadline() const {
  if (!at_rest()) return std::nullopt;
  std::optional<SteadyTime> next;
  if (!is_tied()) next = provisional_until_;
  const auto modules = waiting_offer_ ? listener_.modules_come_by() : std::nullopt;
  for (const auto& other : {accepted_until_, drift_until_, disk_retry_at_, modules}) {
    if (other && (!next || *other < *next)) next = other;
  }
  return next;
}

void SettingsCore::unhealthy(std::string_view why) {
  if (!provisional_until_) return;
  unhealthy_why_ = why;
  provisional_until_ = clock_.steady();
  begin_waiting();
}

// ---- what is said

void SettingsCore::send_status(const Digest& target, Phase phase, std::vector<protocol::KeyError> errors) {
  ConfigStatus status;
  status.section = Section::settings;
  status.target = target;
  status.running_revision = running_.cursor.revision;
  status.running = running_.settings_hash;
  status.phase = phase;
  status.errors = std::move(errors);
  if (phase == Phase::refused || phase == Phase::reverted) refusal_ = status;
  listener_.status_changed(status);
}

protocol::ConfigStatus SettingsCore::status() const {
  ConfigStatus status;
  if (refused_ && refused_ == refusal_.target) {
    status = refusal_;
  } else {
    status.target = running_.settings_hash;
    status.phase = provisional_until_ ? Phase::provisional : Phase::applied;
  }
  status.section = Section::settings;
  status.running_revision = running_.cursor.revision;
  status.running = running_.settings_hash;
  return status;
}

std::vector<protocol::SectionState> SettingsCore::sections() const {
  return {{Section::settings, running_.settings_hash, refused_}};
}

std::vector<protocol::PendingEdit> SettingsCore::pending_edits() const {
  std::vector<protocol::PendingEdit> pending;
  for (const JournalEntry& entry : journal_.entries()) {
    if (!entry.accepted_revision) pending.push_back(entry.edit);
  }
  return pending;
}

JsonObject SettingsCore::report() const {
  JsonObject settings;
  settings["revision"] = running_.cursor.revision;
  settings["hash"] = running_.settings_hash.hex();
  settings["phase"] = provisional_until_ ? "provisional" : "applied";
  JsonArray pending;
  for (const protocol::PendingEdit& edit : pending_edits())
    pending.push_back(JsonString(edit.key));
  settings["pending"] = std::move(pending);
  JsonArray drift, put_right;
  for (const Drift& one : drift_)
    (one.put_right ? put_right : drift).push_back(to_json(one));
  JsonObject report;
  report["settings"] = std::move(settings);
  if (!drift.empty()) report["drift"] = std::move(drift);
  if (!put_right.empty()) report["put_right"] = std::move(put_right);
  return report;
}

void SettingsCore::note_drift(std::string_view kind, std::string message) {
  constexpr std::size_t kept = 8;
  if (!drift_.empty() && drift_.back().message == message) drift_.pop_back();  // tried again, the same again
  if (drift_.size() >= kept) drift_.erase(drift_.begin());
  drift_.push_back({std::string(kind), std::move(message), clock_.wall().time_since_epoch().count()});
  drift_until_ = clock_.steady() + options_.drift_shown;
}

void SettingsCore::drift_is_put_right(std::string_view kind) {
  for (Drift& one : drift_)
    one.put_right |= one.kind == kind;
}

}  // namespace starling::agent
