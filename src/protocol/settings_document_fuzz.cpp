// A hub's settings document, with its files: what is taken is written again as it was read.
#include <cstdint>
#include <cstdlib>

#include "protocol/document.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  const auto json = parse_json({reinterpret_cast<const char*>(data), size});
  if (!json) return 0;
  const auto document = protocol::SettingsDocument::from_json(*json);
  if (!document) return 0;
  const auto again = protocol::SettingsDocument::from_json(document->to_json());
  if (!again || again->hash() != document->hash() || again->assets != document->assets) std::abort();
  return 0;
}
