// A Range or If-None-Match header from anybody: what is served lies within the file.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/http/file_response.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const std::uint64_t length :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1000}, ~std::uint64_t{0}}) {
    const auto range = starling::http::parse_range(text, length);
    if (range && (range->first > length || range->length > length - range->first)) std::abort();
  }
  (void)starling::http::names_etag(text, "\"a\"");
  return 0;
}
