#include "base/printable_text.hpp"

#include <algorithm>

#include "base/utf8.hpp"

namespace starling {
namespace {

// The length of the character that begins at `at`, or 0 if none does.
std::size_t character_size(std::string_view text, std::size_t at) {
  for (std::size_t size = 1; size <= 4 && at + size <= text.size(); ++size) {
    if (is_utf8(text.substr(at, size))) return size;
  }
  return 0;
}

}  // namespace

std::string printable_text(std::string_view text, std::size_t max_bytes) {
  std::string printable;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_size(text, at);
    const auto first = static_cast<unsigned char>(text[at]);
    // C0 and DEL; C1 (U+0080 to U+009F) also moves a terminal's cursor.
    const bool control = first < 0x20 || first == 0x7f ||
                         (size == 2 && first == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0);
    const std::string_view character = size == 0 ? std::string_view("?")
                                       : control ? std::string_view(" ")
                                                 : text.substr(at, size);
    if (printable.size() + character.size() > max_bytes) break;
    printable += character;
    at += std::max<std::size_t>(size, 1);
  }
  return printable;
}

}  // namespace starling
