#include "base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <charconv>
#include <cmath>
#include <functional>
#include <set>
#include <span>
#include <vector>

namespace starling {
namespace {

namespace json = boost::json;
using boost::system::error_code;

// What every handler of basic_parser must have; the two below override what they need.
struct IgnoreAll {
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t, error_code&) { return true; }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t, error_code&) { return true; }
  bool on_key_part(json::string_view, std::size_t, error_code&) { return true; }
  bool on_key(json::string_view, std::size_t, error_code&) { return true; }
  bool on_string_part(json::string_view, std::size_t, error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, error_code&) { return true; }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, error_code&) { return true; }
  bool on_double(double, json::string_view, error_code&) { return true; }
  bool on_bool(bool, error_code&) { return true; }
  bool on_null(error_code&) { return true; }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }
};

// Builds the value and counts the keys that were written, so that a duplicate shows as a difference between
// that count and the keys of the result: a check without any work per object.
struct BuildValue : IgnoreAll {
  explicit BuildValue(std::span<unsigned char> scratch) : stack({}, scratch.data(), scratch.size()) {
    stack.reset();
  }

  bool on_object_end(std::size_t count, error_code&) {
    keys += count;
    stack.push_object(count);
    return true;
  }
  bool on_array_end(std::size_t count, error_code&) {
    stack.push_array(count);
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, error_code&) {
    stack.push_key(part);
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, error_code&) {
    stack.push_chars(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t, error_code&) {
    stack.push_string(part);
    return true;
  }
  bool on_int64(std::int64_t number, json::string_view, error_code&) {
    stack.push_int64(number);
    return true;
  }
  bool on_uint64(std::uint64_t number, json::string_view, error_code&) {
    stack.push_uint64(number);
    return true;
  }
  // Boost.JSON 1.81 is off by one bit in every twentieth number of 17 digits, and a document whose numbers do
  // not read back as they were written has another hash than the one it was sent with.
  bool on_double(double number, json::string_view text, error_code& error) {
    std::from_chars(text.data(), text.data() + text.size(), number);  // leaves it as it is when out of range
    if (!std::isfinite(number)) {
      error = json::error::exponent_overflow;
      return false;
    }
    stack.push_double(number);
    return true;
  }
  bool on_bool(bool truth, error_code&) {
    stack.push_bool(truth);
    return true;
  }
  bool on_null(error_code&) {
    stack.push_null();
    return true;
  }

  json::value_stack stack;
  std::size_t keys = 0;
};

// Runs only after a duplicate is known to exist, to name it.
struct FindDuplicate : IgnoreAll {
  bool on_object_begin(error_code&) {
    seen.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, error_code&) {
    seen.pop_back();
    return true;
  }
  bool on_key_part(json::string_view text, std::size_t, error_code&) {
    part.append(text.data(), text.size());
    return true;
  }
  bool on_key(json::string_view text, std::size_t, error_code& error) {
    std::string key = std::exchange(part, {});
    key.append(text.data(), text.size());
    if (seen.back().insert(key).second) return true;
    duplicate = std::move(key);
    end_of_key = text.data() + text.size();
    error = json::error::syntax;
    return false;
  }

  std::vector<std::set<std::string, std::less<>>> seen;
  std::string part;
  std::string duplicate;
  const char* end_of_key = nullptr;
};

std::size_t count_keys(const Json& value) {
  std::size_t count = 0;
  if (const JsonObject* object = value.if_object()) {
    count = object->size();
    for (const auto& member : *object)
      count += count_keys(member.value());
  } else if (const JsonArray* array = value.if_array()) {
    for (const Json& element : *array)
      count += count_keys(element);
  }
  return count;
}

json::parse_options options_for(const JsonLimits& limits) {
  json::parse_options options;
  options.max_depth = limits.max_depth;
  return options;
}

std::unexpected<Error> duplicate_key(std::string_view text, const JsonLimits& limits) {
  json::basic_parser<FindDuplicate> parser(options_for(limits));
  error_code error;
  parser.write_some(false, text.data(), text.size(), error);
  const FindDuplicate& found = parser.handler();
  // The parser hands over a view of the input unless the key has escapes.
  const std::less_equal<const char*> not_after;
  const bool in_input =
      not_after(text.data(), found.end_of_key) && not_after(found.end_of_key, text.data() + text.size());
  const std::string where = in_input ? fmt::format(" at byte {}", found.end_of_key - text.data()) : "";
  return fail(ErrorCode::invalid_argument,
              fmt::format("invalid JSON{}: the key '{}' occurs twice in one object", where, found.duplicate));
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return fail(ErrorCode::too_large, fmt::format("the JSON document has {} bytes, at most {} are taken",
                                                  text.size(), limits.max_bytes));
  }
  std::array<unsigned char, 2048> scratch;
  json::basic_parser<BuildValue> parser(options_for(limits), scratch);
  error_code error;
  const std::size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  if (!error && consumed < text.size()) error = json::error::extra_data;
  if (error) {
    if (error == json::error::too_deep) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("invalid JSON at byte {}: nested deeper than {}", consumed, limits.max_depth));
    }
    return fail(ErrorCode::invalid_argument,
                fmt::format("invalid JSON at byte {}: {}", consumed, error.message()));
  }
  Json value = parser.handler().stack.release();
  if (parser.handler().keys != count_keys(value)) return duplicate_key(text, limits);
  return value;
}

