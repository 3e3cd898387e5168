#include "agent/update/update_core.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/update/release_shelf.hpp"
#include "protocol/modules_document.hpp"
#include "protocol/version.hpp"

namespace starling::agent {
namespace {

constexpr std::string_view not_wanted = "not-wanted";  // any more
constexpr std::string_view no_trust = "no-trust";
constexpr std::string_view unfit = "not-for-this-device";  // as it is now
constexpr std::string_view misfits = "settings-refused";   // that come with it
constexpr std::string_view not_working = "settings";
constexpr std::uint64_t max_release_bytes = std::uint64_t{2} << 30;
constexpr std::size_t max_custom_bytes = 128u << 10;  // all packages that a release may name

std::vector<std::string> enabled_by(const JsonObject& modules) {
  std::vector<std::string> names;
  for (const auto& [name, said] : modules) {
    const Json* enabled = said.is_object() ? said.get_object().if_contains("enabled") : nullptr;
    if (enabled != nullptr && *enabled == Json(true)) names.emplace_back(name);
  }
  return names;
}

}  // namespace

const UpdateCore::Transition UpdateCore::transitions[] = {
    // from              event             to                  action
    {State::idle, Event::wanted, State::seeking, &UpdateCore::seek},
    {State::seeking, Event::wanted, State::seeking, &UpdateCore::seek},
    {State::downloading, Event::wanted, State::seeking, &UpdateCore::seek},
    {State::installing, Event::wanted, State::seeking, &UpdateCore::seek},
    {State::staging_packages, Event::wanted, State::seeking, &UpdateCore::seek},
    {State::waiting, Event::wanted, State::seeking, &UpdateCore::seek},
    {State::installing_packages, Event::wanted, State::seeking, &UpdateCore::seek},
    {State::equipping, Event::wanted, State::seeking, &UpdateCore::seek},
    {State::paused, Event::wanted, State::seeking, &UpdateCore::seek},
    {State::refused, Event::wanted, State::seeking, &UpdateCore::seek},

    {State::seeking, Event::unwanted, State::idle, &UpdateCore::drop},
    {State::downloading, Event::unwanted, State::idle, &UpdateCore::drop},
    {State::installing, Event::unwanted, State::idle, &UpdateCore::drop},
    {State::staging_packages, Event::unwanted, State::idle, &UpdateCore::drop},
    {State::waiting, Event::unwanted, State::idle, &UpdateCore::drop},
    {State::installing_packages, Event::unwanted, State::idle, &UpdateCore::drop},
    {State::equipping, Event::unwanted, State::idle, &UpdateCore::drop},
    {State::paused, Event::unwanted, State::idle, &UpdateCore::drop},
    {State::refused, Event::unwanted, State::idle, &UpdateCore::drop},

    {State::idle, Event::resumed, State::installing, &UpdateCore::install},
    {State::paused, Event::resumed, State::installing, &UpdateCore::install},
    {State::seeking, Event::found, State::downloading, &UpdateCore::download},
    {State::seeking, Event::known_bad, State::refused, &UpdateCore::refuse_again},
    {State::seeking, Event::refused, State::refused, &UpdateCore::refuse},
    {State::seeking, Event::hindered, State::paused, &UpdateCore::pause},
    {State::downloading, Event::downloaded, State::installing, &UpdateCore::install},
    {State::downloading, Event::hindered, State::paused, &UpdateCore::pause},
    {State::installing, Event::unpacked, State::staging_packages, &UpdateCore::stage_packages},
    {State::installing, Event::missing, State::downloading, &UpdateCore::download},
    {State::installing, Event::refused, State::refused, &UpdateCore::refuse},
    {State::installing, Event::hindered, State::paused, &UpdateCore::pause},
    {State::staging_packages, Event::staged, State::waiting, &UpdateCore::wait},
    {State::staging_packages, Event::refused, State::refused, &UpdateCore::refuse},
    {State::staging_packages, Event::hindered, State::paused, &UpdateCore::pause},
    {State::waiting, Event::mended, State::idle, &UpdateCore::settle_mended},
    {State::waiting, Event::due, State::installing_packages, &UpdateCore::install_packages},
    {State::waiting, Event::refused, State::refused, &UpdateCore::refuse},
    {State::waiting, Event::hindered, State::paused, &UpdateCore::pause},
    {State::installing_packages, Event::installed, State::equipping, &UpdateCore::equip},
    {State::installing_packages, Event::refused, State::refused, &UpdateCore::refuse},
    {State::installing_packages, Event::hindered, State::paused, &UpdateCore::pause},
    {State::equipping, Event::unpacked, State::switching, &UpdateCore::switch_over},
    {State::equipping, Event::missing, State::downloading, &UpdateCore::download},
    {State::equipping, Event::refused, State::refused, &UpdateCore::refuse},
    {State::equipping, Event::hindered, State::paused, &UpdateCore::pause},
    {State::switching, Event::switched, State::provisional, &UpdateCore::begin_trial},
    {State::switching, Event::staged, State::waiting, &UpdateCore::wait},
    {State::switching, Event::hindered, State::paused, &UpdateCore::pause},

    {State::provisional, Event::healthy, State::idle, &UpdateCore::settle},
    {State::provisional, Event::unhealthy, State::going_back, &UpdateCore::go_back},
    {State::going_back, Event::due, State::going_back, &UpdateCore::go_back},
    {State::going_back, Event::went_back, State::refused, &UpdateCore::settle_back},
};

UpdateCore::UpdateCore(Disk& disk, const Clock& clock, SettingsCore& settings, SettingsListener& listener,
                       UpdatePort& port, InstallTiming& timing, SeededRandom random, UpdateOptions options,
                       Logger log)
    : disk_(disk),
      clock_(clock),
      settings_(settings),
      listener_(listener),
      port_(port),
      timing_(timing),
      random_(random),
      options_(options),
      log_(log),
      desk_(disk, clock, port) {}

void UpdateCore::step(Event event) {
  std::optional<Event> next = event;
  while (next) {
    const auto* const found = std::ranges::find_if(
        transitions, [&](const Transition& row) { return row.from == state_ && row.on == *next; });
    if (found == std::end(transitions)) break;
    state_ = found->to;
    deadline_.reset();
    next = (this->*found->act)();
  }
  see_to_packages();
  tell();
}

// ---- towards a release

std::optional<UpdateCore::Event> UpdateCore::seek() {
  port_.stop();
  install_.reset();
  check_.reset();
  downloads_ = 0;
  // What is there of the same version is kept until it is known to be of another release.
  if (record_.target && !is_wanted(record_.target->release)) leave_target();
  if (auto recorded = record(RecordedStep::pending); !recorded) {
    return fails("disk", recorded.error().message, Event::hindered);
  }
  if (auto trusts = port_.can_trust(); !trusts) {
    return fails(std::string(no_trust), trusts.error().message, Event::refused);
  }
  port_.find(*wanted_version());
  return std::nullopt;
}

void UpdateCore::found(std::string_view version, Result<ReleaseTarget> target) {
  if (state_ != State::seeking || wanted_version() != version) return;
  if (!target) {
    const auto what = fmt::format("release-not-found:{}", to_string(target.error().code));
    return step(*fails(what, target.error().message, Event::hindered));
  }
  if (target->release.version != version || !target->release.hash) {
    return step(*fails("signed-as-another",
                       fmt::format("{} is signed as {}", version, target->release.version), Event::hindered));
  }
  if (!record_.target || record_.target->release != target->release)
    record_.encoding = protocol::Encoding::delta;
  record_.target = std::move(*target);
  if (boost::json::serialize(record_.target->custom).size() > max_custom_bytes)
    record_.target->custom.clear();
  if (auto good = check_target(); !good) {
    return step(*fails(std::string(unfit), good.error().message, Event::refused));
  }
  const bool bad = std::ranges::any_of(
      record_.bad, [&](const BadRelease& one) { return one.hash == record_.target->release.hash; });
  step(bad ? Event::known_bad : Event::found);
}

// What a signature does not settle.
Result<void> UpdateCore::check_target() const {
  const ReleaseTarget& target = *record_.target;
  if (target.length > max_release_bytes) {
    return fail(ErrorCode::too_large, fmt::format("the release has {} bytes", target.length));
  }
  if (std::ranges::find(record_.proven, target.release.hash) != record_.proven.end()) return {};
  const auto& runs = settings_.release();
  const auto next = protocol::parse_version(target.release.version);
  if (!next) return fail(next);
  const auto now = runs ? protocol::parse_version(runs->version) : next;
  const auto allowed = JsonReader(target.custom).optional_boolean("allow_downgrade");
  if (!now || *next >= *now || (allowed && allowed->value_or(false))) return {};
  return fail(ErrorCode::failed_precondition,
              fmt::format("{} is older than {}, which runs, and is not signed as one to go back to",
                          target.release.version, runs->version));
}

std::optional<UpdateCore::Event> UpdateCore::wait() {
  if (settings_.release() == record_.target->release) return Event::mended;
  if (record_.step != RecordedStep::waiting) {
    if (auto recorded = record(RecordedStep::waiting); !recorded) {
      return fails("disk", recorded.error().message, Event::hindered);
    }
  }
  const protocol::TiedSections with = tied();
  if (std::string why = misfit(with); !why.empty()) {
    return fails(std::string(misfits), std::move(why), Event::refused);
  }
  const SteadyTime now = clock_.steady();
  InstallTiming::Answer answer = timing_.ready_to_install(*record_.target, now);
  const SteadyTime up = started_at_ + options_.provisional;  // then it is known which modules work
  if (!answer.ask_again && now < up && port_.runs_modules()) answer = {up, "modules that get up", {}};
  if (!answer.ask_again && !with.empty()) {
    if (std::string first = settings_.holds_up(with); !first.empty())
      answer = {now + options_.trial_retry, std::move(first), {}};
  }
  hour_ = std::move(answer);
  if (!hour_.ask_again) return Event::due;
  deadline_ = *hour_.ask_again;
  return std::nullopt;
}

std::optional<UpdateCore::Event> UpdateCore::switch_over() {
  record_.before = counts_;
  record_.trial_starts = 0;
  const protocol::TiedSections with = tied();
  // While packages were installed others may have come with it, or beside it.
  if (!with.empty() && (!misfit(with).empty() || !settings_.holds_up(with).empty())) return Event::staged;
  record_.ready_before = port_.ready_modules();
  for (const std::string& module : enabled_by(with.modules)) {
    const bool has_room = record_.ready_before.size() < protocol::max_modules;
    if (has_room && std::ranges::find(record_.ready_before, module) == record_.ready_before.end())
      record_.ready_before.push_back(module);
  }
  record_.failure.reset();  // of what was in the way before
  if (const auto& confirmed = settings_.confirmed_release()) {
    std::erase(record_.proven, confirmed->hash);
    record_.proven.insert(record_.proven.begin(), confirmed->hash);
    if (record_.proven.size() > UpdateRecord::kept_proven) record_.proven.pop_back();
  }
  if (auto recorded = record(RecordedStep::switching); !recorded) {
    return fails("disk", recorded.error().message, Event::hindered);
  }
  const Release& next = record_.target->release;
  if (auto switched = settings_.put_software(section_in_force(), next, with); !switched) {
    return fails("disk", switched.error().message, Event::hindered);
  }
  log_.info("switched to a release, on trial", {{"version", next.version}, {"sha256", next.hash.hex()}});
  return Event::switched;
}

// ---- the trial

std::optional<UpdateCore::Event> UpdateCore::begin_trial() {
  note(RecordedStep::provisional);
  pauses_ = 0;
  hub_seen_ = false;
  ends_ = true;
  started_at_ = clock_.steady();
  deadline_ =
      started_at_ + options_.trial_limit;  // it is the next start that judges, unless none comes about
  port_.restart();
  return std::nullopt;
}

void UpdateCore::judge_trial() {
  const SteadyTime now = clock_.steady();
  ReleaseVerdict trial = port_.trial(record_.ready_before);
  SettingsVerdict settings = settings_.verdict_with_release();
  const bool late = now >= started_at_ + options_.trial_limit;
  // Who writes settings all the time does not keep it on trial: the last ones have had less than theirs.
  const bool decides_now = late && settings_.state() == SettingsCore::State::provisional;
  if (decides_now) settings.over |= listener_.verdict().over;
  if (decides_now && !settings.over)
    settings.failure = "it could not be told whether the device works with them";
  if (!settings.failure.empty()) {
    return unhealthy(std::string(not_working), "the settings that came with it: " + settings.failure);
  }
  if (!trial.failure.empty()) return unhealthy("modules", std::move(trial.failure));
  if (late && !trial.over) return unhealthy("modules", std::move(trial.waits_for));
  if (late && !hub_seen_) {
    return unhealthy(std::string(no_hub), "no session with the hub came about");
  }
  if (std::exchange(deaths_, trial.deaths) != trial.deaths) {
    deadline_ = now + options_.provisional;  // as long again, to see whether it dies again
    return;
  }
  if (!trial.over || !settings.over || !hub_seen_) {
    deadline_ = now + options_.trial_retry;
    return;
  }
  if (auto confirmed = settings_.confirm_release(); !confirmed) {
    log_.error("cannot confirm the release, trying again", {{"error", confirmed.error().message}});
    deadline_ = now + options_.trial_retry;
    return;
  }
  step(Event::healthy);
  follow_section();
}

void UpdateCore::unhealthy(std::string fingerprint, std::string why) {
  if (state_ != State::provisional) return;
  step(*fails(std::move(fingerprint), std::move(why), Event::unhealthy));
}

// The hub wants what was confirmed before: nothing speaks against the one on trial.
void UpdateCore::leave_unwanted() {
  const auto& confirmed = settings_.confirmed_release();
  const auto wanted = wanted_version();
  const bool former = wanted ? confirmed && confirmed->version == *wanted : !confirmed;
  if (former) unhealthy(std::string(not_wanted), "the former release is wanted again");
}

void UpdateCore::hub_session() {
  const bool first = !std::exchange(hub_seen_, true);
  const bool for_want_of_it = record_.failure && record_.failure->fingerprint == no_hub;
  if (first && state_ == State::refused && for_want_of_it &&
      clock_.steady() >= started_at_ + options_.trial_limit) {
    return retry_for_hub();  // the former release did not find it either
  }
  if (state_ != State::paused || !record_.failure) return;
  const std::string_view why = record_.failure->fingerprint;
  if (!why.ends_with(":unavailable") && !why.ends_with(":timed_out")) return;
  const SteadyTime soon = clock_.steady() + Milliseconds(random_.below(5'000));
  deadline_ = deadline_ ? std::min(*deadline_, soon) : soon;
}

// The hub itself was away. Where that comes again and again, nights without it as an example, the release is
// not tried each time.
void UpdateCore::retry_for_hub() {
  forget_refusal();
  pauses_ = 0;
  if (record_.hubless_trials < 2) return follow_section();
  const WallTime now = clock_.wall();
  const std::int64_t failed_ms = std::min(record_.failure->at_ms, now.time_since_epoch().count());
  if (record_.hubless_until_ms < failed_ms) {  // else this failure has been waited for
    const auto doubled =
        options_.first_hubless * (1 << std::min<std::int64_t>(record_.hubless_trials - 2, 16));
    const Milliseconds pause = std::min(doubled, options_.longest_hubless);
    record_.hubless_until_ms = (now + pause).time_since_epoch().count();
  }
  note(record_.step);
  look_at_refused();
}

void UpdateCore::hour_changed() {
  if (state_ == State::waiting) deadline_ = clock_.steady();
}

void UpdateCore::modules_changed() {
  if (state_ != State::provisional || ends_) return;
  ReleaseVerdict trial = port_.trial(record_.ready_before);
  if (trial.hopeless) unhealthy("modules", std::move(trial.failure));
}

void UpdateCore::keeper_counts(const StartCounts& counts) {
  counts_ = counts;
  judge_starts();
}

void UpdateCore::judge_starts() {
  auto failure = failure_of_starts(record_, counts_, clock_.wall().time_since_epoch().count());
  if (failure) unhealthy(std::move(failure->fingerprint), std::move(failure->message));
}

std::optional<UpdateCore::Event> UpdateCore::settle() {
  record_.failure.reset();
  record_.last_failed.reset();
  if (record_.packages && !record_.packages->changed) record_.packages.reset();
  record_.hubless_trials = 0;
  note(RecordedStep::confirmed);
  log_.info("release confirmed", {{"version", settings_.release() ? settings_.release()->version : ""}});
  collect();
  return std::nullopt;
}

// The agent begins anew: it may be one of the files.
std::optional<UpdateCore::Event> UpdateCore::settle_mended() {
  damage_.clear();
  record_.failure.reset();
  record_.mended_at_ms = clock_.wall().time_since_epoch().count();
  note(RecordedStep::confirmed);
  log_.info("the release that runs is whole again", {{"version", record_.target->release.version}});
  pauses_ = 0;
  port_.restart();
  return std::nullopt;
}

std::optional<UpdateCore::Event> UpdateCore::go_back() {
  if (record_.step != RecordedStep::going_back) {
    record_.failure = trouble_;
    note(RecordedStep::going_back);
  }
  const std::string why = record_.failure ? record_.failure->message : "";
  if (auto reverted = settings_.revert_release(why); !reverted) {
    log_.error("cannot go back to the former release, trying again", {{"error", reverted.error().message}});
    deadline_ = clock_.steady() + options_.trial_retry;
    return std::nullopt;
  }
  return Event::went_back;
}

std::optional<UpdateCore::Event> UpdateCore::settle_back() {
  mark_bad(RecordedStep::reverted);
  if (record_.failure && record_.failure->fingerprint == no_hub) ++record_.hubless_trials;
  note(RecordedStep::reverted);
  const std::string why = record_.failure ? record_.failure->message : "";
  log_.warning("release reverted",
               {{"version", record_.target ? record_.target->release.version : ""}, {"why", why}});
  port_.restart();
  if (record_.failure && record_.failure->fingerprint == not_wanted) return Event::unwanted;
  deadline_ = clock_.steady() + options_.look_again;
  return std::nullopt;
}

// ---- what does not go on

std::optional<UpdateCore::Event> UpdateCore::fails(std::string fingerprint, std::string message,
                                                   Event event) {
  trouble_ =
      UpdateFailure{std::move(fingerprint), std::move(message), clock_.wall().time_since_epoch().count()};
  return event;
}

std::optional<UpdateCore::Event> UpdateCore::pause() {
  install_.reset();
  const bool other = !record_.failure || record_.failure->fingerprint != trouble_->fingerprint;
  record_.failure = trouble_;
  if (other) note(record_.step);
  const Milliseconds pause =
      std::min(options_.first_pause * (1 << std::min(pauses_++, 16)), options_.longest_pause);
  const auto half = static_cast<std::uint64_t>(pause.count() / 2);
  deadline_ = clock_.steady() + pause / 2 + Milliseconds(random_.below(half + 1));
  log_.warning("a software update has to wait", {{"why", record_.failure->message}});
  return std::nullopt;
}

std::optional<UpdateCore::Event> UpdateCore::refuse() {
  record_.failure = trouble_;
  // It may be another device, or come with other settings, when it is tried again.
  constexpr std::array passing{unfit, no_trust, no_installer, misfits};
  if (std::ranges::find(passing, trouble_->fingerprint) == passing.end()) mark_bad(RecordedStep::refused);
  keep_failure(RecordedStep::refused);
  note(RecordedStep::refused);
  log_.warning("release refused",
               {{"version", wanted_version().value_or("")}, {"why", record_.failure->message}});
  deadline_ = clock_.steady() + options_.look_again;
  collect();
  return std::nullopt;
}

std::optional<UpdateCore::Event> UpdateCore::refuse_again() {
  const auto bad = std::ranges::find(record_.bad, record_.target->release.hash, &BadRelease::hash);
  record_.failure = bad->failure;
  note(bad->became);
  deadline_ = clock_.steady() + options_.look_again;
  return std::nullopt;
}

std::optional<UpdateCore::Event> UpdateCore::drop() {
  port_.stop();
  install_.reset();
  leave_target();
  record_.failure.reset();
  note(RecordedStep::none);
  collect();
  return std::nullopt;
}

void UpdateCore::forget_refusal() {
  if (!record_.target) return;
  std::erase_if(record_.bad, [&](const BadRelease& one) { return one.hash == record_.target->release.hash; });
}

// Another one is wanted. Should somebody want it again, by another rollout as an example, it is a new try.
void UpdateCore::leave_target() {
  forget_refusal();
  record_.target.reset();
  record_.hubless_trials = 0;
}

void UpdateCore::keep_failure(RecordedStep became) {
  const std::string version =
      record_.target ? record_.target->release.version : wanted_version().value_or("");
  record_.last_failed = FailedUpdate{version, became, *record_.failure};
}

void UpdateCore::mark_bad(RecordedStep became) {
  if (!record_.target || !record_.failure || record_.failure->fingerprint == not_wanted) return;
  keep_failure(became);
  auto& bad = record_.bad;
  std::erase_if(bad, [&](const BadRelease& one) { return one.hash == record_.target->release.hash; });
  bad.insert(bad.begin(), BadRelease{record_.target->release.hash, became, *record_.failure});
  if (bad.size() > UpdateRecord::kept_bad) bad.pop_back();
}

// Keeps what runs, what it would go back to, what is in work, and one more.
void UpdateCore::collect() {
  WantedReleases wanted;
  for (const auto& release : {settings_.release(), settings_.confirmed_release()})
    if (release) wanted.unpacked.push_back(release->hash);
  const bool works = record_.target && state_ != State::refused;
  if (works) wanted.in_work = record_.target->release.hash;
  for (const Digest& hash : record_.unpacked) {
    const auto known = std::ranges::find(record_.bad, hash, &BadRelease::hash);
    const bool bad = known != record_.bad.end() && known->failure.fingerprint != no_hub;
    if (bad || std::ranges::find(wanted.unpacked, hash) != wanted.unpacked.end()) continue;
    wanted.unpacked.push_back(hash);
    break;
  }
  if (auto collected = collect_releases(disk_, wanted); !collected) {
    log_.warning("old releases stay on the disk", {{"error", collected.error().message}});
  }
}

Result<void> UpdateCore::record(RecordedStep step) {
  record_.step = step;
  return save_update_record(disk_, record_);
}

bool UpdateCore::is_downloaded() const {
  const bool far_enough = record_.step == RecordedStep::installing || record_.step == RecordedStep::waiting ||
                          record_.step == RecordedStep::switching;
  return far_enough && record_.target && is_wanted(record_.target->release);
}

void UpdateCore::note(RecordedStep step) {
  if (auto recorded = record(step); !recorded) {
    log_.warning("how far a software update is was not written down", {{"error", recorded.error().message}});
  }
}

// ---- whether what runs is as it was unpacked

void UpdateCore::begin_check() {
  if (state_ != State::idle || !settings_.release()) return;
  check_.emplace(disk_, release_path(settings_.release()->hash));
  deadline_ = clock_.steady();
}

void UpdateCore::check_some() {
  deadline_.reset();
  if (!check_) return begin_check();
  const auto progress = check_->step();
  if (progress && *progress == Progress::more) {
    deadline_ = clock_.steady();
    return;
  }
  check_.reset();
  lasting_damage_.clear();
  if (progress) return;
  std::string what = progress.error().message;
  log_.error("the release that runs is damaged", {{"what", what}});
  const Milliseconds since(clock_.wall().time_since_epoch().count() - record_.mended_at_ms);
  const bool may_mend = since < Milliseconds(0) || since >= options_.mend_again;
  const bool lost = is_damage(progress.error());
  if (lost && may_mend && runs_what_is_wanted() && wanted_version()) {
    damage_ = std::move(what);
    return follow_section();
  }
  lasting_damage_ = std::move(what);
  tell();
}

// ---- time

void UpdateCore::tick() {
  retry_disk();
  hear_packages();
  if (!deadline_ || clock_.steady() < *deadline_) return;
  switch (state_) {
    case State::idle: return check_some();
    case State::installing:
    case State::equipping: return install_some();
    case State::waiting:
      deadline_.reset();
      if (const auto next = wait()) step(*next);
      return;
    case State::provisional: return judge_trial();
    case State::going_back: return step(Event::due);
    case State::paused: return step(is_downloaded() ? Event::resumed : Event::wanted);
    case State::refused: return look_at_refused();
    default: deadline_.reset();
  }
}

// A clock that is wrong does not keep it away for ever.
void UpdateCore::look_at_refused() {
  const Milliseconds left(record_.hubless_until_ms - clock_.wall().time_since_epoch().count());
  if (left <= Milliseconds(0) || left > options_.longest_hubless) return step(Event::wanted);
  deadline_ = clock_.steady() + std::min(left, options_.look_again);
}

std::optional<SteadyTime> UpdateCore::next_deadline() const {
  std::optional<SteadyTime> next;
  for (const auto& one : {deadline_, disk_retry_at_, desk_.look_again()})
    if (one && (!next || *one < *next)) next = one;
  return next;
}

}  // namespace starling::agent
