#include "hub/device_link/device_session.hpp"

#include <algorithm>
#include <utility>

#include "hub/device_link/link_errors.hpp"
#include "hub/device_link/outcome_text.hpp"
#include "hub/settings/explain.hpp"
#include "hub/settings/wanted_modules.hpp"
#include "protocol/merge_patch.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

namespace {

using protocol::LinkError;
using protocol::Phase;
using protocol::Section;
using ws::CloseCode;

// staging, provisional, applied, and a request of the whole document
constexpr double answers_to_an_update = 4;
// Beside what a device has reported before: why what it reports now is not there.
constexpr std::string_view not_kept = "not_kept";

std::string names_of(const std::map<std::string, Digest, std::less<>>& components) {
  std::string names;
  for (const auto& [name, hash] : components) {
    if (!names.empty()) names += ',';
    names += name;
  }
  return names;
}

// What it declares decides what it can do, and so what it may agree to now.
bool is_as_it_was(const DeviceRecord& record, const protocol::Handshake& message) {
  const auto facts = DeviceFacts::parse(record.facts);
  return record.version == message.agent_version && record.components == names_of(message.components) &&
         record.module_names == joined_names(message.modules) &&
         (!facts || facts->capabilities == message.capabilities);
}

const protocol::SectionState* section_in(const std::vector<protocol::SectionState>& sections, Section name) {
  const auto found = std::ranges::find(sections, name, &protocol::SectionState::section);
  return found == sections.end() ? nullptr : &*found;
}

}  // namespace

DeviceSession::DeviceSession(Sessions& sessions, LinkRequest request)
    : arrival(++sessions.arrivals_),
      sessions_(sessions),
      request_(std::move(request)),
      alive_(std::make_shared<bool>(true)),
      messages_(sessions.options_.messages, sessions.clock_.steady()) {
  sessions_.connections_[arrival] = this;
}

DeviceSession::~DeviceSession() {
  *alive_ = false;
  sessions_.leave(*this);
}

const FleetState* DeviceSession::state() const {
  return sessions_.log_.published(request_.fleet);
}

const Device* DeviceSession::device() const {
  const FleetState* fleet_state = state();
  return fleet_state == nullptr ? nullptr : fleet_state->device(request_.device_id);
}

void DeviceSession::on_open(ws::Peer& peer) {
  peer_ = &peer;
  const SteadyTime now = sessions_.clock_.steady();
  if (request_.protocol == 0) return open_flat(now);
  deadline_ = now + sessions_.options_.handshake_timeout;
  nonce_ = random_token();
  send(protocol::Challenge{nonce_});
}

void DeviceSession::seen() {
  sessions_.records_.seen(request_.fleet, request_.device_id, record_);
}

void DeviceSession::on_text(std::string_view text) {
  if (state_ == State::ended) return;
  if (state_ != State::challenged) seen();
  if (messages_.take(sessions_.options_.messages, sessions_.clock_.steady())) {
    ++sessions_.counters_.bad_messages;
    return end(CloseCode::policy_violation, "rate_limited", "this device sends too many messages", true);
  }
  if (state_ == State::flat) return hear_flat(text);
  auto message = protocol::decode_from_device(text);
  if (!message) {
    ++sessions_.counters_.bad_messages;
    const LinkError error = bad_message(message.error());
    return refuse({CloseCode::invalid_payload, "bad_message", error.message, true});
  }
  const bool is_handshake = std::holds_alternative<protocol::Handshake>(*message);
  if (is_handshake != (state_ == State::challenged)) {
    ++sessions_.counters_.bad_messages;
    return refuse({CloseCode::protocol_error, "out_of_order",
                   is_handshake ? "a link has one handshake" : "the first message must be the handshake",
                   true});
  }
  std::visit([this](const auto& known) { handle(known); }, *message);
}

// Only the answer to a ping is a sign of life: anybody can send pongs without ever reading.
void DeviceSession::on_pong() {
  if (!awaiting_pong_ || state_ == State::ended) return;
  seen();
  awaiting_pong_ = false;
  deadline_ = sessions_.clock_.steady() + sessions_.options_.ping_interval;
}

