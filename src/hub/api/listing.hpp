// Purpose: what the answers of several handlers have in common.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/json.hpp"

namespace starling::hub {

inline constexpr std::size_t max_listed = 1000;  // devices in one answer
// A page looks at no more devices than this, so that a filter that few pass never holds up the others; the
// page is then short, and `next` goes on from there.
inline constexpr std::size_t max_looked_at = 2'000;

inline Json text_or_null(std::string_view text) {
  return text.empty() ? Json() : Json(JsonString(text));
}

}  // namespace starling::hub
