#include "agent/update/activity_tracker.hpp"

#include <algorithm>

#include "protocol/field_reader.hpp"

namespace starling::agent {
namespace {

std::uint8_t bit(ActivityKind kind) {
  return static_cast<std::uint8_t>(1u << static_cast<unsigned>(kind));
}

}  // namespace

Result<Activity> parse_activity(const JsonObject& body) {
  protocol::FieldReader reader(body);
  Activity activity;
  const std::string what = reader.text("what", 32);
  if (what == "recording") {
    activity.kind = ActivityKind::recording;
  } else if (what == "playback") {
    activity.kind = ActivityKind::playback;
  } else if (what != "button") {
    reader.refuse("what", "must be button, recording or playback");
  }
  const Json* active = body.if_contains("active");
  if (active != nullptr && !active->is_null()) {
    const bool begins = reader.optional_boolean("active", false);
    activity.phase = begins ? Activity::Phase::begins : Activity::Phase::ends;
  }
  return reader.finish<Activity>(activity);
}

void ActivityTracker::heard(std::string_view source, const Activity& activity, SteadyTime now) {
  last_ = std::max(last_, now);
  if (activity.phase == Activity::Phase::begins) {
    under_way_[std::string(source)] |= bit(activity.kind);
    return;
  }
  const auto found = under_way_.find(source);
  if (activity.phase != Activity::Phase::ends || found == under_way_.end()) return;
  found->second &= static_cast<std::uint8_t>(~bit(activity.kind));
  if (found->second == 0) under_way_.erase(found);
}

void ActivityTracker::lost(std::string_view source, SteadyTime now) {
  const auto found = under_way_.find(source);
  if (found == under_way_.end()) return;
  last_ = std::max(last_, now);
  under_way_.erase(found);
}

Milliseconds ActivityTracker::quiet_for(SteadyTime now) const {
  if (under_way() || now <= last_) return Milliseconds(0);
  return std::chrono::floor<Milliseconds>(now - last_);
}

}  // namespace starling::agent
