// Purpose: reads members of what devices say, where anything may stand: another type is as good as nothing.
// Owner: none. Thread: any. Lifetime: what is returned lives in the object.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/json.hpp"

namespace starling::hub {

inline const JsonObject* object_in(const JsonObject& object, std::string_view name) {
  const Json* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

inline std::string_view text_in(const JsonObject& object, std::string_view name) {
  const Json* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : std::string_view();
}

inline std::int64_t integer_in(const JsonObject& object, std::string_view name) {
  const Json* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

// The first ones, where there are more than any device has.
inline std::span<const Json> array_in(const JsonObject& object, std::string_view name) {
  constexpr std::size_t most = 64;
  const Json* value = object.if_contains(name);
  if (value == nullptr || !value->is_array()) return {};
  const JsonArray& array = value->get_array();
  return {array.data(), std::min(array.size(), most)};
}

}  // namespace starling::hub
