// The first byte chooses role and split; what comes out must not depend on how the bytes were split.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/ws/codec.hpp"

namespace {

using starling::ws::Decoder;

std::string decode(std::string bytes, std::size_t step, starling::ws::Role role) {
  Decoder decoder(role, 4096);
  std::string trace;
  for (std::size_t begin = 0; begin < bytes.size(); begin += step) {
    std::span<char> input = std::span(bytes).subspan(begin, std::min(step, bytes.size() - begin));
    for (;;) {
      const Decoder::Event event = decoder.next(input);
      if (event.kind == Decoder::Event::Kind::need_more) break;
      trace += static_cast<char>('0' + static_cast<int>(event.kind));
      if (event.kind == Decoder::Event::Kind::violation)
        return trace + std::to_string(static_cast<int>(event.code));
      trace += event.payload;
      if (event.kind == Decoder::Event::Kind::text && !starling::is_utf8(event.payload)) std::abort();
    }
  }
  return trace;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto role = (data[0] & 1) != 0 ? starling::ws::Role::client : starling::ws::Role::server;
  const std::size_t step = (data[0] >> 1) + 1;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (decode(bytes, step, role) != decode(bytes, size, role)) std::abort();
  return 0;
}
