// Purpose: when stages may open: hours of weekdays, in a zone of the operators'.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <bitset>
#include <chrono>
#include <span>

#include "base/json.hpp"
#include "base/timezone.hpp"

namespace starling::hub {

//   {"days": ["mon", "tue"], "at": "09:00", "minutes": 480, "timezone": "Europe/Berlin"}
struct MaintenanceWindow {
  std::bitset<7> days;  // Sunday first; on which it begins
  std::chrono::minutes at{};
  std::chrono::minutes length{};
  TimeZone zone;

  bool is_open(WallTime now) const;
  Json to_json() const;
  // Errors: invalid_argument with pointer.
  static Result<MaintenanceWindow> from_json(const JsonObject& json, const std::string& path);
  bool operator==(const MaintenanceWindow&) const = default;
};

// Without any, always.
bool any_open(std::span<const MaintenanceWindow> windows, WallTime now);

}  // namespace starling::hub
