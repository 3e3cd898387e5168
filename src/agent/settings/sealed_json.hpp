// Purpose: state files that notice when their bytes are not what was written: a JSON object with its
// checksum. Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::agent {

// The object with a member "checksum" (SHA-256 of its canonical text without it), and a line feed.
std::string seal(JsonObject content);
// The object without its checksum. Errors: corrupted, whatever is wrong with the text.
Result<JsonObject> unseal(std::string_view text);

}  // namespace starling::agent
