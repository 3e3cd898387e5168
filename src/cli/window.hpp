// Purpose: maintenance windows as people write them.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::cli {

// "Mon-Fri 02:00-04:00", "Sat,Sun 22:00-06:00 Europe/Berlin", "02:00-04:00": as the API has it. Days are
// those on which it begins, all of them if none is named; the zone is UTC if none is named. Errors:
// invalid_argument.
Result<JsonObject> parse_window(std::string_view text);
// The other way round; "" of what is no window.
std::string window_text(const JsonObject& window);

}  // namespace starling::cli
