#include "agent/supervisor/modules_section.hpp"

#include <algorithm>

#include "base/printable_text.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/merge_patch.hpp"
#include "protocol/modules_document.hpp"

namespace starling::agent {

using protocol::Phase;
using protocol::Section;

namespace {

constexpr std::size_t shown_refusal = 200;

std::optional<bool> bool_of(const Json& value) {
  return value.is_bool() ? std::optional(value.get_bool()) : std::nullopt;
}

std::optional<bool> enabled_in(const JsonObject& document, std::string_view module) {
  const Json* member = document.if_contains(module);
  if (member == nullptr || !member->is_object()) return std::nullopt;
  const Json* enabled = member->get_object().if_contains("enabled");
  return enabled != nullptr ? bool_of(*enabled) : std::nullopt;
}

Commanded toggle_of(std::string_view module, bool enabled, Answered answered = {}) {
  return {std::string(module), enabled ? ModuleCommand::enable : ModuleCommand::disable, std::move(answered)};
}

std::vector<Commanded> just(Commanded one) {
  std::vector<Commanded> commands;
  commands.push_back(std::move(one));
  return commands;
}

Json json_of(const std::optional<bool>& value) {
  return value ? Json(*value) : Json();
}

}  // namespace

ModulesSection::ModulesSection(Disk& disk, const Clock& clock, SettingsCore& settings,
                               SettingsListener& listener, SeededRandom random, Logger log)
    : clock_(clock),
      settings_(settings),
      listener_(listener),
      random_(random),
      log_(log),
      journal_(disk, clock, EditJournal::modules_path, log) {}

Result<void> ModulesSection::start() {
  const auto drift = journal_.open();
  if (!drift) return fail(drift);
  edits_lost_ = !drift->empty();
  for (const Drift& one : *drift)
    settings_.note_drift(one.kind, one.message);
  return {};
}

// ---- what the hub says

void ModulesSection::offer(const protocol::ConfigUpdate& update) {
  if (settings_.next_start_is_due()) return;
  auto content = content_of(update);
  if (!content) return refuse(update, content.error().message);
  if (!*content) return listener_.section_needed(Section::modules);
  JsonObject document = std::move(**content);
  const Former former{settings_.modules(), settings_.module_quarantine()};
  // What could not be enabled stays so until something else is said of it.
  JsonObject quarantine;
  for (const auto& member : settings_.module_quarantine()) {
    if (enabled_in(document, member.key()) != true) continue;
    quarantine.emplace(member.key(), member.value());
    document.erase(member.key());
  }
  auto saved = save(std::move(document), std::move(quarantine));
  section_missed_ = !saved;
  if (!saved) {
    try_again_later("the modules section", saved.error());
    return refuse(update, saved.error().message);
  }
  revision_ = update.revision;
  refused_ = settings_.module_quarantine().empty() ? Digest() : update.hash;
  settle_again();  // what the hub said before this must not override it
  std::erase_if(refused_edits_,
                [this](const auto& one) { return said_by_hub(one.first) != one.second.stands; });
  log_.info("modules section applied", {{"revision", revision_}, {"hash", running().hex().substr(0, 12)}});
  carry_out(former);
  tell();
}

// None if its base is not here or the result is not what was announced.
Result<std::optional<JsonObject>> ModulesSection::content_of(const protocol::ConfigUpdate& update) const {
  Json content = update.payload;
  if (update.base) {
    if (update.base != running()) return std::nullopt;
    content = settings_.modules();
    protocol::apply_merge_patch(content, update.payload);
  }
  const bool as_announced = protocol::hash_of(content) == update.hash;
  if (!as_announced && update.base) return std::nullopt;
  if (!as_announced) {
    return fail(ErrorCode::corrupted, "the section does not have the hash that it came with");
  }
  if (auto read = protocol::modules_from_json(content); !read) return fail(read);
  return std::move(content.get_object());
}

void ModulesSection::refuse(const protocol::ConfigUpdate& update, std::string why) {
  log_.warning("the modules section cannot be used", {{"revision", update.revision}, {"why", why}});
  protocol::ConfigStatus refusal = status();
  refusal.target = update.hash;
  refusal.phase = Phase::refused;
  refusal.errors = {{"", std::move(why)}};
  listener_.status_changed(refusal);
}

void ModulesSection::settle_edit(const protocol::ConfigProposed& answer) {
  const auto entry = find(answer.id);
  if (entry == journal_.entries().end()) return;
  if (auto settled = settle(*entry, answer); !settled) {
    try_again_later("what the hub says of an edit", settled.error());
    std::erase_if(unsettled_, [&](const auto& one) { return one.id == answer.id; });
    return unsettled_.push_back(answer);
  }
  carry_out();
  tell();
}

Result<void> ModulesSection::settle(const JournalEntry& entry, const protocol::ConfigProposed& answer) {
  const protocol::PendingEdit edit = entry.edit;
  if (answer.accepted && answer.revision > revision_) {
    // In force until the section that contains it comes.
    JsonObject document = settings_.modules();
    document[protocol::module_of(edit.key).value_or("")] = JsonObject{{"enabled", edit.to}};
    if (auto saved = save(std::move(document), settings_.module_quarantine()); !saved) return saved;
  }
  JournalEntries entries = journal_.entries();
  std::erase_if(entries, [&](const JournalEntry& one) { return one.edit.id == answer.id; });
  if (auto saved = save(std::move(entries)); !saved) return saved;
  if (!answer.accepted) note_refusal(edit, answer);
  return {};
}

void ModulesSection::note_refusal(const protocol::PendingEdit& edit, const protocol::ConfigProposed& answer) {
  const std::string module(protocol::module_of(edit.key).value_or(""));
  log_.warning("the hub did not accept an edit made here, its value stands",
               {{"module", module}, {"why", answer.message}});
  const bool toggled_since = std::ranges::any_of(
      journal_.entries(), [&edit](const JournalEntry& one) { return one.edit.key == edit.key; });
  if (toggled_since) return;
  std::string text = edit.to == Json(true) ? "enabled" : "disabled";
  text += " here at " + to_rfc3339(WallTime(Milliseconds(edit.at_ms))) + ", which the hub did not accept";
  if (!answer.message.empty()) text += ": " + printable_text(answer.message, shown_refusal);
  refused_edits_.insert_or_assign(module,
                                  RefusedEdit{text + "; its value stands", bool_of(answer.hub_value)});
}

void ModulesSection::drop_refusal(std::string_view module) {
  const auto refused = refused_edits_.find(module);
  if (refused == refused_edits_.end()) return;
  refused_edits_.erase(refused);
  listener_.report_changed();
}

// ---- what is said on the device

void ModulesSection::toggle(std::string_view module, bool enabled, Answered answered) {
  const std::vector<std::string> known = names();
  const bool is_missing = runner_->is_missing(module);
  if (std::ranges::find(known, module) == known.end() || (is_missing && enabled)) {
    return answered(fail(ErrorCode::not_found, "no module is called '" + std::string(module) +
                                                   "': it needs a folder with a module.toml"));
  }
  if (auto noted = note(module, enabled); !noted) return answered(fail(noted, "nothing has changed"));
  if (is_missing) {
    runner_->forget_missing(std::string(module));
    answered(runner_->is_ending(module) ? ModuleState::stopping : ModuleState::disabled);
  } else {
    runner_->command(just(toggle_of(module, enabled, with_last_word(module, std::move(answered)))));
  }
  modules_changed();
}

// Where the hub has overtaken it, whoever waits is told what it had to say.
Answered ModulesSection::with_last_word(std::string_view module, Answered answered) const {
  if (!answered) return answered;
  return [this, module = std::string(module),
          answered = std::move(answered)](const Result<ModuleState>& settled) {
    const bool overtaken = !settled && settled.error().code == ErrorCode::conflict;
    const std::string_view why = overtaken ? edit_refused(module) : std::string_view();
    answered(why.empty() ? settled : fail(ErrorCode::conflict, std::string(why)));
  };
}

void ModulesSection::edited_by_hand(const std::string& module, bool enabled) {
  const auto taken_back = [this, module](const Error& why) {
    log_.warning("an edit of config.txt is taken back", {{"module", module}, {"why", why.message}});
  };
  if (auto noted = note(module, enabled); !noted) {
    if (noted.error().code == ErrorCode::rate_limited) return taken_back(noted.error());
    hand_edits_.insert_or_assign(module, enabled);
    return try_again_later("an edit of config.txt", noted.error());
  }
  log_.info("config.txt was edited by hand", {{"module", module}, {"enabled", enabled}});
  runner_->command(just(toggle_of(module, enabled, [taken_back](const Result<ModuleState>& settled) {
    if (!settled && settled.error().code != ErrorCode::conflict) taken_back(settled.error());
  })));
  modules_changed();
}

void ModulesSection::ships_anew(std::string_view module) {
  const bool enabled = wanted(module).value_or(runner_->is_shipped_enabled(module));
  if (enabled != runner_->is_enabled(module)) runner_->command(just(toggle_of(module, enabled)));
  tell();
}

Result<void> ModulesSection::note(std::string_view module, bool enabled) {
  // What is in quarantine is enabled as the hub wants it already.
  if (enabled && settings_.module_quarantine().contains(module)) {
    if (auto released = release(module); !released) return released;
  }
  if (auto noted = put_in_journal(module, enabled); !noted) return noted;
  unreverted_.erase(std::string(module));
  hand_edits_.erase(std::string(module));
  drop_refusal(module);
  return {};
}

// One proposal from the first value that the hub knows to the last.
Result<void> ModulesSection::put_in_journal(std::string_view module, bool enabled) {
  const std::string key = protocol::enabled_key(module);
  JournalEntries entries = journal_.entries();
  const auto unsent = std::ranges::find_if(
      entries, [&](const JournalEntry& entry) { return entry.edit.key == key && !entry.sent; });
  const std::optional<bool> before = said(module);
  if (unsent != entries.end()) {
    unsent->edit.to = enabled;
    unsent->edit.at_ms = clock_.wall().time_since_epoch().count();
    if (unsent->edit.from == unsent->edit.to) entries.erase(unsent);
  } else if (before == enabled) {
    return {};
  } else {
    JournalEntry entry;
    entry.edit.id = random_.uuid();
    entry.edit.key = key;
    entry.edit.from = json_of(before ? before : said_by_hub(module));
    entry.edit.to = enabled;
    entry.edit.at_ms = clock_.wall().time_since_epoch().count();
    entries.push_back(std::move(entry));
  }
  if (!EditJournal::fits(entries)) {
    return fail(ErrorCode::rate_limited, "too many edits wait for the hub to settle them");
  }
  return save(std::move(entries));
}

// ---- what became of it

void ModulesSection::reverted(std::string_view module, std::string_view why) {
  unreleased_.erase(std::string(module));
  if (auto taken_back = take_back(module, why); !taken_back) {
    try_again_later("that a module could not be enabled", taken_back.error());
    unreverted_.insert_or_assign(std::string(module), why);
  } else {
    unreverted_.erase(std::string(module));
  }
  told_ = Phase::staging;  // whatever was told: the hub hears of this
  tell();
}

Result<void> ModulesSection::take_back(std::string_view module, std::string_view why) {
  const std::string key = protocol::enabled_key(module);
  JournalEntries entries = journal_.entries();
  std::erase_if(entries, [&](const JournalEntry& entry) {
    return entry.edit.key == key && entry.edit.to == Json(true);
  });
  if (entries.size() != journal_.entries().size()) {
    if (auto saved = save(std::move(entries)); !saved) return saved;
  }
  if (enabled_in(settings_.modules(), module) != true) return {};
  JsonObject document = settings_.modules();
  JsonObject quarantine = settings_.module_quarantine();
  const Digest target = running();
  document.erase(module);
  quarantine[module] = why;
  if (auto saved = save(std::move(document), std::move(quarantine)); !saved) return saved;
  if (!refused_) refused_ = target;
  return {};
}

// What is in quarantine is wanted by the hub: it is in force again, and so to be tried.
Result<void> ModulesSection::release(std::string_view module) {
  JsonObject document = settings_.modules();
  JsonObject quarantine = settings_.module_quarantine();
  quarantine.erase(module);
  document[module] = JsonObject{{"enabled", true}};
  const bool last = quarantine.empty();
  if (auto saved = save(std::move(document), std::move(quarantine)); !saved) return saved;
  if (last) refused_ = {};
  return {};
}

void ModulesSection::try_again(std::string_view module) {
  const std::vector<std::string> known = names();
  if (std::ranges::find(known, module) == known.end() || runner_->is_missing(module)) return;
  const bool unreverted = unreverted_.erase(std::string(module)) > 0;
  const bool refused = settings_.module_quarantine().contains(module);
  if (!unreverted && !refused && !runner_->is_quarantined(module)) return;
  if (auto again = want_again(module); !again) {
    unreleased_.emplace(module);
    return try_again_later("that a module is out of quarantine", again.error());
  }
  const bool is_wanted = wanted(module).value_or(runner_->is_shipped_enabled(module));
  if (is_wanted && !runner_->is_enabled(module)) runner_->command(just(toggle_of(module, true)));
  tell();
}

// The edit of a person on the device was taken back when it failed; as it shipped is not said at all.
Result<void> ModulesSection::want_again(std::string_view module) {
  if (settings_.module_quarantine().contains(module)) return release(module);
  if (said(module) || runner_->is_shipped_enabled(module)) return {};
  return put_in_journal(module, true);
}

void ModulesSection::modules_changed() {
  if (!pending_edits().empty()) listener_.edits_pending();
  if (phase() != told_) tell();
}

// ---- what is wanted

std::optional<bool> ModulesSection::said(std::string_view module) const {
  const std::string key = protocol::enabled_key(module);
  for (auto entry = journal_.entries().rbegin(); entry != journal_.entries().rend(); ++entry) {
    if (entry->edit.key == key && entry->edit.to.is_bool()) return entry->edit.to.get_bool();
  }
  return enabled_in(settings_.modules(), module);
}

std::optional<bool> ModulesSection::said_by_hub(std::string_view module) const {
  if (settings_.module_quarantine().contains(module)) return true;
  return enabled_in(settings_.modules(), module);
}

std::string_view ModulesSection::edit_refused(std::string_view module) const {
  const auto refused = refused_edits_.find(module);
  return refused == refused_edits_.end() ? std::string_view() : refused->second.text;
}

std::optional<bool> ModulesSection::wanted(std::string_view module) const {
  if (unreverted_.contains(module)) return false;
  const std::optional<bool> by_somebody = said(module);
  const bool quarantined = settings_.module_quarantine().contains(module);
  return !by_somebody && quarantined ? std::optional(false) : by_somebody;
}

// What is not wanted any more is out of its quarantine by being disabled. What the hub says anew counts also
// where a command has made something else of it since.
void ModulesSection::carry_out(const std::optional<Former>& former) {
  std::vector<Commanded> commands;
  for (const std::string& module : names()) {
    if (runner_->is_missing(module)) {
      if (wanted(module) == false) runner_->forget_missing(module);
      continue;
    }
    const bool enabled = wanted(module).value_or(runner_->is_shipped_enabled(module));
    const bool released =
        former && former->quarantine.contains(module) && !settings_.module_quarantine().contains(module);
    const bool moot = runner_->is_quarantined(module) && (is_turned_off(module) || released);
    const auto said_by_hub = enabled_in(settings_.modules(), module);
    const bool anew = former && said_by_hub == enabled && enabled_in(former->document, module) != said_by_hub;
    if (enabled != runner_->is_enabled(module) || moot || anew)
      commands.push_back(toggle_of(module, enabled));
  }
  if (!commands.empty()) runner_->command(std::move(commands));
}

Result<void> ModulesSection::save(JsonObject document, JsonObject quarantine) {
  if (document == settings_.modules() && quarantine == settings_.module_quarantine()) return {};
  return settings_.put_modules(std::move(document), std::move(quarantine));
}

// ---- what the disk did not take

void ModulesSection::try_again_later(std::string_view what, const Error& error) {
  log_.warning("the disk does not take it, trying again", {{"what", what}, {"error", error.message}});
  if (!disk_retry_at_) disk_retry_at_ = clock_.steady() + disk_retry;
}

void ModulesSection::tick() {
  if (!disk_retry_at_ || clock_.steady() < *disk_retry_at_) return;
  disk_retry_at_.reset();
  const auto unreverted = unreverted_;  // it stays provisional until the last of them is on disk
  for (const auto& [module, why] : unreverted)
    reverted(module, why);
  for (const std::string& module : std::exchange(unreleased_, {}))
    try_again(module);
  settle_again();
  const std::vector<std::string> known = names();
  for (const auto& [module, enabled] : std::exchange(hand_edits_, {}))
    if (std::ranges::find(known, module) != known.end()) edited_by_hand(module, enabled);
  if (std::exchange(section_missed_, false)) listener_.section_needed(Section::modules);
}

void ModulesSection::settle_again() {
  for (const protocol::ConfigProposed& answer : std::exchange(unsettled_, {}))
    settle_edit(answer);
}

// ---- for the link

std::vector<std::string> ModulesSection::names() const {
  return runner_ == nullptr ? std::vector<std::string>() : runner_->names();
}

Digest ModulesSection::running() const {
  return protocol::hash_of(settings_.modules());
}

Phase ModulesSection::phase() const {
  if (!unreverted_.empty()) return Phase::provisional;  // the section is not what is in force
  for (const std::string& module : names()) {
    const bool settles = runner_->is_ending(module) || (said(module) && runner_->is_provisional(module));
    if (settles) return Phase::provisional;
  }
  return refused_ ? Phase::refused : Phase::applied;
}

protocol::SectionState ModulesSection::state() const {
  return {Section::modules, running(), refused_};
}

protocol::ConfigStatus ModulesSection::status() const {
  protocol::ConfigStatus status;
  status.section = Section::modules;
  status.running_revision = revision_;
  status.running = running();
  status.phase = phase();
  status.target = refused_ ? refused_ : status.running;
  if (!refused_) return status;
  for (const auto& member : settings_.module_quarantine()) {
    status.errors.push_back({protocol::enabled_key(member.key()), std::string(member.value().get_string())});
  }
  return status;
}

void ModulesSection::tell() {
  const protocol::ConfigStatus now = status();
  told_ = now.phase;
  listener_.status_changed(now);
  listener_.report_changed();
}

// An enable that has not settled may yet be taken back. One that is held up may never settle: what the hub
// hears of it only then would override what somebody has decided since.
std::vector<protocol::PendingEdit> ModulesSection::pending_edits() const {
  std::vector<protocol::PendingEdit> pending;
  for (const JournalEntry& entry : journal_.entries()) {
    const auto module = protocol::module_of(entry.edit.key);
    const bool trial =
        module && runner_ != nullptr && runner_->is_provisional(*module) && !runner_->is_held_up(*module);
    const bool taken_back = module && unreverted_.contains(*module) && entry.edit.to == Json(true);
    if (!trial && !taken_back) pending.push_back(entry.edit);
  }
  return pending;
}

void ModulesSection::mark_edits_sent() {
  for (const protocol::PendingEdit& edit : pending_edits())
    journal_.mark_sent(edit.id);
}

ModulesSection::Entries ModulesSection::find(std::string_view edit_id) const {
  return std::ranges::find_if(journal_.entries(),
                              [&](const JournalEntry& entry) { return entry.edit.id == edit_id; });
}

}  // namespace starling::agent
