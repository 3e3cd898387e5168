// Purpose: tells valid UTF-8 (RFC 3629) from other bytes, also in pieces as they arrive.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace starling {

class Utf8Validator {
 public:
  // False from the first byte that no valid text can have at this place; the validator is then spent.
  bool accepts(std::string_view piece);
  // Whether the text may end here, that is, no character has been begun and not completed.
  bool complete() const { return pending_ == 0; }

 private:
  std::uint8_t pending_ = 0;  // continuation bytes still to come
  std::uint8_t low_ = 0x80;  // the range of the next one: shuts out overlong forms, surrogates, past U+10FFFF
  std::uint8_t high_ = 0xbf;
};

inline bool is_utf8(std::string_view text) {
  Utf8Validator validator;
  return validator.accepts(text) && validator.complete();
}

// The longest beginning of at most `max_bytes` that cuts no character in two.
inline std::string_view cut_utf8(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  while (max_bytes > 0 && (static_cast<unsigned char>(text[max_bytes]) & 0xc0) == 0x80)
    --max_bytes;
  return text.substr(0, max_bytes);
}

}  // namespace starling