void DeviceSession::on_drained() {
  if (state_ == State::live || state_ == State::flat) refresh();
}

void DeviceSession::on_close(CloseCode, std::string_view reason) {
  if (state_ == State::live || state_ == State::settling || state_ == State::flat) {
    sessions_.logger_.info("device gone", {{"device", request_.device_id}, {"why", reason}});
    if (!awaiting_pong_) seen();
  }
  state_ = State::ended;
  peer_ = nullptr;
  sessions_.leave(*this);
}

std::optional<DeviceSession::Refusal> DeviceSession::judge(const protocol::Handshake& message) const {
  if (message.protocol < protocol::oldest_protocol_version || message.protocol > protocol::protocol_version) {
    return Refusal{CloseCode::unsupported_version, "unsupported_version",
                   "this hub speaks versions " + std::to_string(protocol::oldest_protocol_version) + " to " +
                       std::to_string(protocol::protocol_version) + " of the device link, not " +
                       std::to_string(message.protocol)};
  }
  const Device* known = device();
  if (known == nullptr || message.device_id != request_.device_id) {
    return Refusal{CloseCode::unauthorized, "unknown_device",
                   "no device is registered as '" + message.device_id + "': enrol it again"};
  }
  if (known->public_key.empty()) {
    if (!request_.token_valid) {
      return Refusal{CloseCode::unauthorized, "unauthorized",
                     "the device token is not valid: enrol it again"};
    }
  } else {
    const auto public_key = base64url_decode(known->public_key);
    const auto proof = base64url_decode(message.proof);
    if (message.nonce != nonce_ || !public_key || !proof ||
        !ed25519_verify(*public_key, protocol::handshake_proof_text(message), *proof)) {
      return Refusal{CloseCode::unauthorized, "bad_proof",
                     "the handshake is not signed with the key of this device"};
    }
  }
  if (!known->serial.empty() && !message.serial.empty() && known->serial != message.serial) {
    return Refusal{CloseCode::unauthorized, "clone",
                   "this identity belongs to the board with serial " + known->serial +
                       ": a copy must enrol as a device of its own"};
  }
  const DeviceRecord* record = sessions_.records_.find(request_.device_id);
  if (record != nullptr && message.epoch <= record->epoch) {
    return Refusal{CloseCode::superseded, "stale_session",
                   "a newer session of this device has been seen; go on above its start counter", true,
                   record->epoch.start};
  }
  return std::nullopt;
}

void DeviceSession::handle(const protocol::Handshake& message) {
  if (const auto refusal = judge(message)) {
    ++sessions_.counters_.refused_handshakes;
    if (refusal->close == CloseCode::superseded) ++sessions_.counters_.fenced;
    return refuse(*refusal);
  }
  ++sessions_.counters_.handshakes;
  nonce_ = {};
  take_over(message);
  state_ = State::settling;
  deadline_ = sessions_.clock_.steady() + sessions_.options_.ping_interval;
  sessions_.enter(*this);
  sessions_.logger_.info("device connected", {{"device", request_.device_id},
                                              {"version", message.agent_version},
                                              {"pending_edits", message.pending.size()}});
  welcome(message);
  if (!message.facts.empty()) keep(message.facts);
  settle(message.pending);
}

