// update.json with any content: read as what was written, or refused. Content that is JSON is also tried with
// a good checksum, to get past it.
#include <cstdint>
#include <cstdlib>

#include "agent/settings/sealed_json.hpp"
#include "agent/update/update_record.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  using namespace starling::agent;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_update_record(text);
  auto json = parse_json(text);
  if (!json || !json->is_object()) return 0;
  json->get_object().erase("checksum");
  const auto record = parse_update_record(seal(json->get_object()));
  if (!record) return 0;
  const auto again = parse_update_record(update_record_text(*record));
  if (!again || again->step != record->step || again->bad != record->bad) std::abort();
  return 0;
}
