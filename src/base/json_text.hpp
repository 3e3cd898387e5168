// Purpose: JSON as people read it too: members in their order, numbers as they would be written (0.7, not
// 7E-1). Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "base/json.hpp"

namespace starling {

// One line, no spaces. Reading it back gives an equal value, but for a double without a fraction, which comes
// back as an integer.
std::string json_text(const Json& value);

}  // namespace starling