// What was reported in former sessions may be of another life of the device: from here on only what this
// handshake and the messages after it say is true.
void DeviceSession::take_over(const protocol::Handshake& message) {
  const protocol::SectionState* settings = section_in(message.sections, Section::settings);
  const protocol::SectionState* modules = section_in(message.sections, Section::modules);
  const protocol::SectionState* software = section_in(message.sections, Section::software);
  const auto take = [&](const protocol::SectionState* told, const protocol::SectionState& otherwise) {
    return take_over(told == nullptr ? otherwise : *told, message.cursor);
  };
  const bool errors_stand = take(settings, {});
  const bool module_errors_stand = take(modules, {Section::modules, protocol::empty_section_hash(), {}});
  const bool software_errors_stand = take(software, {Section::software, {}, {}});
  // Who does not speak of releases is told of none.
  if (software == nullptr) {
    offer(Section::software).running_hash = offer(Section::software).target = protocol::empty_section_hash();
  }
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  const bool keeps = DeviceFacts::quarantine_in(record.facts) != nullptr;
  const bool forgot = keeps && message.cursor.hub_generation.empty();
  const bool refuses = keeps || offer(Section::settings).refused_hash;
  if (forgot || (refuses && !is_as_it_was(record, message))) lift_quarantine();
  const auto renew = [&](DeviceFacts& facts, const JsonObject& capabilities) {
    if (!errors_stand) facts.errors.clear();
    if (!module_errors_stand) facts.module_errors.clear();
    if (!software_errors_stand) facts.software_errors.clear();
    facts.capabilities = capabilities;
    facts.reported.clear();
    facts.pending_edits = static_cast<std::int64_t>(message.pending.size());
  };
  const auto kept = sessions_.records_.change_facts(
      record, [&](DeviceFacts& facts) { renew(facts, message.capabilities); });
  if (!kept && kept.error().code == ErrorCode::too_large) {
    (void)sessions_.records_.change_facts(record, [&](DeviceFacts& facts) { renew(facts, {}); });
  }
  record.epoch = message.epoch;
  record.last_seen_ms = sessions_.now_ms();
  record.components = names_of(message.components);
  record.module_names = joined_names(message.modules);
  record.version = message.agent_version;
  drifted_ = false;
  pending_edits_ = static_cast<std::int64_t>(message.pending.size());
}

bool DeviceSession::take_over(const protocol::SectionState& told, const protocol::Cursor& cursor) {
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  SectionRecord& known = record.section(told.section);
  // Revisions of another generation mean nothing here, and the cursor is that of the settings.
  const bool same_log = cursor.hub_generation == sessions_.log_.generation();
  const bool runs_on = same_log && told.applied == known.running;
  const bool by_cursor = same_log && told.section == Section::settings;
  known.running_revision = std::max(by_cursor ? cursor.revision : 0, runs_on ? known.running_revision : 0);
  const bool same = told.applied == known.running && told.refused == known.refused;
  const bool errors_stand = told.refused && told.refused == known.refused;
  if (!same || known.phase == Phase::staging) {
    known.phase = told.refused ? Phase::refused : Phase::applied;
  }
  const bool was_settled = known.target == known.running;
  runs(known, told.section, told.applied);
  known.refused = told.refused;
  // A handshake does not say what is being prepared. A target that is not true any more costs one offer.
  Digest target = told.refused ? told.refused : known.target;
  if (!target || (was_settled && !told.refused)) target = told.applied;
  offer(told.section) = {
      sessions_.documents_.recent(told.applied), told.applied, told.refused, {}, target, told.refused};
  return errors_stand;
}

// Which release it is may be what other values wait for, and what it refuses may be no trouble to this one.
void DeviceSession::runs(SectionRecord& record, Section section, const Digest& hash) {
  const bool is_new = std::exchange(record.running, hash) != hash;
  if (!is_new || section != Section::software) return;
  forget_class();
  lift_quarantine();
}

void DeviceSession::welcome(const protocol::Handshake& message) {
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  protocol::Welcome welcome;
  welcome.hub_time_ms = sessions_.now_ms();
  welcome.heartbeat_seconds = sessions_.options_.heartbeat.count();
  welcome.hub_generation = sessions_.log_.generation();
  welcome.revision = state()->revision();
  welcome.fleet = request_.fleet;
  welcome.quarantine = DeviceFacts::quarantine_in(record.facts) != nullptr;
  const Milliseconds age(welcome.hub_time_ms - record.token_issued_ms);
  if (!request_.token_valid || age > sessions_.options_.token_life) {
    welcome.token = sessions_.records_.issue_token(record);
  }
  if (message.cursor.hub_generation == welcome.hub_generation && message.cursor.revision > welcome.revision) {
    sessions_.logger_.error(
        "a device has seen revisions that this hub does not have: was an old database restored?",
        {{"device", request_.device_id},
         {"device_revision", message.cursor.revision},
         {"head", welcome.revision}});
  }
  send(std::move(welcome));
}