std::string JsonReader::pointer(std::string_view key) const {
  std::string result = path_;
  result += '/';
  for (const char c : key) {  // RFC 6901 section 3
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += c;
    }
  }
  return result;
}

const Json* JsonReader::find(std::string_view key) const {
  const Json* value = object_.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::unexpected<Error> JsonReader::wrong(std::string_view key, std::string_view expected) const {
  const Json* value = object_.if_contains(key);
  if (value == nullptr)
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is missing", key), pointer(key));
  const auto kind = json::to_string(value->kind());
  return fail(
      ErrorCode::invalid_argument,
      fmt::format("'{}' must be {}, not {}", key, expected, std::string_view(kind.data(), kind.size())),
      pointer(key));
}

Result<std::string> JsonReader::string(std::string_view key, std::size_t max_bytes) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_string()) return wrong(key, "a string");
  const JsonString& text = value->get_string();
  if (text.size() > max_bytes) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' has {} bytes, at most {} are taken", key, text.size(), max_bytes),
                pointer(key));
  }
  return std::string(text.data(), text.size());
}

Result<std::int64_t> JsonReader::integer(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr) return wrong(key, "an integer");
  if (value->is_int64()) return value->get_int64();
  if (value->is_double()) {  // JSON has one number type: 5.0 is the integer 5
    const double number = value->get_double();
    if (std::trunc(number) == number && std::abs(number) <= 9007199254740992.0) {
      return static_cast<std::int64_t>(number);
    }
  }
  return wrong(key, "an integer");
}

Result<bool> JsonReader::boolean(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_bool()) return wrong(key, "true or false");
  return value->get_bool();
}

Result<const JsonObject*> JsonReader::object(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_object()) return wrong(key, "an object");
  return &value->get_object();
}

Result<const JsonArray*> JsonReader::array(std::string_view key) const {
  const Json* value = find(key);
  if (value == nullptr || !value->is_array()) return wrong(key, "an array");
  return &value->get_array();
}

Result<std::optional<std::string>> JsonReader::optional_string(std::string_view key,
                                                               std::size_t max_bytes) const {
  if (find(key) == nullptr) return std::optional<std::string>();
  return string(key, max_bytes);
}

Result<std::optional<std::int64_t>> JsonReader::optional_integer(std::string_view key) const {
  if (find(key) == nullptr) return std::optional<std::int64_t>();
  return integer(key);
}

Result<std::optional<bool>> JsonReader::optional_boolean(std::string_view key) const {
  if (find(key) == nullptr) return std::optional<bool>();
  const Result<bool> truth =
      boolean(key);  // the converting constructor would take Result<bool> itself as a bool
  if (!truth) return fail(truth);
  return std::optional<bool>(*truth);
}

Result<const JsonObject*> JsonReader::optional_object(std::string_view key) const {
  if (find(key) == nullptr) return nullptr;
  return object(key);
}

Result<const JsonArray*> JsonReader::optional_array(std::string_view key) const {
  if (find(key) == nullptr) return nullptr;
  return array(key);
}

Result<void> JsonReader::only(std::initializer_list<std::string_view> known) const {
  for (const auto& member : object_) {
    const std::string_view key(member.key().data(), member.key().size());
    if (std::ranges::find(known, key) != known.end()) continue;
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not known here", key), pointer(key));
  }
  return {};
}

}  // namespace starling
