// Whatever a hub says of encodings: refused, or written again as it was read.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/release_encodings.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::protocol;
  const auto offers = parse_encoding_offers(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!offers) return 0;
  const auto text = boost::json::serialize(to_json(*offers));
  if (text.size() > max_encoding_offers_bytes) return 0;
  const auto again = parse_encoding_offers(text);
  if (!again || *again != *offers) std::abort();
  return 0;
}
