#include "protocol/timing_policy.hpp"

#include <fmt/format.h>

#include "base/json.hpp"
#include "base/rfc3339.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/field_reader.hpp"

namespace starling::protocol {
namespace {

constexpr JsonLimits limits{.max_bytes = 4096, .max_depth = 4};
constexpr std::size_t max_policy_version_bytes = 128;
constexpr std::chrono::minutes usual_time = std::chrono::hours(2);
constexpr std::chrono::hours urgent_deadline{24};
constexpr WallTime earliest = std::chrono::sys_days(std::chrono::year(2000) / 1 / 1);
constexpr WallTime latest = std::chrono::sys_days(std::chrono::year(9999) / 12 / 31);

TimingPolicy::Type read_type(FieldReader& reader) {
  const std::string type = reader.text("type", 32);
  if (type == "urgent") return TimingPolicy::Type::urgent;
  if (type != "scheduled") reader.refuse("type", "must be scheduled or urgent");
  return TimingPolicy::Type::scheduled;
}

std::optional<std::chrono::minutes> read_at(FieldReader& reader) {
  const std::string text = reader.optional_text("at", 16);
  if (text.empty()) return {};
  const auto at = parse_time_of_day(text);
  if (!at) reader.refuse("at", "must be a time of day like 02:00");
  return at;
}

std::optional<WallTime> read_not_before(FieldReader& reader) {
  const std::string text = reader.optional_text("not_before", 64);
  if (text.empty()) return {};
  const auto time = parse_rfc3339(text);
  if (!time || *time < earliest || *time >= latest) {
    reader.refuse("not_before", "must be a time like 2030-01-01T00:00:00Z");
  }
  return time;
}

}  // namespace

std::optional<std::chrono::minutes> parse_time_of_day(std::string_view text) {
  constexpr std::string_view form = "dd:dd";
  if (text.size() != form.size() || text[2] != ':') return {};
  int digits[4] = {};
  for (std::size_t i = 0, n = 0; i < form.size(); ++i) {
    if (form[i] != 'd') continue;
    if (text[i] < '0' || text[i] > '9') return {};
    digits[n++] = text[i] - '0';
  }
  const int hour = digits[0] * 10 + digits[1];
  const int minute = digits[2] * 10 + digits[3];
  if (hour > 23 || minute > 59) return {};
  return std::chrono::hours(hour) + std::chrono::minutes(minute);
}

std::string time_of_day_text(std::chrono::minutes since_midnight) {
  return fmt::format("{:02}:{:02}", since_midnight.count() / 60, since_midnight.count() % 60);
}

std::string_view to_string(TimingPolicy::Type type) {
  return type == TimingPolicy::Type::urgent ? "urgent" : "scheduled";
}

Result<TimingPolicy> parse_timing_policy(std::string_view text) {
  const auto json = parse_json(text, limits);
  if (!json) return fail(json, "reading a timing policy");
  if (!json->is_object()) return fail(ErrorCode::invalid_argument, "a timing policy must be an object");
  FieldReader reader(json->get_object());
  TimingPolicy policy;
  policy.version = reader.text("version", max_policy_version_bytes);
  if (policy.version.empty()) reader.refuse("version", "must not be empty");
  policy.type = read_type(reader);
  policy.at = read_at(reader);
  policy.window = std::chrono::minutes(reader.optional_integer("window_minutes", 1, 1440, 120));
  policy.not_before = read_not_before(reader);
  policy.now = reader.optional_boolean("now", false);
  const bool urgent = policy.type == TimingPolicy::Type::urgent;
  const std::int64_t hours =
      reader.optional_integer("deadline_hours", 1, 8784, urgent ? urgent_deadline.count() : 0);
  if (hours > 0) policy.deadline = std::chrono::hours(hours);
  if (!urgent && !policy.at && !policy.not_before) policy.at = usual_time;
  return reader.finish<TimingPolicy>(std::move(policy));
}

std::string to_text(const TimingPolicy& policy) {
  JsonObject json{{"version", policy.version},
                  {"type", to_string(policy.type)},
                  {"window_minutes", policy.window.count()},
                  {"now", policy.now}};
  if (policy.at) json["at"] = time_of_day_text(*policy.at);
  if (policy.not_before) json["not_before"] = to_rfc3339(*policy.not_before);
  if (policy.deadline) json["deadline_hours"] = policy.deadline->count();
  return canonical_json(json);
}

}  // namespace starling::protocol
