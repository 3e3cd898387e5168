// Purpose: when a release is fetched, and when the device may switch to it, decided on the device from the
// signed policy. Sans-I/O but for its file. Owner: the updater, which asks again whenever `look_again` has
// come, when something that it knows changes, and at the moment of the switch itself. Thread: one. Lifetime:
// a start of the agent; the disk outlives it.
//
// Scheduled: once a day a window opens at a local time, also when clocks are put forward over that time or
// show it twice. Within it each device has a turn of its own in the first half, and lets a recording or
// playback end until three quarters are over. Urgent: when there was no activity for an hour of the boot
// clock. Either goes ahead when it has waited for longer than its deadline.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/disk.hpp"
#include "agent/update/activity_tracker.hpp"
#include "agent/update/device_time.hpp"
#include "base/log.hpp"
#include "base/timezone.hpp"
#include "protocol/timing_policy.hpp"

namespace starling::agent {

// What is known at one moment. The zone may be another one each time.
struct Moment {
  SteadyTime boot;
  TimeReading wall;
  TimeZone zone;
};

enum class WaitReason {
  clock,       // what time it is
  not_before,  // the earliest time of the policy
  window,      // the next one
  turn,        // this device's own place among all that were told at once
  quiet,       // an hour without activity
  activity,    // the end of a recording or playback
};
std::string_view to_string(WaitReason reason);

struct Wait {
  WaitReason reason{};
  std::optional<WallTime> until;  // as far as can be said
  SteadyTime look_again;          // the wall clock may jump: never far away
};

class UpdateTiming {
 public:
  static constexpr std::string_view path = "update_wait.json";
  static constexpr std::chrono::hours needed_quiet{1};
  static constexpr std::chrono::hours fetch_ahead{24};      // of `not_before`
  static constexpr std::chrono::minutes fetch_spread{5};    // over which a fleet fetches
  static constexpr std::chrono::minutes switch_spread{10};  // after `not_before` without a window
  static constexpr std::chrono::minutes longest_sleep{10};

  // Goes on with a wait for the same version that began before a restart.
  UpdateTiming(Disk& disk, std::string_view device_id, protocol::TimingPolicy policy, const Moment& now,
               Logger log);

  // Nullopt: go ahead.
  std::optional<Wait> before_fetch(const Moment& now) const;
  std::optional<Wait> before_switch(const Moment& now, const ActivityTracker& activity);

  const protocol::TimingPolicy& policy() const { return policy_; }

 private:
  std::optional<Wait> wait_for_turn(const Moment& now) const;
  std::optional<Wait> wait_for_window(const Moment& now, const ActivityTracker& activity) const;
  std::optional<Wait> wait_for_quiet(const Moment& now, const ActivityTracker& activity) const;
  bool is_early(const Moment& now) const;
  bool is_overdue(const Moment& now) const;
  void follow_clock(const Moment& now);
  // This device's part of a time over which a fleet spreads; the same each time for one version.
  Milliseconds slot(Milliseconds spread) const;

  Disk& disk_;
  Logger log_;
  protocol::TimingPolicy policy_;
  std::uint64_t place_;
  SteadyTime known_boot_;          // since when it waits, in this start
  std::optional<WallTime> since_;  // since when it waits; nullopt until the time is known
};

}  // namespace starling::agent
