#include "agent/settings/sealed_json.hpp"

#include "base/crypto.hpp"
#include "protocol/canonical_json.hpp"

namespace starling::agent {
namespace {
constexpr std::string_view checksum_key = "checksum";
}

std::string seal(JsonObject content) {
  Json whole(std::move(content));
  const std::string checksum = protocol::hash_of(whole).hex();
  whole.get_object()[checksum_key] = checksum;
  return boost::json::serialize(whole) + "\n";
}

Result<JsonObject> unseal(std::string_view text) {
  auto json = parse_json(text);
  if (!json) return fail(ErrorCode::corrupted, json.error().message);
  if (!json->is_object()) return fail(ErrorCode::corrupted, "not a JSON object");
  JsonObject& object = json->get_object();
  const Json* stored = object.if_contains(checksum_key);
  if (stored == nullptr || !stored->is_string()) return fail(ErrorCode::corrupted, "no checksum");
  const std::string expected(stored->get_string());
  object.erase(checksum_key);
  if (protocol::hash_of(*json).hex() != expected) {
    return fail(ErrorCode::corrupted, "the content does not have the checksum that is written in it");
  }
  return std::move(object);
}

}  // namespace starling::agent
