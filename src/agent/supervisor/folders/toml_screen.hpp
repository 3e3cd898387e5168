// Purpose: keeps from the TOML parser what it does not stand. It recurses without a bound into dotted names,
// and what it does with characters beyond ASCII is undefined in places: it gets to see none.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace starling::agent {

// The same document in ASCII, line for line: characters of "strings" as escapes, of comments as question
// marks. The message of an error begins with ":LINE: " where it can be told. Errors: invalid_argument,
// too_large.
Result<std::string> screened_toml(std::string_view text);

}  // namespace starling::agent
