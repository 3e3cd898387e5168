// Purpose: what time it is, on boards whose clock is wrong after each start until NTP comes: the best that is
// known, and a time that it certainly is not before. Sans-I/O but for its file. Owner: the updater. Thread:
// one. Lifetime: a start of the agent; disk and clock outlive it.
//
// The floor is the later of the day of the build and the last good time, which is kept on disk. A time is
// good when NTP and the hub agree on it: one of them alone, wrong once, would make all signatures look
// expired for years. What says a time before the floor is not believed.
#pragma once

#include <optional>
#include <string_view>

#include "agent/disk.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"

namespace starling::agent {

// The day on which this program was built, or that of SOURCE_DATE_EPOCH.
WallTime build_day();
// Whether the kernel says that something keeps its clock right.
bool clock_is_synchronised();

struct TimeReading {
  enum class Source { floor, hub, ntp };
  WallTime time;
  Source source = Source::floor;
  // Else it is this time or later.
  bool known() const { return source != Source::floor; }
};

class DeviceTime {
 public:
  static constexpr std::string_view path = "time.json";
  static constexpr std::chrono::hours keep_every{1};
  static constexpr std::chrono::hours agreement{1};

  DeviceTime(Disk& disk, const Clock& clock, WallTime built, Logger log);

  void hub_said(WallTime time);              // just now
  void set_synchronised(bool synchronised);  // whenever the caller has looked

  TimeReading now() const;
  WallTime floor() const { return floor_ + elapsed_since(floor_at_); }

 private:
  Milliseconds elapsed_since(SteadyTime then) const;
  std::optional<WallTime> believed(WallTime time) const;
  std::optional<WallTime> hub_time() const;  // nullopt: not known, or not believed
  void keep(WallTime good);

  Disk& disk_;
  const Clock& clock_;
  Logger log_;
  WallTime floor_;
  SteadyTime floor_at_;  // when it was that time at least
  struct Heard {
    WallTime time;
    SteadyTime at;
  };
  std::optional<Heard> hub_;
  std::optional<SteadyTime> kept_at_;
  bool synchronised_ = false;
};

}  // namespace starling::agent
