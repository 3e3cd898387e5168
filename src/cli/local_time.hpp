// Purpose: times as people read them: local dates, and ages.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace starling::cli {

// "2026-11-20 23:33:05" in the local time zone.
std::string local_date(WallTime time);
// As above, of an RFC 3339 text; text that is none is returned as it is.
std::string local_date(std::string_view rfc3339);

// "just now", "3 m ago", "2 h ago", "5 d ago"; for times to come "in 5 d".
std::string age(WallTime time, WallTime now);
std::string age(std::string_view rfc3339, WallTime now);

}  // namespace starling::cli
