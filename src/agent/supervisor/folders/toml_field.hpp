// Purpose: which field a line of a TOML text is about that the parser does not understand, for people. A
// guess by the look of the lines: what it misses costs an error message its field. Owner: none. Thread: any.
// Lifetime: none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace starling::agent {

struct TomlField {
  std::string name;       // "limits.memory"; empty: none can be told
  bool unquoted = false;  // its value is text without quotes, or has some in it
  std::string quoted;     // the line with quotes, where that is easily told; else empty
};

TomlField field_at(std::string_view toml, std::size_t line);

}  // namespace starling::agent
