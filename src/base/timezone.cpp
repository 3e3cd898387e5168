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

}  // namespace starling
