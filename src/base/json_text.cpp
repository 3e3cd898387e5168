#include "base/json_text.hpp"

#include <array>
#include <charconv>

namespace starling {

namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

void append_escaped(std::string& text, char c) {
  switch (c) {
    case '"': text += "\\\""; break;
    case '\\': text += "\\\\"; break;
    case '\n': text += "\\n"; break;
    case '\r': text += "\\r"; break;
    case '\t': text += "\\t"; break;
    default:
      text += "\\u00";
      text += hex_digits[static_cast<unsigned char>(c) >> 4];
      text += hex_digits[static_cast<unsigned char>(c) & 15];
  }
}

// Most strings need no escape: they are appended in one piece, and others in the pieces between escapes.
void append_string(std::string& text, std::string_view value) {
  text += '"';
  std::size_t done = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
    text.append(value, done, i - done);
    append_escaped(text, c);
    done = i + 1;
  }
  text.append(value, done);
  text += '"';
}

template <typename Number>
void append_number(std::string& text, Number number) {
  std::array<char, 32> digits{};
  const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  text.append(digits.data(), end);
}

void append(std::string& text, const Json& value);

void append_object(std::string& text, const JsonObject& object) {
  text += '{';
  bool first = true;
  for (const auto& [name, member] : object) {
    if (!first) text += ',';
    first = false;
    append_string(text, name);
    text += ':';
    append(text, member);
  }
  text += '}';
}

void append_array(std::string& text, const JsonArray& array) {
  text += '[';
  bool first = true;
  for (const Json& element : array) {
    if (!first) text += ',';
    first = false;
    append(text, element);
  }
  text += ']';
}

void append(std::string& text, const Json& value) {
  switch (value.kind()) {
    case boost::json::kind::null: text += "null"; break;
    case boost::json::kind::bool_: text += value.get_bool() ? "true" : "false"; break;
    case boost::json::kind::int64: append_number(text, value.get_int64()); break;
    case boost::json::kind::uint64: append_number(text, value.get_uint64()); break;
    case boost::json::kind::double_: append_number(text, value.get_double()); break;
    case boost::json::kind::string: append_string(text, value.get_string()); break;
    case boost::json::kind::array: append_array(text, value.get_array()); break;
    case boost::json::kind::object: append_object(text, value.get_object()); break;
  }
}

}  // namespace

std::string json_text(const Json& value) {
  std::string text;
  text.reserve(512);
  append(text, value);
  return text;
}

}  // namespace starling
