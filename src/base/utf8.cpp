#include "base/utf8.hpp"

#include <cstddef>
#include <cstring>

namespace starling {

bool Utf8Validator::accepts(std::string_view piece) {
  const char* next = piece.data();
  const char* const end = next + piece.size();
  while (next != end) {
    if (pending_ == 0) {
      std::uint64_t eight = 0;
      while (end - next >= static_cast<std::ptrdiff_t>(sizeof(eight))) {  // most text is ASCII
        std::memcpy(&eight, next, sizeof(eight));
        if ((eight & 0x8080808080808080u) != 0) break;
        next += sizeof(eight);
      }
      if (next == end) break;
    }
    const auto byte = static_cast<std::uint8_t>(*next++);
    if (pending_ > 0) {
      if (byte < low_ || byte > high_) return false;
      --pending_;
      low_ = 0x80;
      high_ = 0xbf;
    } else if (byte >= 0x80) {
      if (byte < 0xc2 || byte > 0xf4) return false;
      pending_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
      if (byte == 0xe0) low_ = 0xa0;
      if (byte == 0xed) high_ = 0x9f;
      if (byte == 0xf0) low_ = 0x90;
      if (byte == 0xf4) high_ = 0x8f;
    }
  }
  return true;
}

}  // namespace starling
