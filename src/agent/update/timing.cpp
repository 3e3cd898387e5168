#include "agent/update/timing.hpp"

#include <algorithm>
#include <array>

#include "agent/settings/sealed_json.hpp"
#include "base/crypto.hpp"
#include "base/rfc3339.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t max_timing_bytes = 4096;

std::uint64_t place_of(std::string_view device_id, std::string_view version) {
  const Digest digest = sha256(std::string(device_id) + '\n' + std::string(version));
  std::uint64_t place = 0;
  for (std::size_t i = 0; i < sizeof place; ++i)
    place = place << 8 | digest.bytes[i];
  return place;
}

struct KeptWait {
  std::string version;
  std::optional<WallTime> since;
};

Result<KeptWait> read_wait(Disk& disk) {
  const auto text = disk.read_file(UpdateTiming::path, max_timing_bytes);
  if (!text) return fail(text);
  const auto json = unseal(*text);
  if (!json) return fail(json);
  const JsonReader reader(*json);
  auto version = reader.string("version");
  if (!version) return fail(version);
  const auto since = reader.optional_string("since");
  if (!since) return fail(since);
  return KeptWait{std::move(*version), *since ? parse_rfc3339(**since) : std::nullopt};
}

Wait wait(WaitReason reason, const Moment& now, Milliseconds longest, std::optional<WallTime> until = {}) {
  const auto sleep = std::clamp<Milliseconds>(longest, Milliseconds(1), UpdateTiming::longest_sleep);
  return {reason, until, now.boot + sleep};
}

Wait wait_until(WaitReason reason, const Moment& now, WallTime until) {
  return wait(reason, now, now.wall.known() ? until - now.wall.time : UpdateTiming::longest_sleep, until);
}

}  // namespace

std::string_view to_string(WaitReason reason) {
  constexpr std::array<std::string_view, 6> names{"clock", "not_before", "window",
                                                  "turn",  "quiet",      "activity"};
  return names[static_cast<std::size_t>(reason)];
}

UpdateTiming::UpdateTiming(Disk& disk, std::string_view device_id, protocol::TimingPolicy policy,
                           const Moment& now, Logger log)
    : disk_(disk),
      log_(log),
      policy_(std::move(policy)),
      place_(place_of(device_id, policy_.version)),
      known_boot_(now.boot) {
  const auto kept = read_wait(disk_);
  if (kept && kept->version == policy_.version) since_ = kept->since;
  follow_clock(now);
}

std::optional<Wait> UpdateTiming::before_fetch(const Moment& now) const {
  if (policy_.now) return {};
  if (policy_.not_before && now.wall.known()) {
    const WallTime earliest = *policy_.not_before - fetch_ahead + slot(fetch_ahead / 2);
    if (now.wall.time < earliest) return wait_until(WaitReason::not_before, now, earliest);
  }
  const Milliseconds left = slot(fetch_spread) - std::chrono::floor<Milliseconds>(now.boot - known_boot_);
  if (left > Milliseconds(0)) return wait(WaitReason::turn, now, left);
  return {};
}

std::optional<Wait> UpdateTiming::before_switch(const Moment& now, const ActivityTracker& activity) {
  follow_clock(now);
  if (policy_.now) return {};
  if (is_early(now)) {
    const WaitReason reason = now.wall.known() ? WaitReason::not_before : WaitReason::clock;
    return wait_until(reason, now, *policy_.not_before);
  }
  if (is_overdue(now)) return {};
  if (policy_.type == protocol::TimingPolicy::Type::urgent) return wait_for_quiet(now, activity);
  if (!policy_.at) return wait_for_turn(now);
  if (!now.wall.known()) return wait(WaitReason::clock, now, longest_sleep);
  return wait_for_window(now, activity);
}

// A time in the past is no appointment of the whole fleet's.
std::optional<Wait> UpdateTiming::wait_for_turn(const Moment& now) const {
  if (!now.wall.known() || !since_ || *since_ >= *policy_.not_before) return {};
  const WallTime turn = *policy_.not_before + slot(switch_spread);
  if (now.wall.time >= turn) return {};
  return wait_until(WaitReason::turn, now, turn);
}

std::optional<Wait> UpdateTiming::wait_for_window(const Moment& now, const ActivityTracker& activity) const {
  // Yesterday's may still be open; tomorrow may not exist.
  const std::chrono::local_days today = now.zone.day(now.wall.time);
  for (int days = -1; days <= 3; ++days) {
    const auto opens = now.zone.when(today + std::chrono::days(days), *policy_.at);
    if (!opens || now.wall.time >= *opens + policy_.window) continue;
    const WallTime turn = *opens + slot(Milliseconds(policy_.window) / 2);
    if (now.wall.time < *opens) return wait_until(WaitReason::window, now, turn);
    if (now.wall.time < turn) return wait_until(WaitReason::turn, now, turn);
    const WallTime patience_ends = *opens + policy_.window * 3 / 4;
    if (!activity.under_way() || now.wall.time >= patience_ends) return {};
    return wait_until(WaitReason::activity, now, patience_ends);
  }
  return wait(WaitReason::window, now, longest_sleep);
}

std::optional<Wait> UpdateTiming::wait_for_quiet(const Moment& now, const ActivityTracker& activity) const {
  const Milliseconds left = needed_quiet - activity.quiet_for(now.boot);
  if (left <= Milliseconds(0)) return {};
  Wait waiting = wait(WaitReason::quiet, now, left);
  if (activity.under_way()) {
    waiting.reason = WaitReason::activity;
  } else if (now.wall.known()) {
    waiting.until = now.wall.time + left;
  }
  return waiting;
}

// Of a time that is only a floor, it is early until that is past.
bool UpdateTiming::is_early(const Moment& now) const {
  return policy_.not_before && now.wall.time < *policy_.not_before;
}

bool UpdateTiming::is_overdue(const Moment& now) const {
  if (!policy_.deadline) return false;
  if (!now.wall.known() || !since_) return now.boot - known_boot_ >= *policy_.deadline;
  return now.wall.time - std::max(*since_, policy_.not_before.value_or(*since_)) >= *policy_.deadline;
}

// Once the time is known, so is since when: a device that is switched off goes on waiting. What lies ahead
// was a wrong clock's.
void UpdateTiming::follow_clock(const Moment& now) {
  if (!now.wall.known()) return;
  if (since_ && *since_ <= now.wall.time) return;
  since_ = now.wall.time - std::chrono::floor<Milliseconds>(now.boot - known_boot_);
  const auto written =
      replace_file(disk_, path, seal({{"version", policy_.version}, {"since", to_rfc3339(*since_)}}), 0600);
  if (!written) log_.warning("since when the update waits could not be kept: " + written.error().message);
}

Milliseconds UpdateTiming::slot(Milliseconds spread) const {
  return Milliseconds(place_ % static_cast<std::uint64_t>(spread.count()));
}

}  // namespace starling::agent
