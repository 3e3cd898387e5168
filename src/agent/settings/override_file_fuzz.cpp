// Whatever a person types into config_override.json: it is read whole or refused, and what was read is
// written back as text that reads the same.
#include <cstdint>
#include <cstdlib>

#include "agent/settings/override_file.hpp"

namespace {

starling::protocol::Catalog make_catalog() {
  const auto file = starling::parse_json(
      R"({"$schema":"http://json-schema.org/draft-07/schema#","x-component":"hotword","title":"t",
          "description":"d","type":"object","additionalProperties":false,"properties":{
          "models":{"type":"array","items":{"type":"string"},"default":[],"description":"d",
                    "x-alias":"HOTWORD_MODELS"},
          "threshold":{"type":"number","minimum":0,"maximum":1,"default":0.5,"description":"d",
                       "x-alias":"HOTWORD_THRESHOLD"},
          "cooldown":{"type":"integer","default":5,"description":"d"}}})");
  starling::protocol::Catalog catalog;
  if (!catalog.put(starling::protocol::Component::from_json(*file).value())) std::abort();
  return catalog;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const starling::protocol::Catalog catalog = make_catalog();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto values = starling::agent::parse_override(catalog, text);
  if (!values) return 0;
  const std::string written = starling::agent::override_text(catalog, *values);
  const auto again = starling::agent::parse_override(catalog, written);
  if (!again || starling::agent::override_text(catalog, *again) != written) std::abort();
  return 0;
}