const DesiredDocument* DeviceSession::desired() {
  const FleetState* fleet_state = state();
  if (fleet_state == nullptr) return nullptr;
  const bool class_known = class_ && membership_epoch_ == sessions_.documents_.membership_epoch();
  if (class_known) {
    const DesiredDocument* known = sessions_.documents_.resolved_document(*class_, *fleet_state);
    if (known != nullptr) return known;
  }
  const Device* known = device();
  if (known == nullptr) return nullptr;
  if (!class_known) {
    // A client written from the documents declares nothing: it is told of every component.
    const DeviceRecord* record =
        state_ == State::flat ? nullptr : sessions_.records_.find(request_.device_id);
    const Declared declared = declared_by(*fleet_state, record);
    quarantine_ = declared.quarantine;
    class_ = sessions_.documents_.class_of(*fleet_state, *known, declared);
    membership_epoch_ = sessions_.documents_.membership_epoch();
  }
  return &sessions_.documents_.document(*class_, *fleet_state, *known);
}

void DeviceSession::refresh() {
  if (state_ == State::flat) return send_flat();
  if (state_ != State::live || unsettled_ > 0) return;
  end_what_is_over();
  const DesiredDocument* document = desired();
  if (document == nullptr) return;
  refresh(document->settings);
  refresh(document->modules);
  refresh(document->software);
  send_due_actions();
}

// Beside it nothing is wanted of the device but what it has refused.
bool DeviceSession::keeps_what_it_runs(const DesiredSection& target) {
  const Offer& offered = offer(target.name);
  return !target.quarantined.empty() && target.hash == offered.running_hash && offered.refused_hash &&
         offered.target == offered.refused_hash;
}

bool DeviceSession::is_congested() const {
  return peer_->queued_bytes() > sessions_.options_.max_queued_bytes;
}

void DeviceSession::refresh(const SharedSection& target) {
  Offer& offered = offer(target->name);
  if (target->hash == offered.running_hash) offered.running = target;
  if (target->hash == offered.offered_hash) return;
  const bool known_there = target->hash == offered.running_hash || target->hash == offered.refused_hash;
  const bool at_rest = target->hash == offered.target || keeps_what_it_runs(*target);
  if (!offered.offered_hash && known_there && at_rest) return;
  if (is_congested()) return;
  // While an answer is outstanding nobody knows what a patch would be applied to; nor can one bring the nulls
  // that are in patches.
  const bool brings_patches =
      target->name == Section::software && target->json.get_object().contains(protocol::with_field);
  const bool has_base = offered.running && offered.running->hash == offered.running_hash;
  const SharedSection base = offered.offered_hash || brings_patches || !has_base ? nullptr : offered.running;
  peer_->send(sessions_.update_frame(*target, base, state()->revision()));
  ++sessions_.counters_.updates_sent;
  messages_.earn(answers_to_an_update);
  if (base) ++sessions_.counters_.patches_sent;
  offered.offered_hash = target->hash;
  offered.as_patch = static_cast<bool>(base);
  SectionRecord& record =
      sessions_.records_.edit(request_.fleet, request_.device_id, record_).section(target->name);
  record.target = target->hash;
  // A device that was staging counts as staging this one now.
  if (record.phase == Phase::staging) sessions_.reported(request_.fleet, request_.device_id);
}

