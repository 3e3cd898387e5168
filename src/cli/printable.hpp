// Purpose: text from elsewhere, made fit for a terminal: nothing that it contains can move the cursor, change
// colours or turn the reading direction, and its width on the screen is known.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace starling::cli {

// Escapes control characters (C0, DEL, C1, bidirectional overrides) and bytes that are no UTF-8 as \n, \x1b,
// \u202e.
std::string printable(std::string_view text);
// As above, but keeps line feeds.
std::string printable_lines(std::string_view text);

// Columns on a terminal: wide characters count two, combining ones none.
std::size_t display_width(std::string_view printable_text);
// At most `columns` wide, ending in "…" where something was cut off.
std::string cut_to_width(std::string_view printable_text, std::size_t columns);

// JSON on several lines with an indent of two. Non-printable characters are escaped in JSON's own way, so
// that it is the same value and safe on a terminal.
std::string pretty_json(const Json& value);
// JSON on one line, likewise safe.
std::string compact_json(const Json& value);
// How a value is shown to people: strings bare, all else as compact JSON.
std::string show_value(const Json& value);

}  // namespace starling::cli
