// Whatever is read, as a request and as a report, is written so that it reads the same again.
#include <cstdint>
#include <cstdlib>

#include "keeper/protocol.hpp"

namespace {

template <typename Message>
void read_and_write(std::string_view packet, starling::Result<Message> (*parse)(std::string_view packet)) {
  const auto first = parse(packet);
  if (!first) return;
  const auto text = starling::keeper::encode(*first);
  if (!text) return;  // a little longer than what was read, and then too long
  const auto second = parse(*text);
  if (!second) std::abort();
  const auto again = starling::keeper::encode(*second);
  if (!again || *again != *text) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view packet(reinterpret_cast<const char*>(data), size);
  read_and_write<starling::keeper::Request>(packet, starling::keeper::parse_request);
  read_and_write<starling::keeper::Report>(packet, starling::keeper::parse_report);
  return 0;
}
