// Whatever two releases are, the delta between them makes the one of the other. The first byte says where in
// the input the second begins.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "release/delta.hpp"
#include "release/make_delta.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::release;
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data + 1), size - 1);
  const std::size_t middle = rest.size() * data[0] / 255;
  MemoryBytes old_tar(rest.substr(0, middle));
  const std::string_view wanted = rest.substr(middle);
  MemoryBytes new_tar(wanted);
  const auto delta = make_delta(old_tar, new_tar);
  if (!delta) std::abort();
  MemoryBytes delta_bytes(*delta);
  auto reader = DeltaReader::open(delta_bytes, old_tar, wanted.size());
  if (!reader) std::abort();
  std::string made;
  while (true) {
    const auto piece = reader->next();
    if (!piece) std::abort();
    if (piece->empty()) break;
    made += *piece;
  }
  if (made != wanted) std::abort();
  return 0;
}
