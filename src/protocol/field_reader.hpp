// Purpose: reads the fields of a message one after the other and keeps the first error, so that a decoder is
// a list of fields and one question at the end. Owner: the decoder. Thread: any. Lifetime: one call; the
// object outlives it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::protocol {

// After the first error every read gives a default and does nothing else.
class FieldReader {
 public:
  explicit FieldReader(const JsonObject& object, std::string path = {})
      : object_(object), path_(std::move(path)) {}

  // Required fields.
  std::string text(std::string_view key, std::size_t max_bytes);
  std::int64_t integer(std::string_view key, std::int64_t least, std::int64_t most);
  bool boolean(std::string_view key);
  const JsonObject* object(std::string_view key);  // nullptr only after an error
  const Json* any(std::string_view key);           // may be null JSON; nullptr only after an error

  // Absent and null give the default.
  std::string optional_text(std::string_view key, std::size_t max_bytes);
  std::int64_t optional_integer(std::string_view key, std::int64_t least, std::int64_t most,
                                std::int64_t otherwise);
  bool optional_boolean(std::string_view key, bool otherwise);
  Digest optional_digest(std::string_view key);
  JsonObject optional_object(std::string_view key);
  Json optional_any(std::string_view key);  // null if absent
  std::vector<std::string> optional_texts(std::string_view key, std::size_t max_count, std::size_t max_bytes);

  // Reads each object of a list: `read(FieldReader&)` gives the element. Absent gives an empty list.
  template <typename T, typename Read>
  std::vector<T> optional_list(std::string_view key, std::size_t max_count, Read read) {
    std::vector<T> elements;
    const JsonArray* array = list(key, max_count);
    if (array == nullptr) return elements;
    elements.reserve(array->size());
    for (std::size_t i = 0; i < array->size() && !error_; ++i) {
      const std::string at = pointer(key) + "/" + std::to_string(i);
      const JsonObject* element = (*array)[i].if_object();
      if (element == nullptr) {
        refuse_at(at, "must be an object");
        break;
      }
      FieldReader reader(*element, at);
      elements.push_back(read(reader));
      if (reader.error_) error_ = std::move(reader.error_);
    }
    return elements;
  }

  // Reads the object at `key` field by field with `read(FieldReader&)`; nothing happens if it is absent.
  template <typename Read>
  void optional_within(std::string_view key, Read read) {
    const JsonObject* inner = find_object(key);
    if (inner == nullptr) return;
    FieldReader reader(*inner, pointer(key));
    read(reader);
    if (reader.error_) error_ = std::move(reader.error_);
  }

  // Marks the field as wrong; `why` goes on after its name: "must be ...".
  void refuse(std::string_view key, std::string_view why) { refuse_at(pointer(key), why); }
  bool failed() const { return error_.has_value(); }
  const JsonObject& all() const { return object_; }

  // The value if every field was right.
  template <typename T, typename Value>
  Result<T> finish(Value&& value) {
    if (error_) return std::unexpected(std::move(*error_));
    return T(std::forward<Value>(value));
  }

 private:
  const Json* find(std::string_view key) const;  // nullptr if absent, null or after an error
  const JsonArray* list(std::string_view key, std::size_t max_count);
  const JsonObject* find_object(std::string_view key);
  std::string pointer(std::string_view key) const;
  void refuse_at(std::string pointer, std::string_view why);

  const JsonObject& object_;
  std::string path_;
  std::optional<Error> error_;
};

}  // namespace starling::protocol
