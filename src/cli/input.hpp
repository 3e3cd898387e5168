// Purpose: reads what a command is given in a file or on its input.
// Owner: the command. Thread: one. Lifetime: none.
#pragma once

#include <string>

#include "base/json.hpp"
#include "base/result.hpp"
#include "cli/console.hpp"

namespace starling::cli {

// The JSON object in a file; "-" is the standard input. At most 16 MiB.
// Errors: those of read_file, invalid_argument (not JSON, no object), naming the file.
Result<JsonObject> read_json_object(Console& console, const std::string& file);

}  // namespace starling::cli
