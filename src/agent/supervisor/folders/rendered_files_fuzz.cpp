// Templates come with modules, whoever made them.
#include <cstddef>
#include <cstdint>

#include "agent/supervisor/folders/rendered_files.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const starling::agent::Values values{{"audio.device", "hw:1"}, {"audio.rate", 16000}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)starling::agent::render(text, values);
  return 0;
}
