// A generation's document.json with any content: read as what was written, or refused. Content that is JSON
// is also tried with a good checksum, to get past it.
#include <cstdint>
#include <cstdlib>

#include "agent/settings/generation_store.hpp"
#include "agent/settings/sealed_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)starling::agent::parse_generation(text);
  auto json = starling::parse_json(text);
  if (!json || !json->is_object()) return 0;
  json->get_object().erase("checksum");
  const auto generation = starling::agent::parse_generation(starling::agent::seal(json->get_object()));
  if (!generation) return 0;
  const auto again = starling::agent::parse_generation(starling::agent::generation_text(*generation));
  if (!again || again->settings_hash != generation->settings_hash) std::abort();
  return 0;
}
