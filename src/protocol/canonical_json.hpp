// Purpose: the one text of a JSON value, so that equal documents have equal hashes on every device.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "base/crypto.hpp"
#include "base/json.hpp"

namespace starling::protocol {

// RFC 8785: members sorted by UTF-16 code units, numbers as ECMAScript prints them, minimal escapes.
// Integers outside +-2^53 print as the double nearest to them, as the RFC demands.
std::string canonical_json(const Json& value);

// SHA-256 of the canonical text.
Digest hash_of(const Json& value);

}  // namespace starling::protocol
