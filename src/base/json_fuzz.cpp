// Whatever parse_json takes must print and parse again to the same value.
#include <cstdint>
#include <cstdlib>

#include "base/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = starling::parse_json(text);
  if (!parsed) return 0;
  const std::string printed = boost::json::serialize(*parsed);
  const auto again = starling::parse_json(printed, {.max_bytes = printed.size() + 1});
  if (!again || boost::json::serialize(*again) != printed) std::abort();
  return 0;
}
