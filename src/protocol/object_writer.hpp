// Purpose: writes one JSON object straight into text: messages are encoded without building a value first.
// Owner: the encoder. Thread: any. Lifetime: one call; `out` outlives it.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/crypto.hpp"
#include "protocol/canonical_json.hpp"

namespace starling::protocol {

class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }

  // Keys are literals that need no escapes.
  ObjectWriter& text(std::string_view key, std::string_view value) {
    append_canonical_string(begin(key), value);
    return *this;
  }
  ObjectWriter& integer(std::string_view key, std::int64_t value) {
    char digits[24];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), value);
    begin(key).append(digits, end.ptr);
    return *this;
  }
  ObjectWriter& boolean(std::string_view key, bool value) { return raw(key, value ? "true" : "false"); }
  ObjectWriter& digest(std::string_view key, const Digest& value) { return raw_text(key, value.hex()); }
  ObjectWriter& json(std::string_view key, const Json& value) {
    append_canonical_json(begin(key), value);
    return *this;
  }
  ObjectWriter& json(std::string_view key, const JsonObject& value) {
    append_canonical_json(begin(key), value);
    return *this;
  }
  // `value` is JSON already.
  ObjectWriter& raw(std::string_view key, std::string_view value) {
    begin(key).append(value);
    return *this;
  }
  // For a value that is written by other means.
  std::string& begin(std::string_view key) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += key;
    out_ += "\":";
    return out_;
  }
  void end() { out_ += '}'; }

 private:
  ObjectWriter& raw_text(std::string_view key, std::string_view value) {
    std::string& out = begin(key);
    out += '"';
    out += value;
    out += '"';
    return *this;
  }

  std::string& out_;
  bool first_ = true;
};

// `write(out, element)` for each, with brackets and commas.
template <typename Range, typename Write>
void append_list(std::string& out, const Range& elements, Write write) {
  out += '[';
  bool first = true;
  for (const auto& element : elements) {
    if (!first) out += ',';
    first = false;
    write(out, element);
  }
  out += ']';
}

}  // namespace starling::protocol
