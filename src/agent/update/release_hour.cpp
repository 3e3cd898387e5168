#include "agent/update/release_hour.hpp"

#include <fmt/format.h>

namespace starling::agent {
namespace {

std::string words_of(const Wait& wait) {
  std::string_view what;
  switch (wait.reason) {
    case WaitReason::clock: what = "the right time"; break;
    case WaitReason::not_before: what = "its time"; break;
    case WaitReason::window: what = "its window"; break;
    case WaitReason::turn: what = "its turn"; break;
    case WaitReason::quiet: what = "an hour without use"; break;
    case WaitReason::activity: what = "the end of a recording"; break;
  }
  return wait.until ? fmt::format("{}, {}", what, to_rfc3339(*wait.until)) : std::string(what);
}

}  // namespace

ReleaseHour::ReleaseHour(Disk& disk, const Clock& clock, std::string zone, WallTime built, Logger log)
    : disk_(disk),
      clock_(clock),
      log_(log),
      timezone_(std::move(zone)),
      time_(disk, clock, built, log),
      activity_(clock.steady()) {}

void ReleaseHour::modules_are(const std::vector<ModuleStatus>& modules) {
  std::set<std::string> recording;
  for (const ModuleStatus& module : modules)
    if (module.state == ModuleState::recording) recording.insert(module.name);
  const SteadyTime now = clock_.steady();
  for (const std::string& module : recording)
    if (!recording_.contains(module))
      activity_.heard(module, {ActivityKind::recording, Activity::Phase::begins}, now);
  for (const std::string& module : recording_)
    if (!recording.contains(module)) activity_.lost(module, now);
  recording_ = std::move(recording);
}

WallTime ReleaseHour::now() {
  return look().wall.time;
}

// The zone's name may have become known to the machine since.
Moment ReleaseHour::look() {
  time_.set_synchronised(clock_is_synchronised());
  return {clock_.steady(), time_.now(), TimeZone::find(timezone_).value_or(TimeZone())};
}

void ReleaseHour::follow(protocol::TimingPolicy policy) {
  if (timing_ && timing_->policy() == policy) return;
  timing_.emplace(disk_, device_id_, std::move(policy), look(), log_);
}

// With what a schedule says that says nothing.
void ReleaseHour::follow_default(const ReleaseTarget& target) {
  const auto signed_type = JsonReader(target.custom).optional_string("type");
  const bool urgent = signed_type && *signed_type == "urgent";
  const JsonObject plain{{"version", target.release.version}, {"type", urgent ? "urgent" : "scheduled"}};
  if (auto policy = protocol::parse_timing_policy(boost::json::serialize(plain))) follow(std::move(*policy));
}

UpdateTiming& ReleaseHour::timing_of(const ReleaseTarget& target) {
  if (timing_ && timing_->policy().version == target.release.version) return *timing_;
  const auto text = disk_.read_file(path, max_bytes);
  auto policy = text ? protocol::parse_timing_policy(*text) : Result<protocol::TimingPolicy>(fail(text));
  if (policy && policy->version == target.release.version) {
    follow(std::move(*policy));
  } else {
    follow_default(target);
  }
  return *timing_;
}

std::optional<Wait> ReleaseHour::before_fetch(const ReleaseTarget& target) {
  return timing_of(target).before_fetch(look());
}

InstallTiming::Answer ReleaseHour::ready_to_install(const ReleaseTarget& target, SteadyTime) {
  const auto wait = timing_of(target).before_switch(look(), activity_);
  if (!wait) return {};
  return {wait->look_again, words_of(*wait), wait->until};
}

}  // namespace starling::agent
