// Purpose: what the answers of several handlers have in common.
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/json.hpp"

namespace starling::hub {

inline constexpr std::size_t max_listed = 1000;  // devices in one answer

inline Json text_or_null(std::string_view text) {
  return text.empty() ? Json() : Json(JsonString(text));
}

}  // namespace starling::hub
