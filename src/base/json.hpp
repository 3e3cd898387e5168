// Purpose: JSON from outside, with its limits, and small readers that say which field is wrong.
// Owner: values. Thread: any. Lifetime: none beyond the value.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace starling {

using Json = boost::json::value;
using JsonObject = boost::json::object;
using JsonArray = boost::json::array;
using JsonString = boost::json::string;

struct JsonLimits {
  std::size_t max_bytes = 1u << 20;
  std::size_t max_depth = 32;
};

// Parses one complete document: strict RFC 8259, valid UTF-8, no duplicate keys.
// Errors: invalid_argument (with the byte offset), too_large.
Result<Json> parse_json(std::string_view text, const JsonLimits& limits = {});

// Reads fields of an object. Every error is invalid_argument and carries the field's JSON pointer.
class JsonReader {
 public:
  // `path` is the pointer of `object` in its document ("" for the root).
  explicit JsonReader(const JsonObject& object, std::string path = {})
      : object_(object), path_(std::move(path)) {}

  Result<std::string> string(std::string_view key, std::size_t max_bytes = 4096) const;
  Result<std::int64_t> integer(std::string_view key) const;
  Result<bool> boolean(std::string_view key) const;
  Result<const JsonObject*> object(std::string_view key) const;
  Result<const JsonArray*> array(std::string_view key) const;

  // Absent and null both give the empty optional; a wrong type is still an error.
  Result<std::optional<std::string>> optional_string(std::string_view key,
                                                     std::size_t max_bytes = 4096) const;
  Result<std::optional<std::int64_t>> optional_integer(std::string_view key) const;
  Result<std::optional<bool>> optional_boolean(std::string_view key) const;
  Result<const JsonObject*> optional_object(std::string_view key) const;  // nullptr when absent
  Result<const JsonArray*> optional_array(std::string_view key) const;    // nullptr when absent

  // invalid_argument if the object has a key outside the list.
  Result<void> only(std::initializer_list<std::string_view> known) const;

  std::string pointer(std::string_view key) const;

 private:
  const Json* find(std::string_view key) const;
  std::unexpected<Error> wrong(std::string_view key, std::string_view expected) const;

  const JsonObject& object_;
  std::string path_;
};

}  // namespace starling
