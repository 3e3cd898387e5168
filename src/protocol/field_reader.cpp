#include "protocol/field_reader.hpp"

#include <fmt/format.h>

#include <cmath>

#include "protocol/excerpt.hpp"
#include "protocol/setting_schema.hpp"

namespace starling::protocol {
namespace {

// JSON has one kind of number: 5.0 is 5.
std::optional<std::int64_t> whole_number(const Json& value) {
  if (value.is_int64()) return value.get_int64();
  if (!value.is_double()) return {};
  const double number = value.get_double();
  if (number != std::trunc(number) || std::abs(number) > 9007199254740992.0) return {};
  return static_cast<std::int64_t>(number);
}

}  // namespace

const Json* FieldReader::find(std::string_view key) const {
  if (error_) return nullptr;
  const Json* value = object_.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string FieldReader::pointer(std::string_view key) const {
  return path_ + "/" + pointer_token(key);
}

void FieldReader::refuse_at(std::string pointer, std::string_view why) {
  if (error_) return;
  std::string message = fmt::format("{} {}", excerpt(pointer), why);
  error_ = Error{ErrorCode::invalid_argument, std::move(message), std::move(pointer)};
}

std::string FieldReader::text(std::string_view key, std::size_t max_bytes) {
  if (find(key) == nullptr) {
    refuse(key, "is missing");
    return {};
  }
  return optional_text(key, max_bytes);
}

std::int64_t FieldReader::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  if (find(key) == nullptr) {
    refuse(key, "is missing");
    return least;
  }
  return optional_integer(key, least, most, least);
}

bool FieldReader::boolean(std::string_view key) {
  if (find(key) == nullptr) {
    refuse(key, "is missing");
    return false;
  }
  return optional_boolean(key, false);
}

const JsonObject* FieldReader::object(std::string_view key) {
  if (find(key) == nullptr) {
    refuse(key, "is missing");
    return nullptr;
  }
  return find_object(key);
}

const Json* FieldReader::any(std::string_view key) {
  if (error_) return nullptr;
  const Json* value = object_.if_contains(key);
  if (value == nullptr) refuse(key, "is missing");
  return value;
}

std::string FieldReader::optional_text(std::string_view key, std::size_t max_bytes) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (!value->is_string()) {
    refuse(key, "must be a string");
    return {};
  }
  const JsonString& found = value->get_string();
  if (found.size() > max_bytes) {
    refuse(key, fmt::format("must have at most {} bytes (got {})", max_bytes, found.size()));
    return {};
  }
  return std::string(found);
}

std::int64_t FieldReader::optional_integer(std::string_view key, std::int64_t least, std::int64_t most,
                                           std::int64_t otherwise) {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  const std::optional<std::int64_t> number = whole_number(*value);
  if (!number) {
    refuse(key, "must be a whole number");
  } else if (*number < least || *number > most) {
    refuse(key, fmt::format("must be between {} and {} (got {})", least, most, *number));
  } else {
    return *number;
  }
  return otherwise;
}

bool FieldReader::optional_boolean(std::string_view key, bool otherwise) {
  const Json* value = find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_bool()) refuse(key, "must be true or false");
  return value->is_bool() && value->get_bool();
}

Digest FieldReader::optional_digest(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return {};
  if (value->is_string()) {
    const Result<Digest> digest = Digest::from_hex(value->get_string());
    if (digest) return *digest;
  }
  refuse(key, "must be a SHA-256 of 64 lower-case hexadecimal digits, or \"\"");
  return {};
}

const JsonObject* FieldReader::find_object(std::string_view key) {
  const Json* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_object()) refuse(key, "must be an object");
  return value->if_object();
}

JsonObject FieldReader::optional_object(std::string_view key) {
  const JsonObject* found = find_object(key);
  return found == nullptr ? JsonObject() : *found;
}

Json FieldReader::optional_any(std::string_view key) {
  const Json* value = find(key);
  return value == nullptr ? Json() : *value;
}

const JsonArray* FieldReader::list(std::string_view key, std::size_t max_count) {
  const Json* value = find(key);
  if (value == nullptr) return nullptr;
  if (!value->is_array()) {
    refuse(key, "must be a list");
    return nullptr;
  }
  if (value->get_array().size() > max_count) {
    refuse(key, fmt::format("must have at most {} entries (got {})", max_count, value->get_array().size()));
    return nullptr;
  }
  return &value->get_array();
}

std::vector<std::string> FieldReader::optional_texts(std::string_view key, std::size_t max_count,
                                                     std::size_t max_bytes) {
  std::vector<std::string> texts;
  const JsonArray* array = list(key, max_count);
  if (array == nullptr) return texts;
  texts.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    const JsonString* text = (*array)[i].if_string();
    if (text == nullptr || text->size() > max_bytes) {
      refuse_at(fmt::format("{}/{}", pointer(key), i),
                fmt::format("must be a string of at most {} bytes", max_bytes));
      return {};
    }
    texts.emplace_back(*text);
  }
  return texts;
}

}  // namespace starling::protocol
