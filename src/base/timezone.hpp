// Purpose: names of time zones, as people and machines give them.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <filesystem>
#include <string_view>

namespace starling {

// An IANA name like Europe/Berlin: by its form, and by the system's tz database where there is one. A rule
// (EST5EDT,M3.2.0) or a path (:/etc/localtime), which TZ may hold as well, is none.
bool is_timezone(std::string_view name, const std::filesystem::path& zones = "/usr/share/zoneinfo");

}  // namespace starling
