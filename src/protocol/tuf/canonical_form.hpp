// Purpose: the bytes of a JSON value that TUF's signatures and key ids cover: the "Canonical JSON" of OLPC,
// which is not that of RFC 8785 (protocol/canonical_json.hpp).
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::protocol::tuf {

// Members sorted by code point, no spaces, strings as they are but for '"' and '\', which are escaped.
// Errors: invalid_argument (a number with a fraction or an exponent, or one beyond 64 bits, has no such
// form).
Result<std::string> canonical_form(const Json& value);

}  // namespace starling::protocol::tuf
