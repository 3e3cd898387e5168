// Canonical text is a fixed point: read and written again it is the same. The merge patch between any two
// halves of the input leads from one to the other.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "protocol/canonical_json.hpp"
#include "protocol/merge_patch.hpp"

namespace {

bool has_null_member(const starling::Json& value) {
  const starling::JsonObject* object = value.if_object();
  if (object == nullptr) return false;
  for (const auto& member : *object) {
    if (member.value().is_null() || has_null_member(member.value())) return true;
  }
  return false;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace starling;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Result<Json> value = parse_json(text);
  if (!value) return 0;
  const std::string canonical = protocol::canonical_json(*value);
  JsonLimits limits;
  limits.max_bytes = 32u << 20;  // 1e20 grows by being written out
  const Result<Json> again = parse_json(canonical, limits);
  if (!again || protocol::canonical_json(*again) != canonical) std::abort();

  const JsonArray* pair = value->if_array();
  if (pair == nullptr || pair->size() != 2 || has_null_member((*pair)[1])) return 0;
  Json target = (*pair)[0];
  protocol::apply_merge_patch(target, protocol::make_merge_patch((*pair)[0], (*pair)[1]));
  if (protocol::canonical_json(target) != protocol::canonical_json((*pair)[1])) std::abort();
  return 0;
}
