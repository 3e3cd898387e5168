// Purpose: text without the blanks at both ends. Owner: none. Thread: any. Lifetime: what is returned is a
// part of the text.
#pragma once

#include <string_view>

namespace starling {

inline std::string_view trimmed(std::string_view text, std::string_view blanks = " \t\r\n") {
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace starling
