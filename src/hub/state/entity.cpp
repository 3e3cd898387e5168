#include "hub/state/entity.hpp"

#include <array>
#include <optional>

namespace starling::hub {

namespace {

constexpr std::array<std::string_view, 10> kind_names{"device", "persona", "group",   "setting", "component",
                                                      "key",    "action",  "release", "rollout", "asset"};
constexpr std::array<std::string_view, 4> role_names{"viewer", "guardian", "operator", "admin"};

std::unexpected<Error> damaged(std::string_view kind, std::string_view id, const Error& why) {
  return fail(ErrorCode::corrupted,
              std::string(kind) + " '" + std::string(id) + "' in the log is damaged: " + why.message,
              why.field);
}

// Reads the members of a body, keeping the first error.
class BodyReader {
 public:
  explicit BodyReader(const JsonObject& object) : reader_(object) {}

  std::string string(std::string_view key) {
    return take(reader_.optional_string(key, 1u << 20)).value_or(std::string{});
  }
  std::int64_t integer(std::string_view key) { return take(reader_.optional_integer(key)).value_or(0); }
  bool boolean(std::string_view key) { return take(reader_.optional_boolean(key)).value_or(false); }
  JsonObject object(std::string_view key) {
    const JsonObject* found = take(reader_.optional_object(key));
    return found == nullptr ? JsonObject{} : *found;
  }
  protocol::Selector selector(std::string_view key) { return take(protocol::Selector::parse(string(key))); }
  Digest digest(std::string_view key) { return take(Digest::from_hex(string(key))); }
  protocol::Labels labels(std::string_view key) {
    protocol::Labels labels;
    for (const auto& [name, value] : object(key)) {
      if (value.is_string()) labels.emplace(name, std::string(value.get_string()));
    }
    return labels;
  }

