// A component that is accepted must accept its own defaults, and an accepted value must be in its final form.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/canonical_json.hpp"
#include "protocol/component.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Json> json = parse_json(text);
  if (!json) return 0;
  const auto component = protocol::Component::from_json(*json);
  if (!component) return 0;
  for (const protocol::SettingSchema& setting : (*component)->settings()) {
    const Result<Json> value = (*component)->validate(setting.key, setting.default_value);
    if (!value || *value != setting.default_value) std::abort();
    if (parse_json(protocol::canonical_json(*value)).value() != *value) std::abort();
    for (const Json& other : {Json(true), Json(1), Json(0.5), Json("text"), Json(JsonArray{1, "a"}),
                              Json(JsonObject{{"a", 1}}), Json(nullptr)}) {
      const Result<Json> checked = (*component)->validate(setting.key, other);
      if (!checked && checked.error().message.empty()) std::abort();
      if (checked && checked->is_null()) std::abort();
    }
  }
  const auto again = protocol::Component::from_json((*component)->file());
  if (!again || (*again)->schema_hash() != (*component)->schema_hash()) std::abort();
  return 0;
}
