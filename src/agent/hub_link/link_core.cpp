#include "agent/hub_link/link_core.hpp"

#include <algorithm>

#include "protocol/merge_patch.hpp"

namespace starling::agent {
namespace {

// A session that held this long was a good one: the next attempt after it is not a repeated failure.
constexpr Seconds good_session{10};

constexpr std::string_view unknown_without_key =
    "the hub does not know this device: start the agent with an enrolment key (--key-file or "
    "STARLING_ENROLMENT_KEY; `starling key create NAME --enrolment` on the operator's machine makes one)";
constexpr std::string_view wrong_key =
    "the hub does not accept this enrolment key: give the agent another one (--key-file or "
    "STARLING_ENROLMENT_KEY; `starling key create NAME --enrolment` on the operator's machine makes one)";

// For the log: both ends write the type first. Nothing else of a message is logged; it may hold a token.
std::string_view type_in(std::string_view message) {
  constexpr std::string_view begin = R"({"type":")";
  if (!message.starts_with(begin)) return "?";
  message.remove_prefix(begin.size());
  return message.substr(0, std::min<std::size_t>(message.find('"'), 40));
}

}  // namespace

LinkCore::LinkCore(Disk& disk, const Clock& clock, Identity& identity, SettingsCore& settings,
                   ModulesSection& modules, ActionCore& actions, LinkOutput& output, SeededRandom random,
                   LinkOptions options, Logger log)
    : disk_(disk),
      clock_(clock),
      identity_(identity),
      settings_(settings),
      modules_(modules),
      actions_(actions),
      output_(output),
      random_(random),
      options_(std::move(options)),
      log_(log) {}

void LinkCore::start() {
  enrolment_needed_ = identity_.token().empty() && options_.can_enrol;
  attempt();
}

// ---- connecting

void LinkCore::attempt() {
  attempt_at_.reset();
  if (enrolment_needed_ && options_.can_enrol) {
    state_ = State::enrolling;
    output_.enrol();
    return;
  }
  state_ = State::connecting;
  ++connections_;
  output_.connect(identity_.token());
}

void LinkCore::retry_later() {
  const int doublings = std::min(failures_++, 16);
  const Milliseconds grown = options_.first_backoff * (std::int64_t{1} << doublings);
  const Milliseconds bound =
      slow_retry_ ? options_.longest_backoff : std::min(grown, options_.longest_backoff);
  const auto wait = random_.below(static_cast<std::uint64_t>(bound.count()) + 1);
  slow_retry_ = false;
  state_ = State::waiting;
  attempt_at_ = clock_.steady() + Milliseconds(static_cast<std::int64_t>(wait));
}

void LinkCore::enrolled(std::string_view token) {
  if (state_ != State::enrolling) return;
  if (!token.empty()) {
    save_token(token);
    save_told(identity_.untold(options_.facts));  // which is what the registration said
  }
  enrolment_needed_ = false;
  last_refusal_.clear();
  log_.info(token.empty() ? "the hub knows this device already" : "device enrolled",
            {{"device", identity_.device_id()}});
  attempt();
}

void LinkCore::save_token(std::string_view token) {
  if (auto saved = identity_.save_token(disk_, token); !saved) {
    log_.error("the device's new token cannot be saved", {{"error", saved.error().message}});
  }
}

void LinkCore::save_told(JsonObject facts) {
  if (auto saved = identity_.save_told(disk_, std::move(facts)); !saved) {
    log_.warning("what the hub was told of this device cannot be saved; it will be told again",
                 {{"error", saved.error().message}});
  }
}

