// Purpose: the one text of a JSON value, so that equal documents have equal hashes on every device.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/crypto.hpp"
#include "base/json.hpp"

namespace starling::protocol {

// RFC 8785: members sorted by UTF-16 code units, numbers as ECMAScript prints them, minimal escapes.
// Integers outside +-2^53 print as the double nearest to them, as the RFC demands.
std::string canonical_json(const Json& value);
std::string canonical_json(const JsonObject& object);

// The same, at the end of `out`.
void append_canonical_json(std::string& out, const Json& value);
void append_canonical_json(std::string& out, const JsonObject& object);
// A string with its quotes and escapes.
void append_canonical_string(std::string& out, std::string_view text);

// SHA-256 of the canonical text.
Digest hash_of(const Json& value);

}  // namespace starling::protocol
