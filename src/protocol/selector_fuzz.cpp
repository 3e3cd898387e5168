// A selector's canonical text must read back as the same selector, with the same members.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/layer.hpp"
#include "protocol/selector.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::protocol;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto layer = LayerId::parse(text); layer && layer->text() != text) std::abort();

  const auto selector = Selector::parse(text);
  if (!selector) return 0;
  const std::string canonical = selector->canonical();
  const auto again = Selector::parse(canonical);
  if (!again || again->canonical() != canonical) std::abort();
  for (const Labels& labels : {Labels{}, Labels{{"room", "nursery"}, {"kind", ""}}, Labels{{"a", "b"}}}) {
    if (selector->matches(labels) != again->matches(labels)) std::abort();
  }
  return 0;
}
