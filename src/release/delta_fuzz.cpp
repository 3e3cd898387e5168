// A delta from anywhere makes at most as much as was signed, of an old release that is fixed here.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "release/delta.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling::release;
  std::string old_bytes(10'000, '\0');
  for (std::size_t i = 0; i < old_bytes.size(); ++i)
    old_bytes[i] = static_cast<char>(i * i >> 8);
  MemoryBytes old_tar(old_bytes);
  MemoryBytes delta(std::string_view(reinterpret_cast<const char*>(data), size));
  const auto head = read_delta_head(delta);
  if (!head || head->new_size > 1u << 20) return 0;
  auto reader = DeltaReader::open(delta, old_tar, head->new_size);
  if (!reader) return 0;
  std::uint64_t made = 0;
  while (true) {
    const auto piece = reader->next();
    if (!piece) return 0;
    if (piece->empty()) break;
    made += piece->size();
    if (made > head->new_size) std::abort();
  }
  if (made != head->new_size) std::abort();
  return 0;
}