void LinkCore::attempt_failed(const Error& why) {
  if (state_ != State::enrolling && state_ != State::connecting) return;
  const bool unknown_here = why.code == ErrorCode::unauthenticated || why.code == ErrorCode::not_found;
  // What goes wrong is said once, not once a minute for as long as it goes wrong.
  const bool enrolling = state_ == State::enrolling;
  const bool said = std::exchange(enrolling ? last_refusal_ : last_failure_, why.message) == why.message;
  const auto warn = said ? &Logger::debug : &Logger::warning;
  if (enrolling) {
    const bool key = why.code == ErrorCode::unauthenticated;
    (log_.*warn)(key ? wrong_key : "the hub did not enrol this device, trying on", {{"error", why.message}});
    // The enrolment key may have ended, or not be meant for what this device has become, and the device still
    // be registered: then its own key opens the link. If it is not, the hub says so and enrolment is next.
    if (why.code == ErrorCode::permission_denied || unknown_here) enrolment_needed_ = false;
  } else if (unknown_here && options_.can_enrol) {
    const auto again = last_refusal_.empty() ? &Logger::warning : &Logger::debug;  // why not has been said
    (log_.*again)("the hub does not know this device: enrolling it again", {{"error", why.message}});
    enrolment_needed_ = true;
  } else if (unknown_here) {
    (log_.*warn)(unknown_without_key, {{"error", why.message}});
  } else {
    (log_.*warn)("cannot reach the hub, trying on", {{"error", why.message}});
  }
  retry_later();
}

void LinkCore::opened() {
  if (state_ != State::connecting) return;
  state_ = State::greeting;
  alive();
}

void LinkCore::closed(std::string_view reason) {
  if (state_ != State::greeting && state_ != State::answering && state_ != State::established) return;
  if (state_ == State::established && clock_.steady() - established_at_ >= good_session) failures_ = 0;
  log_.info("disconnected from the hub", {{"reason", reason}});
  report_at_.reset();
  if (logs_ != nullptr) logs_->stop_logs();
  retry_later();
}

void LinkCore::lose(std::string_view reason) {
  output_.close(reason);
  closed(reason);
}

// ---- messages

void LinkCore::send(const protocol::FromDevice& message) {
  const std::string text = protocol::encode(message);
  log_.debug("message sent", {{"type", type_in(text)}, {"bytes", text.size()}});
  output_.send(text);
}

void LinkCore::received(std::string_view text) {
  if (state_ != State::greeting && state_ != State::answering && state_ != State::established) return;
  alive();
  log_.debug("message received", {{"type", type_in(text)}, {"bytes", text.size()}});
  const auto message = protocol::decode_from_hub(text);
  if (!message) {
    log_.error("the hub sent what this agent cannot read", {{"error", message.error().message}});
    return lose("unreadable message");
  }
  std::visit([this](const auto& one) { on(one); }, *message);
}

void LinkCore::on(const protocol::Challenge& challenge) {
  if (state_ != State::greeting) return lose("a challenge out of turn");
  protocol::Handshake handshake;
  handshake.device_id = identity_.device_id();
  handshake.boot_id = options_.boot_id;
  handshake.epoch = {identity_.start_count(), connections_};
  handshake.agent_version = options_.agent_version;
  handshake.serial = identity_.serial();
  handshake.capabilities = options_.capabilities;
  if (updates_ != nullptr) handshake.capabilities[protocol::ties_sections] = true;
  handshake.facts = identity_.untold(options_.facts);
  for (const auto& [name, component] : settings_.catalog().components()) {
    handshake.components.emplace(name, component->schema_hash());
  }
  handshake.cursor = settings_.cursor();
  handshake.modules = modules_.names();
  handshake.sections = sections();
  handshake.pending = pending_edits();
  mark_edits_sent();
  proposed_.clear();
  for (const protocol::PendingEdit& edit : handshake.pending)
    proposed_.insert(edit.id);
  handshake.nonce = challenge.nonce;
  auto proof = identity_.sign(protocol::handshake_proof_text(handshake));
  if (!proof) {
    log_.error("the handshake cannot be signed", {{"error", proof.error().message}});
    return lose("no proof");
  }
  handshake.proof = base64url_encode(*proof);
  state_ = State::answering;
  send(handshake);
}

