#include "base/uuid.hpp"

#include <cstdint>

#include "base/crypto.hpp"

namespace starling {
namespace {

std::string format_uuid(std::string bytes, unsigned version) {
  bytes[6] = static_cast<char>((static_cast<unsigned char>(bytes[6]) & 0x0fu) | (version << 4));
  bytes[8] = static_cast<char>((static_cast<unsigned char>(bytes[8]) & 0x3fu) | 0x80u);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    text += digits[byte >> 4];
    text += digits[byte & 0x0f];
  }
  return text;
}

}  // namespace

std::string make_uuid_v7(WallTime now) {
  std::string bytes = random_bytes(16);
  const auto since_epoch = static_cast<std::uint64_t>(now.time_since_epoch().count());
  for (unsigned i = 0; i < 6; ++i)
    bytes[i] = static_cast<char>((since_epoch >> (40 - 8 * i)) & 0xff);
  return format_uuid(std::move(bytes), 7);
}

std::string make_uuid_v4() {
  return format_uuid(random_bytes(16), 4);
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool hyphen = i == 8 || i == 13 || i == 18 || i == 23;
    const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (hyphen ? c != '-' : !hex) return false;
  }
  return true;
}

std::optional<std::string> canonical_uuid(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  if (!is_uuid(lower)) return std::nullopt;
  return lower;
}

}  // namespace starling
