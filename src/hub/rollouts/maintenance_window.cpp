#include "hub/rollouts/maintenance_window.hpp"

#include <algorithm>
#include <array>

#include "protocol/field_reader.hpp"
#include "protocol/timing_policy.hpp"

namespace starling::hub {
namespace {

constexpr std::array<std::string_view, 7> day_names{"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

}  // namespace

bool MaintenanceWindow::is_open(WallTime now) const {
  const std::chrono::local_days today = zone.day(now);
  for (int days_ago = 0; days_ago <= 1; ++days_ago) {  // it may have begun yesterday
    const std::chrono::local_days day = today - std::chrono::days(days_ago);
    if (!days.test(std::chrono::weekday(day).c_encoding())) continue;
    const auto opens = zone.when(day, at);
    if (opens && now >= *opens && now < *opens + length) return true;
  }
  return false;
}

Json MaintenanceWindow::to_json() const {
  JsonArray names;
  for (std::size_t i = 0; i < day_names.size(); ++i) {
    if (days.test(i)) names.emplace_back(day_names[i]);
  }
  return JsonObject{{"days", std::move(names)},
                    {"at", protocol::time_of_day_text(at)},
                    {"minutes", length.count()},
                    {"timezone", zone.name()}};
}

Result<MaintenanceWindow> MaintenanceWindow::from_json(const JsonObject& json, const std::string& path) {
  protocol::FieldReader reader(json, path);
  MaintenanceWindow window;
  for (const std::string& name : reader.optional_texts("days", day_names.size(), 16)) {
    const auto found = std::ranges::find(day_names, name);
    if (found == day_names.end()) {
      reader.refuse("days", "must be of mon, tue, wed, thu, fri, sat and sun");
    } else {
      window.days.set(static_cast<std::size_t>(found - day_names.begin()));
    }
  }
  if (window.days.none()) window.days.set();
  const auto at = protocol::parse_time_of_day(reader.text("at", 16));
  if (!at) reader.refuse("at", "must be a time of day like 02:00");
  window.at = at.value_or(std::chrono::minutes(0));
  window.length = std::chrono::minutes(reader.integer("minutes", 1, 1440));
  const std::string name = reader.optional_text("timezone", 64);
  const auto zone = TimeZone::find(name.empty() ? "UTC" : name);
  if (!zone) reader.refuse("timezone", "must be the name of a time zone like Europe/Berlin");
  window.zone = zone.value_or(TimeZone());
  return reader.finish<MaintenanceWindow>(window);
}

bool any_open(std::span<const MaintenanceWindow> windows, WallTime now) {
  return windows.empty() ||
         std::ranges::any_of(windows, [&](const MaintenanceWindow& window) { return window.is_open(now); });
}

}  // namespace starling::hub
