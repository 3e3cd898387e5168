// Purpose: text of a stranger made fit for logs and reports. Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace starling {

// Valid UTF-8 without control characters, at most `max_bytes`, cut between characters.
std::string printable_text(std::string_view text, std::size_t max_bytes);

}  // namespace starling
