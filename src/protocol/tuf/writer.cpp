#include "protocol/tuf/writer.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <utility>

#include "protocol/tuf/canonical_form.hpp"

namespace starling::protocol::tuf {
namespace {

constexpr std::string_view spec_version = "1.0.31";

JsonObject ed25519_json(std::string_view public_key) {
  return {{"keytype", "ed25519"},
          {"scheme", "ed25519"},
          {"keyval", JsonObject{{"public", hex_encode(public_key)}}}};
}

// Text has a canonical form, always.
std::string id_of(const JsonObject& public_key) {
  return key_id(public_key).value_or(std::string());
}

JsonObject delegation_json(const Delegation& delegation) {
  JsonObject role = signers_json(delegation.keys);
  role["name"] = delegation.name;
  JsonArray paths;
  for (const std::string& path : delegation.paths)
    paths.emplace_back(path);
  role["paths"] = std::move(paths);
  role["terminating"] = delegation.terminating;
  return role;
}

void put_signature(JsonArray& signatures, const std::string& key_id, std::string_view bytes) {
  JsonObject signature{{"keyid", key_id}, {"sig", hex_encode(bytes)}};
  for (Json& each : signatures) {
    const JsonObject* present = each.if_object();
    const Json* id = present == nullptr ? nullptr : present->if_contains("keyid");
    if (id == nullptr || !id->is_string() || std::string_view(id->get_string()) != key_id) continue;
    each = std::move(signature);
    return;
  }
  signatures.push_back(std::move(signature));
}

Result<std::string> with_signatures(const JsonObject& content, JsonArray signatures,
                                    std::span<const SigningKey> keys) {
  const Result<std::string> message = canonical_form(content);
  if (!message) return fail(message);
  for (const SigningKey& key : keys) {
    const Result<std::string> bytes = ed25519_sign(key.pair.private_key, *message);
    if (!bytes) return fail(bytes);
    put_signature(signatures, key.id, *bytes);
  }
  return boost::json::serialize(JsonObject{{"signatures", std::move(signatures)}, {"signed", content}});
}

}  // namespace

SigningKey SigningKey::make() {
  SigningKey key{make_ed25519_key_pair(), {}};
  key.id = id_of(key.public_json());
  return key;
}

Result<SigningKey> SigningKey::from_private(std::string_view private_key) {
  Result<Ed25519KeyPair> pair = ed25519_key_pair_from(private_key);
  if (!pair) return fail(pair);
  SigningKey key{std::move(*pair), {}};
  key.id = id_of(key.public_json());
  return key;
}

JsonObject SigningKey::public_json() const {
  return ed25519_json(pair.public_key);
}

Result<std::string> key_id(const JsonObject& public_key) {
  const Result<std::string> form = canonical_form(public_key);
  if (!form) return fail(form);
  return sha256(*form).hex();
}

JsonObject key_table(std::span<const JsonObject> keys) {
  JsonObject table;
  for (const JsonObject& key : keys)
    table[id_of(key)] = key;
  return table;
}

JsonObject signers_json(const RoleKeys& role) {
  JsonArray ids;
  for (const JsonObject& key : role.keys)
    ids.emplace_back(id_of(key));
  return {{"keyids", std::move(ids)}, {"threshold", role.threshold}};
}

JsonObject content_of(std::string_view type, std::int64_t version, std::chrono::sys_seconds expires) {
  return {{"_type", type},
          {"spec_version", spec_version},
          {"version", version},
          {"expires", date_time_text(expires)}};
}

JsonObject root_content(std::int64_t version, std::chrono::sys_seconds expires, const TopRoles& roles) {
  JsonObject content = content_of("root", version, expires);
  content["consistent_snapshot"] = true;
  JsonObject keys;
  JsonObject signers;
  const std::pair<const char*, const RoleKeys*> named[] = {{"root", &roles.root},
                                                           {"targets", &roles.targets},
                                                           {"snapshot", &roles.snapshot},
                                                           {"timestamp", &roles.timestamp}};
  for (const auto& [name, role] : named) {
    for (const auto& [id, key] : key_table(role->keys))
      keys[id] = key;
    signers[name] = signers_json(*role);
  }
  content["keys"] = std::move(keys);
  content["roles"] = std::move(signers);
  return content;
}

JsonObject target_json(std::uint64_t length, std::string_view sha256_hex, JsonObject custom) {
  JsonObject target{{"length", length}, {"hashes", JsonObject{{"sha256", sha256_hex}}}};
  if (!custom.empty()) target["custom"] = std::move(custom);
  return target;
}

JsonObject targets_content(std::int64_t version, std::chrono::sys_seconds expires, JsonObject targets,
                           std::span<const Delegation> delegations) {
  JsonObject content = content_of("targets", version, expires);
  content["targets"] = std::move(targets);
  if (delegations.empty()) return content;
  JsonObject keys;
  JsonArray roles;
  for (const Delegation& delegation : delegations) {
    for (const auto& [id, key] : key_table(delegation.keys.keys))
      keys[id] = key;
    roles.push_back(delegation_json(delegation));
  }
  content["delegations"] = JsonObject{{"keys", std::move(keys)}, {"roles", std::move(roles)}};
  return content;
}

JsonObject file_meta(std::int64_t version, std::string_view bytes) {
  return {{"version", version},
          {"length", bytes.size()},
          {"hashes", JsonObject{{"sha256", sha256(bytes).hex()}}}};
}

JsonObject snapshot_content(std::int64_t version, std::chrono::sys_seconds expires,
                            const std::map<std::string, JsonObject>& files) {
  JsonObject content = content_of("snapshot", version, expires);
  JsonObject meta;
  for (const auto& [name, file] : files)
    meta[name] = file;
  content["meta"] = std::move(meta);
  return content;
}

JsonObject timestamp_content(std::int64_t version, std::chrono::sys_seconds expires, JsonObject snapshot) {
  JsonObject content = content_of("timestamp", version, expires);
  content["meta"] = JsonObject{{"snapshot.json", std::move(snapshot)}};
  return content;
}

Result<std::string> sign(const JsonObject& content, std::span<const SigningKey> keys) {
  return with_signatures(content, {}, keys);
}

Result<std::string> add_signatures(std::string_view file, std::span<const SigningKey> keys) {
  const Result<Json> json = parse_json(file, {.max_bytes = max_targets_bytes, .max_depth = 32});
  if (!json) return fail(json);
  const JsonObject* object = json->if_object();
  const Json* content = object == nullptr ? nullptr : object->if_contains("signed");
  const Json* signatures = object == nullptr ? nullptr : object->if_contains("signatures");
  if (content == nullptr || !content->is_object() || signatures == nullptr || !signatures->is_array()) {
    return fail(ErrorCode::invalid_argument,
                "this is no TUF metadata: it needs \"signed\" and \"signatures\"");
  }
  return with_signatures(content->get_object(), signatures->get_array(), keys);
}

std::string date_time_text(std::chrono::sys_seconds time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", time);
}

}  // namespace starling::protocol::tuf