void DeviceSession::handle(const protocol::ConfigStatus& message) {
  ++sessions_.counters_.statuses;
  Offer& offered = offer(message.section);
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  SectionRecord& section = record.section(message.section);
  const bool had_errors = section.refused || section.phase == Phase::staging;
  section.phase = message.phase;
  section.target = offered.target = message.target;
  // After its restart an agent does not know of which revision its modules are.
  const bool runs_on = message.running == section.running;
  section.running_revision = std::max(message.running_revision, runs_on ? section.running_revision : 0);
  runs(section, message.section, message.running);
  if (offered.running_hash != message.running) {
    offered.running_hash = message.running;
    const bool has_it = offered.running && offered.running->hash == message.running;
    if (!has_it) offered.running = sessions_.documents_.recent(message.running);
  }
  const bool final = message.phase != Phase::staging;
  const bool told_again = has_told_again(message);
  if (final && message.target == offered.offered_hash) offered.offered_hash = {};
  // While modules are tried beside others that could not be enabled the section is provisional, and refused
  // too.
  const bool whole = message.running == message.target;
  const bool refused =
      final && (!whole || message.phase == Phase::refused || message.phase == Phase::reverted);
  if (final) offered.refused_hash = section.refused = refused ? message.target : Digest{};
  if (told_again) offered.refused_hash = {};
  say_outcome(message, outcome_text(message.errors, offered.errors));
  if (final || !message.errors.empty()) offered.errors = message.errors;
  const bool of_software = message.section == Section::software;
  // What is repeated of a document that is not desired any more is kept back already.
  const DesiredDocument* document = message.section == Section::settings ? desired() : nullptr;
  const bool tells_of_former = document != nullptr && document->settings->hash != message.target;
  // What is staged may wait for an asset, and say so.
  if (of_software || refused || had_errors || !message.errors.empty()) {
    (void)sessions_.records_.change_facts(record, [&](DeviceFacts& facts) {
      facts.set_errors(message.section, message.errors);
      if (tells_of_former)
        std::erase_if(facts.errors,
                      [&](const auto& one) { return find(facts.quarantine, one.key) != nullptr; });
      if (of_software) note_update(facts.updates, section, facts.reported, sessions_.now_ms());
    });
  }
  const bool is_answer = message.section == Section::settings && !told_again;
  if (message.phase == Phase::refused && is_answer) quarantine(message);
  sessions_.reported(request_.fleet, request_.device_id);
  refresh();
}

void DeviceSession::say_outcome(const protocol::ConfigStatus& message, std::string_view why) const {
  const bool refused = message.phase == Phase::refused || message.phase == Phase::reverted;
  (sessions_.logger_.*(refused ? &Logger::warning : &Logger::debug))(
      "device answered", {{"device", request_.device_id},
                          {"phase", to_string(message.phase)},
                          {"running_revision", message.running_revision},
                          {"why", why}});
}

void DeviceSession::handle(const protocol::ConfigRequest& message) {
  Offer& offered = offer(message.section);
  const bool patch_fits_not = offered.offered_hash && offered.as_patch;
  offered = {std::move(offered.running), {}, {}, {}, {}};
  if (message.section == Section::settings && !patch_fits_not) lift_quarantine();
  refresh();
}

void DeviceSession::handle(const protocol::Modules& message) {
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  record.module_names = joined_names(message.names);
  forget_class();
  lift_quarantine();
  sessions_.reported(request_.fleet, request_.device_id);
  refresh();
}

// The hashes tell what the statuses should have told; if they differ, something was missed or has changed
// there.
void DeviceSession::handle(const protocol::Heartbeat& message) {
  DeviceRecord& record = sessions_.records_.edit(request_.fleet, request_.device_id, record_);
  for (const protocol::SectionState& told : message.sections) {
    Offer& offered = offer(told.section);
    if (told.applied != offered.running_hash && !offered.offered_hash) {
      offered.running_hash = told.applied;
      offered.running = sessions_.documents_.recent(told.applied);
    }
    if (told.refused) offered.refused_hash = told.refused;  // its status says so too, but comes after
    // What is tried is not told apart from what is in force: that the status does, which comes next.
    if (!offered.offered_hash) runs(record.section(told.section), told.section, told.applied);
  }
  if (!message.reported.empty() || message.pending != pending_edits_) {
    bool drifted = drifted_;
    const auto kept = sessions_.records_.change_facts(record, [&](DeviceFacts& facts) {
      Json reported = std::move(facts.reported);
      protocol::apply_merge_patch(reported, message.reported);
      facts.reported = std::move(reported.as_object());
      facts.reported.erase(not_kept);
      note_update(facts.updates, record.software, facts.reported, sessions_.now_ms());
      facts.pending_edits = message.pending;
      const Json* modules = facts.reported.if_contains("modules");
      if (modules != nullptr && modules->is_object()) {
        count_deaths(modules->get_object(), sessions_.now_ms(), facts.counted_deaths, facts.crashes);
      }
      drifted = facts.reported.contains("drift");
    });
    if (!kept && kept.error().code == ErrorCode::too_large) {
      (void)sessions_.records_.change_facts(
          record, [&](DeviceFacts& facts) { facts.reported[not_kept] = kept.error().message; });
    }
    if (kept) {
      drifted_ = drifted;
      pending_edits_ = message.pending;
    }
  }
  sessions_.reported(request_.fleet, request_.device_id);
  refresh();
}

