// Purpose: shows input in a message or report without letting it grow or cut a character in two.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

#include "base/utf8.hpp"

namespace starling::protocol {

inline std::string excerpt(std::string_view text, std::size_t max_bytes = 80) {
  const std::string_view kept = cut_utf8(text, max_bytes);
  return std::string(kept) + (kept.size() < text.size() ? "..." : "");
}

}  // namespace starling::protocol