  template <typename T>
  T take(Result<T> result) {
    if (result) return *std::move(result);
    if (!error_) error_ = result.error();
    return T{};
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  JsonReader reader_;
  std::optional<Error> error_;
};

// Fills `entity` through `read` from an object body.
template <typename T, typename Read>
Result<T> read_body(std::string_view kind, std::string_view id, const Json& body, T entity, Read read) {
  const JsonObject* object = body.if_object();
  if (object == nullptr) {
    return damaged(kind, id, Error{ErrorCode::corrupted, "its body is not an object", {}});
  }
  BodyReader reader(*object);
  read(reader, entity);
  if (reader.error()) return damaged(kind, id, *reader.error());
  return entity;
}

void put_text(JsonObject& object, std::string_view key, const std::string& text) {
  if (!text.empty()) object[key] = text;
}

Result<Grant> read_grant(const JsonObject& object) {
  const JsonReader reader(object);
  const auto fleet = reader.string("fleet");
  if (!fleet) return fail(fleet);
  const auto role_name = reader.string("role");
  if (!role_name) return fail(role_name);
  const auto role = parse_role(*role_name);
  if (!role) return fail(role);
  const auto selector_text = reader.optional_string("selector");
  if (!selector_text) return fail(selector_text);
  auto selector = protocol::Selector::parse(selector_text->value_or(""));
  if (!selector) return fail(selector);
  return Grant{*fleet, *role, *std::move(selector)};
}

}  // namespace

std::string_view to_string(EntityKind kind) {
  return kind_names.at(static_cast<std::size_t>(kind));
}

Result<EntityKind> parse_entity_kind(std::string_view name) {
  for (std::size_t i = 0; i < kind_names.size(); ++i) {
    if (kind_names[i] == name) return static_cast<EntityKind>(i);
  }
  return fail(ErrorCode::invalid_argument, "'" + std::string(name) +
                                               "' is not a kind: use device, persona, group, setting, "
                                               "component, key, action, release, rollout or asset");
}

std::string_view to_string(Role role) {
  return role_names.at(static_cast<std::size_t>(role));
}

Result<Role> parse_role(std::string_view name) {
  for (std::size_t i = 0; i < role_names.size(); ++i) {
    if (role_names[i] == name) return static_cast<Role>(i);
  }
  return fail(ErrorCode::invalid_argument,
              "'" + std::string(name) + "' is not a role: use viewer, guardian, operator or admin");
}

Json Device::to_json() const {
  JsonObject body;
  body["name"] = name;
  body["timezone"] = timezone;
  body["registered_at"] = registered_at_ms;
  put_text(body, "device_type", device_type);
  put_text(body, "public_key", public_key);
  put_text(body, "serial", serial);
  put_text(body, "clone_of", clone_of);
  if (!labels.empty()) {
    JsonObject label_object;
    for (const auto& [key, value] : labels)
      label_object[key] = value;
    body["labels"] = std::move(label_object);
  }
  return body;
}

Result<Device> Device::from_json(std::string_view id, const Json& body) {
  Device device;
  device.id = id;
  return read_body("device", id, body, std::move(device), [](BodyReader& reader, Device& out) {
    out.name = reader.string("name");
    out.timezone = reader.string("timezone");
    out.device_type = reader.string("device_type");
    out.labels = reader.labels("labels");
    out.public_key = reader.string("public_key");
    out.serial = reader.string("serial");
    out.clone_of = reader.string("clone_of");
    out.registered_at_ms = reader.integer("registered_at");
  });
}

Json Persona::to_json() const {
  return JsonObject{{"fields", fields}};
}

Result<Persona> Persona::from_json(std::string_view id, const Json& body) {
  Persona persona;
  persona.name = id;
  return read_body("persona", id, body, std::move(persona),
                   [](BodyReader& reader, Persona& out) { out.fields = reader.object("fields"); });
}

Json Group::to_json() const {
  return JsonObject{{"selector", selector.canonical()}, {"priority", priority}};
}

Result<Group> Group::from_json(std::string_view id, const Json& body) {
  Group group;
  group.name = id;
  return read_body("group", id, body, std::move(group), [](BodyReader& reader, Group& out) {
    out.selector = reader.selector("selector");
    out.priority = reader.integer("priority");
  });
}

std::string SettingId::text() const {
  return layer.text() + " " + key;
}

Result<SettingId> SettingId::parse(std::string_view text) {
  // A persona's name may hold spaces; a key never does.
  const std::size_t space = text.rfind(' ');
  if (space == std::string_view::npos) {
    return fail(ErrorCode::invalid_argument, "'" + std::string(text) + "' is not a layer and a key");
  }
  auto layer = protocol::LayerId::parse(text.substr(0, space));
  if (!layer) return fail(layer);
  return SettingId{*std::move(layer), std::string(text.substr(space + 1))};
}

Json Key::to_json() const {
  JsonArray grant_list;
  for (const Grant& grant : grants) {
    grant_list.push_back(JsonObject{
        {"fleet", grant.fleet}, {"role", to_string(grant.role)}, {"selector", grant.selector.canonical()}});
  }
  return JsonObject{{"name", name},
                    {"enrolment", enrolment},
                    {"secret_hash", secret_hash.hex()},
                    {"grants", std::move(grant_list)},
                    {"created_at", created_at_ms},
                    {"expires_at", expires_at_ms}};
}

Result<Key> Key::from_json(std::string_view id, const Json& body) {
  Key key;
  key.id = id;
  return read_body("key", id, body, std::move(key), [&](BodyReader& reader, Key& out) {
    out.name = reader.string("name");
    out.enrolment = reader.boolean("enrolment");
    out.secret_hash = reader.digest("secret_hash");
    out.created_at_ms = reader.integer("created_at");
    out.expires_at_ms = reader.integer("expires_at");
    const JsonArray* grants = reader.take(JsonReader(body.get_object()).optional_array("grants"));
    for (std::size_t i = 0; grants != nullptr && i < grants->size(); ++i) {
      const JsonObject* grant = (*grants)[i].if_object();
      if (grant != nullptr) out.grants.push_back(reader.take(read_grant(*grant)));
    }
  });
}

Result<Release> Release::from_json(std::string_view id, const Json& body) {
  if (body.is_object()) return Release{std::string(id), body.get_object()};
  return damaged("release", id, Error{ErrorCode::corrupted, "its body is not an object", {}});
}

Result<Asset> Asset::from_json(std::string_view id, const Json& body) {
  auto file = protocol::AssetFile::from_json(body);
  if (!file) return damaged("asset", id, file.error());
  return Asset{std::string(id), *file};
}

Json ActionRequest::to_json() const {
  JsonObject body{
      {"name", name}, {"parameters", parameters}, {"expires_at", expires_at_ms}, {"issued_at", issued_at_ms}};
  if (!device.empty()) {
    body["device"] = device;
  } else {
    body["selector"] = selector.canonical();
  }
  return body;
}

Result<ActionRequest> ActionRequest::from_json(std::string_view id, const Json& body) {
  ActionRequest action;
  action.id = id;
  return read_body("action", id, body, std::move(action), [](BodyReader& reader, ActionRequest& out) {
    out.name = reader.string("name");
    out.parameters = reader.object("parameters");
    out.device = reader.string("device");
    out.selector = reader.selector("selector");
    out.expires_at_ms = reader.integer("expires_at");
    out.issued_at_ms = reader.integer("issued_at");
  });
}

}  // namespace starling::hub