// Everything else goes on.
void DeviceSession::handle(const protocol::Unknown& message) {
  ++sessions_.counters_.bad_messages;
  if (is_congested()) return;
  send(unknown_type(message));
}

void DeviceSession::send(const protocol::FromHub& message) {
  if (peer_ != nullptr) peer_->send_text(protocol::encode(message));
}

void DeviceSession::refuse(const Refusal& refusal) {
  if (state_ == State::ended) return;
  const bool ordinary = refusal.close == CloseCode::going_away;  // the hub stops
  (sessions_.logger_.*(ordinary ? &Logger::debug : &Logger::warning))(
      "device link refused",
      {{"device", request_.device_id}, {"code", refusal.code}, {"why", refusal.message}});
  protocol::LinkError error{std::string(refusal.code), refusal.message, refusal.retry};
  error.epoch_start = refusal.epoch_start;
  send(std::move(error));
  state_ = State::ended;
  peer_->close(refusal.close, refusal.code);
}

void DeviceSession::end(CloseCode code, std::string_view error_code, std::string_view message, bool retry) {
  if (peer_ == nullptr) return;
  if (state_ == State::flat || state_ == State::ended) {
    state_ = State::ended;
    return peer_->close(code, error_code);
  }
  refuse({code, error_code, std::string(message), retry});
}

void DeviceSession::tick(SteadyTime now) {
  if (peer_ == nullptr || now < deadline_) return;
  if (state_ == State::challenged) {
    return refuse({CloseCode::policy_violation, "handshake_timeout", "no handshake came in time", true});
  }
  if (awaiting_pong_) return peer_->abort();
  awaiting_pong_ = true;
  complaints_left_ = max_complaints;
  deadline_ = now + sessions_.options_.ping_timeout;
  peer_->ping();
}

SyncStatuses DeviceSession::sync_statuses() {
  const DeviceRecord* record = sessions_.records_.find(request_.device_id, record_);
  const DesiredDocument* document = desired();
  if (record == nullptr || document == nullptr || state_ == State::flat) {
    return {SyncStatus::pending, SyncStatus::pending, SyncStatus::pending};
  }
  const SyncStatus software =
      record->takes_releases() ? sync_status(*record, *document->software) : SyncStatus::in_sync;
  return {sync_status(*record, *document->settings), sync_status(*record, *document->modules), software};
}

SyncStatus DeviceSession::sync_status(const DeviceRecord& record, const DesiredSection& target) const {
  const SectionRecord& section = record.section(target.name);
  if (section.running == target.hash) {
    if (!target.quarantined.empty()) return SyncStatus::refused;
    if (drifted_ && target.name == Section::settings) return SyncStatus::drifted;
    return section.phase == Phase::provisional ? SyncStatus::provisional : SyncStatus::in_sync;
  }
  if (section.refused == target.hash)
    return section.phase == Phase::reverted ? SyncStatus::reverted : SyncStatus::refused;
  return section.phase == Phase::staging && section.target == target.hash ? SyncStatus::staging
                                                                          : SyncStatus::pending;
}

}  // namespace starling::hub
