// Purpose: reads what a hub answered. A member that is missing or has another type reads as empty: a command
// shows what it got, from a hub that may be older or newer.
// Owner: values. Thread: any. Lifetime: views into the JSON.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace starling::cli {

using Path = std::initializer_list<std::string_view>;

const Json* find(const JsonObject& object, Path path);  // nullptr if a step is missing or null
std::string text_at(const JsonObject& object, Path path);
std::int64_t number_at(const JsonObject& object, Path path);
bool flag_at(const JsonObject& object, Path path);
const JsonObject& object_at(const JsonObject& object, Path path);
const JsonArray& array_at(const JsonObject& object, Path path);
// An element of an array as an object; empty if it is none.
const JsonObject& as_object(const Json& value);

// The strings of an array, or the members of an object as "key=value", with ", " between.
std::string joined(const JsonArray& array, std::string_view separator = ", ");
std::string joined_pairs(const JsonObject& object, std::string_view separator = ",");

}  // namespace starling::cli
