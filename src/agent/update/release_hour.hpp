// Purpose: when the device takes a release, by the schedule that the hub has signed for it: keeps the last
// one that was read, and knows the time and since when nobody has used the device. Sans-I/O but for its
// files. Owner: Updater. Thread: one. Lifetime: a start of the agent; disk and clock outlive it.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/supervisor/module_status.hpp"
#include "agent/update/timing.hpp"
#include "agent/update/update_port.hpp"

namespace starling::agent {

class ReleaseHour final : public InstallTiming {
 public:
  // As it was signed, for hours at which the hub cannot be reached.
  static constexpr std::string_view path = "tuf/schedule.json";
  static constexpr std::size_t max_bytes = 16u << 10;

  ReleaseHour(Disk& disk, const Clock& clock, std::string zone, WallTime built, Logger log);

  void device_is(std::string device_id) { device_id_ = std::move(device_id); }
  void hub_said(WallTime time) { time_.hub_said(time); }
  void modules_are(const std::vector<ModuleStatus>& modules);  // whenever one of them changes
  // The time that counts for what is signed until then.
  WallTime now();

  // Of a release that the device shall have.
  void follow(protocol::TimingPolicy policy);
  // Of a release without a schedule, or whose schedule is not known yet.
  void follow_default(const ReleaseTarget& target);

  std::optional<Wait> before_fetch(const ReleaseTarget& target);
  Answer ready_to_install(const ReleaseTarget& target, SteadyTime now) override;

 private:
  Moment look();
  UpdateTiming& timing_of(const ReleaseTarget& target);

  Disk& disk_;
  const Clock& clock_;
  Logger log_;
  std::string device_id_, timezone_;
  DeviceTime time_;
  ActivityTracker activity_;
  std::set<std::string> recording_;
  std::optional<UpdateTiming> timing_;
};

}  // namespace starling::agent
