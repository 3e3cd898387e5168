// Purpose: since when nobody has used the device. Sans-I/O. Owner: DeviceCore. Thread: one. Lifetime: a start
// of the agent, which counts as use itself: what was before it is not known.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::agent {

enum class ActivityKind { button, recording, playback, agent };

// What a module says of it: {"what": "playback", "active": true}. Without `active` it is over at once.
struct Activity {
  enum class Phase { moment, begins, ends };
  ActivityKind kind = ActivityKind::button;
  Phase phase = Phase::moment;
};
// Errors: invalid_argument with pointer.
Result<Activity> parse_activity(const JsonObject& body);

class ActivityTracker {
 public:
  explicit ActivityTracker(SteadyTime started) : last_(started) {}

  // `source` is a module's name, or the agent's own part.
  void heard(std::string_view source, const Activity& activity, SteadyTime now);
  // It died or closed its connection: what it had begun has ended.
  void lost(std::string_view source, SteadyTime now);

  bool under_way() const { return !under_way_.empty(); }
  Milliseconds quiet_for(SteadyTime now) const;  // 0 while something is under way

 private:
  SteadyTime last_;
  std::map<std::string, std::uint8_t, std::less<>> under_way_;  // by source; a bit for each kind
};

}  // namespace starling::agent
