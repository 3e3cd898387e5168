// Purpose: modules and their transitions as the hub and local subscribers are told of them. Owner: none.
// Thread: any. Lifetime: none.
#pragma once

#include "agent/supervisor/module_status.hpp"
#include "agent/supervisor/processes/resource_sampler.hpp"
#include "agent/supervisor/transition_journal.hpp"
#include "base/json.hpp"

namespace starling::agent {

// Steady times by the wall clock: the same each time, however the two are read, until somebody sets the
// clock.
class WallTimes {
 public:
  explicit WallTimes(const Clock& clock) : clock_(clock), offset_(offset()) {}

  // A board without a clock of its own learns the time when its modules run already: what was told by the old
  // time is told by the new one. To be called now and then. Whether it was set.
  bool notice_set() {
    const std::chrono::nanoseconds now = offset();
    if (std::chrono::abs(now - offset_) < set_by) return false;
    offset_ = now;
    return true;
  }
  WallTime of(SteadyTime time) const {
    return WallTime(std::chrono::floor<Milliseconds>(time.time_since_epoch() + offset_));
  }

 private:
  static constexpr Milliseconds set_by{500};  // more than can pass between the two readings
  std::chrono::nanoseconds offset() const {
    return clock_.wall().time_since_epoch() - clock_.steady().time_since_epoch();
  }

  const Clock& clock_;
  std::chrono::nanoseconds offset_;
};

// Members that say nothing are left out, and nothing counts down: the same state is the same report.
JsonObject to_json(const ModuleStatus& status, const WallTimes& times);
// Of a report that is too long: the evidence of its death; then whatever is not of a small, known size.
void leave_out_evidence(JsonObject& module);
void leave_out_texts(JsonObject& module);
JsonObject to_json(const DeathReport& death);
void put_deaths(JsonObject& module, const DeathCount& deaths);
JsonObject to_json(const Transition& transition, const WallTimes& times);
JsonObject to_json(const ResourceUse& use);

}  // namespace starling::agent