void LinkCore::on(const protocol::Welcome& welcome) {
  if (state_ != State::answering) return lose("a welcome out of turn");
  state_ = State::established;
  established_at_ = clock_.steady();
  hub_ahead_ms_ = welcome.hub_time_ms - clock_.wall().time_since_epoch().count();
  heartbeat_ = Seconds(std::clamp<std::int64_t>(welcome.heartbeat_seconds, 1, 86'400));
  if (!welcome.token.empty()) {
    save_token(welcome.token);
  }
  actions_.connected(welcome.hub_time_ms);
  last_failure_.clear();
  last_refusal_.clear();
  log_.info("connected to the hub", {{"revision", welcome.revision}});
  reported_.clear();
  if (updates_ != nullptr) {
    updates_->hub_said(welcome.fleet, WallTime(Milliseconds(welcome.hub_time_ms)));
    send_status(updates_->status());
  }
  send_status(settings_.status());  // the last one may have been lost with the link
  if (!modules_.names().empty()) send_status(modules_.status());
  for (const protocol::Section section : std::exchange(requested_, {}))
    request_section(section);
  if (welcome.quarantine) settings_.something_is_kept_back();
  heartbeat();
  propose_edits();  // those that were made since the handshake
  if (updates_ != nullptr) updates_->hub_session();
}

void LinkCore::on(const protocol::ConfigUpdate& update) {
  if (state_ != State::established) return lose("settings before the welcome");
  if (update.section == protocol::Section::modules) return modules_.offer(update);
  if (update.section == protocol::Section::software && updates_ != nullptr) return updates_->offer(update);
  settings_.offer(update);
}

void LinkCore::on(const protocol::ConfigProposed& answer) {
  if (state_ != State::established) return lose("an answer before the welcome");
  if (modules_.owns_edit(answer.id)) return modules_.settle_edit(answer);
  settings_.settle_edit(answer);
}

void LinkCore::on(const protocol::Action& action) {
  if (state_ != State::established) return lose("an action before the welcome");
  actions_.handle(action, hub_time_ms(), [this](const protocol::ActionResult& result) {
    if (!established()) return;   // it is asked for again
    if (report_at_) heartbeat();  // whoever waits for it finds what it did reported by then
    send(result);
  });
}

void LinkCore::on(const protocol::FactsKept& kept) {
  if (state_ != State::established) return lose("an answer before the welcome");
  for (const protocol::KeyError& error : kept.errors) {
    log_.warning("the hub does not take over what this device says of itself",
                 {{"what", error.key}, {"error", error.message}});
  }
  save_told(options_.facts);
}

void LinkCore::on(const protocol::LogFollow& wish) {
  if (state_ != State::established) return lose("a wish for logs before the welcome");
  if (logs_ != nullptr) logs_->follow_log(wish);
}

void LinkCore::on(const protocol::LogStop& stop) {
  if (logs_ != nullptr) logs_->stop_log(stop.id);
}

void LinkCore::send_log(const protocol::LogLines& lines) {
  if (established()) send(lines);
}

void LinkCore::on(const protocol::LinkError& error) {
  if (error.code == "unknown_type") return log_.debug("an older hub", {{"message", error.message}});
  (log_.*(error.retry ? &Logger::warning : &Logger::error))(
      "the hub ends the link", {{"code", error.code}, {"message", error.message}});
  if (error.code == "stale_session" && error.epoch_start > 0) {
    if (auto raised = identity_.raise_start_count(disk_, error.epoch_start); !raised) {
      log_.error("the start counter cannot be saved", {{"error", raised.error().message}});
    }
  }
  const bool unknown_here = error.code == "unknown_device" || error.code == "unauthorized";
  if (unknown_here && options_.can_enrol) enrolment_needed_ = true;
  if (unknown_here && !options_.can_enrol) log_.error(unknown_without_key);
  slow_retry_ = !error.retry && !enrolment_needed_;
}

void LinkCore::on(const protocol::Unknown& unknown) {
  log_.debug("a message of a newer hub is ignored", {{"type", unknown.type}});
}

// ---- from the rest of the device

void LinkCore::send_status(const protocol::ConfigStatus& status) {
  if (!established()) return;  // the next handshake tells what runs
  // Whoever waits for modules to settle finds what they do reported by then.
  if (status.section == protocol::Section::modules && report_at_) heartbeat();
  send(status);
}

void LinkCore::request_section(protocol::Section section) {
  if (!established()) {
    requested_.insert(section);
    return;
  }
  send(protocol::ConfigRequest{section});
}

void LinkCore::propose_edits() {
  if (!established()) return;
  protocol::ConfigPropose proposal;
  for (protocol::PendingEdit& edit : pending_edits()) {
    if (proposed_.insert(edit.id).second) proposal.edits.push_back(std::move(edit));
  }
  if (proposal.edits.empty()) return;
  mark_edits_sent();
  send(proposal);
}

std::vector<protocol::PendingEdit> LinkCore::pending_edits() const {
  std::vector<protocol::PendingEdit> edits = settings_.pending_edits();
  std::ranges::move(modules_.pending_edits(), std::back_inserter(edits));
  return edits;
}

void LinkCore::mark_edits_sent() {
  settings_.mark_edits_sent();
  modules_.mark_edits_sent();
}

std::vector<protocol::SectionState> LinkCore::sections() const {
  std::vector<protocol::SectionState> sections = settings_.sections();
  sections.push_back(modules_.state());
  if (updates_ != nullptr) sections.push_back(updates_->section());
  return sections;
}

void LinkCore::modules_came_or_went() {
  if (established()) send(protocol::Modules{modules_.names()});
}

void LinkCore::report_changed() {
  if (established() && !report_at_) report_at_ = clock_.steady() + options_.report_delay;
}

void LinkCore::heartbeat() {
  next_heartbeat_ = clock_.steady() + heartbeat_;
  report_at_.reset();
  protocol::Heartbeat beat;
  beat.sections = sections();
  beat.pending = static_cast<std::int64_t>(pending_edits().size());
  if (reporter_ != nullptr) {
    JsonObject report = reporter_->report();
    Json patch = protocol::make_merge_patch(Json(reported_), Json(report));
    if (patch.is_object()) beat.reported = std::move(patch.get_object());
    // The first of a session also takes away what an earlier one may have left at the hub.
    if (reported_.empty() && !report.contains("drift")) beat.reported["drift"] = nullptr;
    reported_ = std::move(report);
  }
  send(beat);
}

std::int64_t LinkCore::hub_time_ms() const {
  return clock_.wall().time_since_epoch().count() + hub_ahead_ms_;
}

// ---- time

void LinkCore::tick() {
  const SteadyTime now = clock_.steady();
  if (state_ == State::waiting && attempt_at_ && now >= *attempt_at_) return attempt();
  if (state_ != State::greeting && state_ != State::answering && state_ != State::established) return;
  if (now - heard_at_ >= options_.silence) return lose("the hub has fallen silent");
  if (state_ != State::established) return;
  if (now >= next_heartbeat_ || (report_at_ && now >= *report_at_)) heartbeat();
}

std::optional<SteadyTime> LinkCore::next_deadline() const {
  switch (state_) {
    case State::waiting: return attempt_at_;
    case State::enrolling:
    case State::connecting: return std::nullopt;  // the output answers, with its own time limit
    case State::greeting:
    case State::answering: return heard_at_ + options_.silence;
    case State::established: break;
  }
  const SteadyTime next = std::min<SteadyTime>(heard_at_ + options_.silence, next_heartbeat_);
  return report_at_ ? std::min(next, *report_at_) : next;
}

}  // namespace starling::agent
