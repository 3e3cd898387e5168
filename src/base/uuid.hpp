// Purpose: identifiers. Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"

namespace starling {

// RFC 9562 version 7, lower case with hyphens: 48 bits of Unix milliseconds, then 74 random bits.
std::string make_uuid_v7(WallTime now);
std::string make_uuid_v4();
// Canonical 8-4-4-4-12 lower-case form, any version.
bool is_uuid(std::string_view text);
// The canonical form of a UUID written with upper or lower case; none if it is no UUID.
std::optional<std::string> canonical_uuid(std::string_view text);

}  // namespace starling
