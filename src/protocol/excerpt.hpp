// Purpose: shows input in a message or report without letting it grow or cut a character in two.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

namespace starling::protocol {

inline std::string excerpt(std::string_view text, std::size_t max_bytes = 80) {
  if (text.size() <= max_bytes) return std::string(text);
  while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xC0) == 0x80)
    --max_bytes;
  return std::string(text.substr(0, max_bytes)) + "...";
}

}  // namespace starling::protocol
