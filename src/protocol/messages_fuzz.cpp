// What can be decoded must encode to a text that decodes to the same message.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/messages.hpp"

namespace {

template <typename Variant, typename Decode>
void check(std::string_view text, Decode decode) {
  const starling::Result<Variant> first = decode(text);
  if (!first || std::holds_alternative<starling::protocol::Unknown>(*first)) return;
  const std::string written = starling::protocol::encode(*first);
  const starling::Result<Variant> second = decode(written);
  // Numbers may grow by being written out (1e20), so a message near the limit may no longer fit.
  if (!second && second.error().code == starling::ErrorCode::too_large) return;
  if (!second || second->index() != first->index() || starling::protocol::encode(*second) != written)
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check<starling::protocol::FromHub>(text, starling::protocol::decode_from_hub);
  check<starling::protocol::FromDevice>(text, starling::protocol::decode_from_device);
  return 0;
}
