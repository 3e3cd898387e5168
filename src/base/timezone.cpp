#include "base/timezone.hpp"

#include <algorithm>
#include <cstddef>

#include "base/files.hpp"

namespace starling {
namespace {

constexpr std::size_t max_name_bytes = 64;
constexpr std::size_t max_zone_bytes = 256 * 1024;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
         c == '+' || c == '-';
}

}  // namespace

bool is_timezone(std::string_view name, const std::filesystem::path& zones) {
  if (name == "UTC") return true;
  const bool well_formed = !name.empty() && name.size() <= max_name_bytes && name.front() != '/' &&
                           std::ranges::all_of(name, is_name_character);
  if (!well_formed) return false;
  std::error_code error;
  // Without a database nobody can tell.
  if (!std::filesystem::exists(zones / "Europe/Berlin", error)) return true;
  const auto zone = read_file(zones / name, max_zone_bytes);
  return zone && zone->starts_with("TZif");  // RFC 8536; other files and folders lie beside the zones
}

Result<TimeZone> TimeZone::find(const std::string& name) {
  cctz::time_zone rules;
  if (!is_timezone(name) || !cctz::load_time_zone(name, &rules)) {
    return fail(ErrorCode::not_found,
                "the time zone '" + name.substr(0, max_name_bytes) + "' is not known to this machine");
  }
  return TimeZone(rules);
}

std::chrono::local_days TimeZone::day(WallTime time) const {
  const cctz::civil_day day(rules_.lookup(std::chrono::floor<Seconds>(time)).cs);
  return std::chrono::local_days(std::chrono::days(day - cctz::civil_day(1970, 1, 1)));
}

std::optional<WallTime> TimeZone::when(std::chrono::local_days day, std::chrono::minutes time_of_day) const {
  const cctz::civil_minute shown =
      cctz::civil_minute(cctz::civil_day(1970, 1, 1) + day.time_since_epoch().count()) + time_of_day.count();
  const auto found = rules_.lookup(cctz::civil_second(shown));
  const bool skipped = found.kind == cctz::time_zone::civil_lookup::SKIPPED;
  if (skipped && found.pre - found.post >= std::chrono::days(1)) return {};
  return skipped ? found.trans : found.pre;
}

}  // namespace starling
