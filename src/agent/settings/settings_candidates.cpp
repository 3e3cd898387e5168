// How documents, edits and settlements become candidates, and what each would put in force.
#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "agent/settings/settings_core.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/merge_patch.hpp"

namespace starling::agent {

using protocol::Phase;
using protocol::Section;

// ---- documents

void SettingsCore::offer(const protocol::ConfigUpdate& update) {
  if (update.section != Section::settings) {
    if (update.hash != protocol::hash_of(JsonObject{})) {
      refuse_offer(update, "this agent has no part that carries out the section '" +
                               std::string(to_string(update.section)) + "'");
    }
    return;
  }
  if (next_start_is_due_) return;  // its handshake says with what
  const bool stale =
      update.hub_generation == running_.cursor.hub_generation && update.revision < running_.cursor.revision;
  if (stale) {
    return refuse_offer(update, "older than revision " + std::to_string(running_.cursor.revision) +
                                    ", which runs on this device");
  }
  // In `committing` the candidate runs already.
  const bool document_in_work =
      candidate_ && candidate_->kind == Kind::document && state_ != State::committing;
  if (document_in_work && candidate_->generation.settings_hash == update.hash) return;
  if (!document_in_work && update.hash == running_.settings_hash) {
    waiting_offer_.reset();
    want_assets();
    running_.cursor = {update.hub_generation, update.revision};  // the same content under a newer label
    refused_ = {};
    if (accepted_until_) expire_accepted_edits(update.revision);
    return send_status(update.hash, provisional_until_ ? Phase::provisional : Phase::applied);
  }
  auto document = patched(update);
  if (!document) return refuse_offer(update, document.error().message);
  if (!*document) return listener_.section_needed(update.section);
  if (assets_ == nullptr && !(*document)->assets.empty()) {
    return refuse_offer(update, "it names assets, and this agent fetches none");
  }
  Candidate candidate;
  candidate.generation.cursor = {update.hub_generation, update.revision};
  candidate.generation.settings = std::move(**document);
  candidate.generation.settings_hash = update.hash;
  waiting_offer_ = std::move(candidate);
  want_assets();
  assets_changed();
}

const protocol::SettingsDocument* SettingsCore::document_with(const Digest& hash) const {
  if (hash == running_.settings_hash) return &running_.settings;
  if (candidate_ && candidate_->kind == Kind::document && candidate_->generation.settings_hash == hash) {
    return &candidate_->generation.settings;
  }
  if (waiting_offer_ && waiting_offer_->generation.settings_hash == hash) {
    return &waiting_offer_->generation.settings;
  }
  return nullptr;
}

// The document that the update makes; none if its base is not here or the result is not what was announced.
Result<std::optional<protocol::SettingsDocument>> SettingsCore::patched(
    const protocol::ConfigUpdate& update) const {
  Json content = update.payload;
  if (update.base) {
    const protocol::SettingsDocument* base = document_with(update.base);
    if (base == nullptr) return std::nullopt;
    content = base->to_json();
    protocol::apply_merge_patch(content, update.payload);
  }
  auto document = protocol::SettingsDocument::from_json(content);
  if (document && document->hash() == update.hash) return std::move(*document);
  if (update.base) return std::nullopt;
  if (!document) return fail(document);
  return fail(ErrorCode::corrupted, "the document does not have the hash that it came with");
}

void SettingsCore::refuse_offer(const protocol::ConfigUpdate& update, std::string message) {
  log_.warning("settings from the hub cannot be used",
               {{"section", to_string(update.section)}, {"revision", update.revision}, {"why", message}});
  protocol::ConfigStatus status;
  status.section = update.section;
  status.target = update.hash;
  status.phase = Phase::refused;
  status.errors.push_back({"", std::move(message)});
  if (update.section == Section::settings) {
    status.running_revision = running_.cursor.revision;
    status.running = running_.settings_hash;
  }
  listener_.status_changed(status);
}

// ---- edits

void SettingsCore::set(std::string_view key, Json value, EditDone done) {
  JsonObject values;
  values[key] = std::move(value);
  update_bulk(std::move(values), std::move(done));
}

void SettingsCore::update_bulk(JsonObject values, EditDone done) {
  constexpr std::size_t max_waiting_edits = 64;
  if (waiting_edits_.size() >= max_waiting_edits) {
    return done(fail(ErrorCode::rate_limited, "too many edits at once: wait for the former ones"));
  }
  Candidate candidate;
  candidate.kind = Kind::edit;
  candidate.origin = Origin::module;
  candidate.done = std::move(done);
  for (auto& member : values)
    candidate.edits[std::string(member.key())] = std::move(member.value());
  waiting_edits_.push_back(std::move(candidate));
  begin_waiting();
}

void SettingsCore::settle_edit(const protocol::ConfigProposed& answer) {
  Candidate candidate;
  candidate.kind = Kind::settlement;
  candidate.answer = answer;
  waiting_edits_.push_back(std::move(candidate));
  begin_waiting();
}

// ---- what a candidate would put in force

std::optional<SettingsCore::Event> SettingsCore::validate() {
  candidate_->drift_before = drift_.size();
  if (candidate_->kind == Kind::document) absorb_hand_edit();
  bool valid = false;
  switch (candidate_->kind) {
    case Kind::document: valid = validate_document(); break;
    case Kind::edit: valid = validate_edit(); break;
    case Kind::settlement: valid = validate_settlement(); break;
  }
  return valid ? Event::valid : Event::invalid;
}

bool SettingsCore::validate_document() {
  const Generation& next = candidate_->generation;
  for (const auto& [key, value] : next.settings.settings) {
    if (catalog_.component(protocol::component_of(key)) == nullptr) continue;  // nobody here would look at it
    if (auto valid = catalog_.validate(key, value); !valid) {
      candidate_->errors.push_back({key, valid.error().message});
    }
  }
  if (!candidate_->errors.empty()) return false;
  candidate_->journal = journal_.entries();
  // From this document on, what the hub accepted up to its revision comes from the hub.
  std::erase_if(candidate_->journal, [&](const JournalEntry& entry) {
    return entry.accepted_revision && *entry.accepted_revision <= next.cursor.revision;
  });
  candidate_->journal_changed = candidate_->journal.size() != journal_.entries().size();
  work_out_values(next.settings);
  return true;
}

bool SettingsCore::validate_edit() {
  candidate_->journal = journal_.entries();
  for (const auto& [name, value] : candidate_->edits) {
    const auto setting = catalog_.require(name);
    if (!setting) {
      candidate_->errors.push_back({name, setting.error().message});
      continue;
    }
    const std::string& key = (*setting)->key;
    if ((*setting)->owner == protocol::SettingOwner::hub) {
      candidate_->errors.push_back({key, "only the hub sets this"});
      continue;
    }
    if (value.is_null()) {
      put_in_journal(key, value);
      continue;
    }
    auto valid = catalog_.validate(key, value);
    if (!valid) {
      candidate_->errors.push_back({key, valid.error().message});
    } else if (!same_value(*valid, values_.find(key)->second)) {
      put_in_journal(key, *valid);
    }
  }
  if (!EditJournal::fits(candidate_->journal)) {
    candidate_->errors.push_back({"", "too many or too large edits wait for the hub to settle them"});
  }
  if (!candidate_->errors.empty()) return false;
  work_out_values(running_.settings);
  return true;
}

void SettingsCore::put_in_journal(const std::string& key, const Json& value) {
  JournalEntries& journal = candidate_->journal;
  candidate_->journal_changed = true;
  const auto unsent = std::find_if(journal.begin(), journal.end(), [&](const JournalEntry& entry) {
    return entry.edit.key == key && !entry.sent && !entry.accepted_revision;
  });
  const std::int64_t now = clock_.wall().time_since_epoch().count();
  if (unsent != journal.end()) {  // the hub has not seen it: one proposal from the first value to the last
    unsent->edit.to = value;
    unsent->edit.at_ms = now;
    return;
  }
  JournalEntry entry;
  entry.edit.id = random_.uuid();
  entry.edit.key = key;
  entry.edit.from = values_.find(key)->second;
  entry.edit.to = value;
  entry.edit.at_ms = now;
  journal.push_back(std::move(entry));
}

// Edits may have gone to the hub while modules were asked about a later one of the same key: what the hub has
// seen is not changed, the later value becomes a proposal of its own.
void SettingsCore::keep_sent_edits() {
  JournalEntries& next = candidate_->journal;
  for (const JournalEntry& entry : journal_.entries()) {
    if (!entry.sent) continue;
    const auto same = std::find_if(next.begin(), next.end(),
                                   [&](const JournalEntry& one) { return one.edit.id == entry.edit.id; });
    if (same == next.end()) continue;
    same->sent = true;
    if (same_value(same->edit.to, entry.edit.to)) continue;
    JournalEntry later = *same;
    later.edit.id = random_.uuid();
    later.edit.from = entry.edit.to;
    later.sent = false;
    same->edit = entry.edit;
    next.push_back(std::move(later));
  }
}

bool SettingsCore::validate_settlement() {
  const protocol::ConfigProposed& answer = candidate_->answer;
  candidate_->journal = journal_.entries();
  JournalEntries& journal = candidate_->journal;
  if (const auto up_to = candidate_->expires_up_to) {
    std::erase_if(journal, [&](const JournalEntry& one) {
      return one.accepted_revision && *one.accepted_revision <= *up_to;
    });
    candidate_->journal_changed = journal.size() != journal_.entries().size();
  }
  const auto entry = std::find_if(journal.begin(), journal.end(), [&](const JournalEntry& one) {
    return !one.accepted_revision && !answer.id.empty() && one.edit.id == answer.id;
  });
  if (entry != journal.end()) {
    candidate_->journal_changed = true;
    const std::string key = entry->edit.key;
    if (answer.accepted && answer.revision > running_.cursor.revision && !entry->edit.to.is_null()) {
      entry->accepted_revision = answer.revision;
      accepted_until_ = clock_.steady() + options_.accepted_edit;
      log_.info("the hub accepted an edit made here", {{"key", key}, {"revision", answer.revision}});
    } else {
      if (!answer.accepted) {
        log_.warning("the hub did not accept an edit made here, its value stands",
                     {{"key", key}, {"why", answer.message}});
      }
      journal.erase(entry);
    }
  }
  work_out_values(running_.settings);
  return true;
}

void SettingsCore::work_out_values(const protocol::SettingsDocument& document) {
  candidate_->values = values_in_force(catalog_, document, candidate_->journal);
  candidate_->heard = heard_with(candidate_->values, document);
  candidate_->changed = changed_keys(heard_, candidate_->heard);
  candidate_->override_content = override_text(catalog_, candidate_->values);
}

// Accepted edits that the running document already contains are not edits any more.
JournalEntries SettingsCore::unexpired_edits() const {
  JournalEntries entries = journal_.entries();
  std::erase_if(entries, [&](const JournalEntry& entry) {
    return entry.accepted_revision && *entry.accepted_revision <= running_.cursor.revision;
  });
  return entries;
}

// The hub's document does not differ by them, or none came: what the document says is what the hub wants.
void SettingsCore::expire_accepted_edits(std::int64_t up_to_revision) {
  if (up_to_revision == std::numeric_limits<std::int64_t>::max()) accepted_until_.reset();
  Candidate candidate;
  candidate.kind = Kind::settlement;
  candidate.expires_up_to = up_to_revision;
  waiting_edits_.push_back(std::move(candidate));
  begin_waiting();
}

// ---- the override file

void SettingsCore::check_override() {
  if (!at_rest() || stepping_) {
    override_check_wanted_ = true;
    return;
  }
  override_check_wanted_ = false;
  absorb_hand_edit();
  if (waiting_edits_.empty()) write_override();
  begin_waiting();
}

// Whether it was not known before.
bool SettingsCore::know_override(const Digest& hash) {
  if (std::ranges::find(known_overrides_, hash) != known_overrides_.end()) return false;
  known_overrides_.push_back(hash);
  return true;
}

// Puts a hand edit in line, if there is one; done before anything overwrites the file.
void SettingsCore::absorb_hand_edit() {
  const auto text = disk_.read_file(override_path, max_override_bytes);
  if (!text && text.error().code != ErrorCode::too_large) return;
  const bool known = text && !know_override(sha256(*text));
  if (text && *text == override_text(catalog_, values_)) {  // an edit may have been undone by hand
    hand_edits_.clear();
    return propose_hand_edits();
  }
  if (known) return;
  const auto file = text ? parse_override(catalog_, *text) : Result<Values>(fail(text));
  hand_edits_ = file ? override_edits(catalog_, values_, *file) : Values();
  propose_hand_edits();
  if (!hand_edits_.empty()) {
    log_.info("an edit of the override file becomes a proposal", {{"settings", hand_edits_.size()}});
  }
  if (file) return;
  const std::string message = std::string(override_path) + " was edited by hand and cannot be used (" +
                              file.error().message + "); kept as " + std::string(override_aside_path);
  log_.warning(message);
  note_drift(local_edit, message);
  keep_override_aside();
  override_check_wanted_ = stepping_;  // a refusal would leave the file missing
  listener_.report_changed();
}

// In place of those that still wait.
void SettingsCore::propose_hand_edits() {
  std::erase_if(waiting_edits_, [](const Candidate& one) { return one.origin == Origin::override_file; });
  if (hand_edits_.empty()) return;
  Candidate candidate;
  candidate.kind = Kind::edit;
  candidate.origin = Origin::override_file;
  candidate.edits = hand_edits_;
  waiting_edits_.push_back(std::move(candidate));
}

void SettingsCore::refuse_hand_edit(const Candidate& edit, const std::string& why) {
  note_drift(local_edit, std::string(override_path) + " was edited by hand: " + why);
  override_check_wanted_ = false;
  if (edit.disk_error) return;  // it stays in the file, and is tried again
  hand_edits_.clear();
  keep_override_aside();
  write_override();
}

void SettingsCore::keep_override_aside() {
  const bool kept = disk_.rename(override_path, override_aside_path) && disk_.sync_folder("");
  if (!kept) log_.warning("the former override file could not be kept");
}

void SettingsCore::write_override() {
  Values shown = values_;
  for (const auto& [key, value] : hand_edits_) {
    shown[key] = value;
    if (value.is_null()) shown.erase(key);
  }
  const std::string content = override_text(catalog_, shown);
  const Digest hash = sha256(content);
  const auto present = disk_.read_file(override_path, max_override_bytes);
  if (!present || *present != content) {
    if (auto written = replace_file(disk_, override_path, content, 0600); !written) {
      log_.warning("cannot write the override file", {{"error", written.error().message}});
      know_override(hash);  // what is there is no hand edit because of that
      return try_again_later();
    }
  }
  known_overrides_.assign(1, hash);
  if (hand_edits_.empty()) drift_is_put_right(local_edit);
}

// Earlier agents let everybody read it.
void SettingsCore::close_override() {
  const auto file = disk_.status(override_path);
  if (!file || file->kind != Disk::Status::Kind::file || (file->mode & 0077) == 0) return;
  const auto text = disk_.read_file(override_path, max_override_bytes);
  if (!text) return;
  if (auto closed = replace_file(disk_, override_path, *text, 0600); !closed) {
    log_.warning("everybody on this device may read the override file until the next start",
                 {{"error", closed.error().message}});
  }
}

// ---- what the disk did not take

void SettingsCore::try_again_later() {
  if (!disk_retry_at_) disk_retry_at_ = clock_.steady() + disk_retry;
}

void SettingsCore::try_again() {
  disk_retry_at_.reset();
  if (way_back_unkept_ && !put(stored_form())) try_again_later();
  absorb_hand_edit();  // before anything overwrites the file
  propose_hand_edits();
  std::ranges::move(std::exchange(unsettled_, {}), std::back_inserter(waiting_edits_));
  override_check_wanted_ = true;
  begin_waiting();
  ask_again();
}

}  // namespace starling::agent
