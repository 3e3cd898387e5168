// What can be decoded must encode to one line that decodes to the same message.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/module_messages.hpp"

namespace {

namespace module = starling::protocol::module;

template <typename Variant, typename Decode>
void check(std::string_view text, Decode decode) {
  const starling::Result<Variant> first = decode(text);
  if (!first || std::holds_alternative<starling::protocol::Unknown>(*first)) return;
  const std::string written = module::encode(*first);
  if (written.find('\n') != std::string::npos) std::abort();
  const starling::Result<Variant> second = decode(written);
  if (!second && second.error().code == starling::ErrorCode::too_large) return;
  if (!second || second->index() != first->index() || module::encode(*second) != written) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check<module::FromModule>(text, module::decode_from_module);
  check<module::FromAgent>(text, module::decode_from_agent);
  return 0;
}
