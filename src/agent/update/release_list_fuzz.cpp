// Any list of a release's files, with a good hash as well: refused, or written again as it was read.
#include <cstdint>
#include <cstdlib>

#include "agent/update/release_list.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  using namespace starling::agent;
  const std::string text(reinterpret_cast<const char*>(data), size);
  (void)parse_release_list(text);
  const auto list = parse_release_list(text + "sha256\t" + sha256(text).hex() + "\n");
  if (!list) return 0;
  const auto again = parse_release_list(release_list_text(*list));
  if (!again || *again != *list) std::abort();
  return 0;
}
