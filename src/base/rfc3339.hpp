// Purpose: times as text from outside; Clock's to_rfc3339() writes them.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.hpp"

namespace starling {

// RFC 3339 with any number of decimals and any offset. Empty if it is no such time.
std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace starling
