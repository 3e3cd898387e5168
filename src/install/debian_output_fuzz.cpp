// What apt-get and dpkg-query say, with any content: read or refused.
#include <cstdint>

#include "install/debian.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)starling::install::parse_uris(text);
  (void)starling::install::parse_installed(text);
  return 0;
}
