// Purpose: one packet between keeper and agent as text: a verb and fields `key=value`, NUL between them.
// Owner: values. Thread: any. Lifetime: views that it hands out are into it.
// Inner header of keeper/protocol.hpp, which gives the verbs their types.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace starling::keeper {

inline constexpr std::size_t max_packet_bytes = 64 * 1024;

class Message {
 public:
  // Errors: invalid_argument (empty, no verb, a field without a key), too_large.
  static Result<Message> parse(std::string_view packet);
  explicit Message(std::string_view verb) : packet_(verb) {}

  void add(std::string_view key, std::string_view value);
  template <std::integral Number>
  void add(std::string_view key, Number value) {
    char digits[24];
    add(key, std::string_view(digits, std::to_chars(digits, digits + sizeof(digits), value).ptr));
  }

  std::string_view verb() const;
  std::optional<std::string_view> find(std::string_view key) const;  // the first of this key
  std::vector<std::string_view> list(std::string_view key) const;    // all of this key, in their order

  // Errors of all below: invalid_argument, naming the key.
  Result<std::string> text(std::string_view key) const;  // a field that must be there
  template <std::integral Number>
  Result<std::optional<Number>> number(std::string_view key, int base = 10) const;
  template <std::integral Number>
  Result<Number> needed_number(std::string_view key) const;

  // Errors: invalid_argument (a value with a NUL was added), too_large.
  Result<std::string> packet() const;

 private:
  struct Field {
    std::string_view key, value;
  };
  std::optional<Field> field_at(std::size_t& offset) const;  // moves on to the next

  // The fields stay in the packet and are looked up in it: a message costs no more than its bytes, whatever
  // somebody sends.
  std::string packet_;
  std::string key_with_nul_;
};

template <std::integral Number>
Result<Number> parse_number(std::string_view key, std::string_view text, int base = 10) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (error != std::errc() || stop != end || text.empty()) {
    return fail(ErrorCode::invalid_argument,
                "the value of " + std::string(key) + " is not a number in range");
  }
  return value;
}

template <std::integral Number>
Result<std::optional<Number>> Message::number(std::string_view key, int base) const {
  const std::optional<std::string_view> found = find(key);
  if (!found) return std::optional<Number>();
  const Result<Number> value = parse_number<Number>(key, *found, base);
  if (!value) return fail(value);
  return std::optional<Number>(*value);
}

template <std::integral Number>
Result<Number> Message::needed_number(std::string_view key) const {
  const Result<std::optional<Number>> value = number<Number>(key);
  if (!value) return fail(value);
  if (!*value) return fail(ErrorCode::invalid_argument, std::string(key) + " is missing");
  return **value;
}

}  // namespace starling::keeper
