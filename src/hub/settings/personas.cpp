#include "hub/settings/personas.hpp"

#include <fmt/format.h>

#include <algorithm>
#include "base/json_text.hpp"
#include "hub/rollouts/rollout_edits.hpp"

namespace starling::hub {

using protocol::LayerId;
using protocol::LayerKind;
using protocol::persona_active_key;

namespace {

constexpr std::string_view no_persona = "none";
constexpr std::size_t max_persona_name_bytes = 63;
constexpr std::size_t max_fields_bytes = 64 * 1024;  // well below what a link message may have

// Names appear in layers, paths and tables: no control characters, no slash, no spaces at the ends.
Result<void> check_name(const std::string& name, const std::string& pointer) {
  const auto forbidden = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '/' || c == 0x7f; };
  if (name.empty() || name.size() > max_persona_name_bytes || name.front() == ' ' || name.back() == ' ' ||
      std::ranges::any_of(name, forbidden)) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("'{}' cannot be a persona's name: 1 to {} bytes without slash or control characters",
                    name.substr(0, max_persona_name_bytes), max_persona_name_bytes),
        pointer);
  }
  if (name == no_persona || name == "import") {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' has a meaning of its own; choose another name", name), pointer);
  }
  return {};
}

Result<void> add_persona_edits(const FleetState& head, const PersonaWrite& write, const std::string& pointer,
                               std::vector<Edit>& edits) {
  const LayerId layer{LayerKind::persona, write.name};
  std::map<std::string, Json> wanted;
  for (const auto& [name, value] : write.pi_config) {
    const std::string key(name);
    const std::string where = pointer + "/pi_config/" + key;
    if (value.is_null()) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("persona '{}': {} has no value; leave the key out instead", write.name, key),
                  where);
    }
    auto checked = check_value(head, layer, key, value);
    if (!checked) {
      return fail(
          ErrorCode::invalid_argument,
          fmt::format("persona '{}', pi_config key '{}': {}", write.name, key, checked.error().message),
          where + checked.error().field);
    }
    if (!wanted.emplace(checked->key, std::move(checked->value)).second) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("persona '{}': {} is named twice, once by its alias", write.name, checked->key),
                  where);
    }
  }
  Edit entity = head.edit(EntityKind::persona, write.name, Persona{write.name, write.fields}.to_json());
  if (entity.before != entity.after) edits.push_back(std::move(entity));
  for (const auto& [key, entry] : head.layer(layer)) {
    if (!wanted.contains(key)) edits.push_back(setting_edit(head, layer, key, Json()));
  }
  for (auto& [key, value] : wanted) {
    Edit edit = setting_edit(head, layer, key, std::move(value));
    if (edit.before != edit.after) edits.push_back(std::move(edit));
  }
  return check_not_rolled_out(head, edits);
}

Result<void> check_assets(const std::string& name, const JsonObject& fields, const std::string& pointer) {
  constexpr std::size_t most = 512;
  const Json* listed = fields.if_contains(protocol::persona_assets_field);
  if (listed == nullptr) return {};
  const JsonArray* names = listed->if_array();
  const bool all_texts = names != nullptr && names->size() <= most &&
                         std::ranges::all_of(*names, [](const Json& each) { return each.is_string(); });
  if (!all_texts) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("persona '{}': assets is a list of at most {} names of files", name, most),
                pointer + "/assets");
  }
  for (std::size_t i = 0; i < names->size(); ++i) {
    const auto named = protocol::check_asset_name((*names)[i].get_string());
    if (named) continue;
    return fail(named.error().code, fmt::format("persona '{}': {}", name, named.error().message),
                fmt::format("{}/assets/{}", pointer, i));
  }
  return {};
}

}  // namespace

Result<PersonaWrite> parse_persona(const std::string& name, const Json& body, const std::string& pointer) {
  if (auto named = check_name(name, pointer); !named) return fail(named);
  const JsonObject* object = body.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::invalid_argument, fmt::format("persona '{}' is not an object", name), pointer);
  }
  PersonaWrite write{name, *object, {}};
  const auto config = JsonReader(*object, pointer).optional_object("pi_config");
  if (!config) return fail(config);
  if (*config != nullptr) write.pi_config = **config;
  write.fields.erase("pi_config");
  // What was read can be written back: the name that the API shows is no field of its own.
  const Json* own_name = write.fields.if_contains("name");
  if (own_name != nullptr && *own_name == Json(name)) write.fields.erase("name");
  if (auto named = check_assets(name, write.fields, pointer); !named) return fail(named);
  if (json_text(write.fields).size() > max_fields_bytes) {
    return fail(ErrorCode::too_large,
                fmt::format("persona '{}' is larger than {} KiB; each of its devices holds all of it", name,
                            max_fields_bytes / 1024),
                pointer);
  }
  return write;
}

Result<std::vector<PersonaWrite>> parse_personas(const Json& body) {
  const JsonObject* object = body.if_object();
  if (object == nullptr) {
    return fail(ErrorCode::invalid_argument, "a personas file is an object of personas by name");
  }
  std::vector<PersonaWrite> writes;
  for (const auto& [name, persona] : *object) {
    auto write = parse_persona(std::string(name), persona, "/" + std::string(name));
    if (!write) return fail(write);
    writes.push_back(std::move(*write));
  }
  if (writes.empty()) return fail(ErrorCode::invalid_argument, "the file names no persona");
  return writes;
}

JsonObject persona_json(const FleetState& state, const Persona& persona) {
  JsonObject body = persona.fields;
  JsonObject config;
  for (const auto& [key, entry] : state.layer({LayerKind::persona, persona.name})) {
    const auto* schema = state.catalog().find(key);
    config[schema == nullptr || schema->alias.empty() ? key : schema->alias] = entry.value;
  }
  body["pi_config"] = std::move(config);
  return body;
}

Result<std::vector<Edit>> plan_personas(const FleetState& head, const std::vector<PersonaWrite>& personas,
                                        bool in_import) {
  std::vector<Edit> edits;
  for (const PersonaWrite& write : personas) {
    const std::string pointer = in_import ? "/" + write.name : "";
    if (auto added = add_persona_edits(head, write, pointer, edits); !added) return fail(added);
  }
  return edits;
}

Result<std::vector<Edit>> plan_persona_removal(const FleetState& head, const std::string& name) {
  if (!head.personas().contains(name)) {
    return fail(ErrorCode::not_found, fmt::format("no persona is called '{}'", name));
  }
  std::string active_in;
  int more = 0;
  for (const auto& [id, layer] : head.layers()) {
    const auto active = layer.values.find(persona_active_key);
    if (active == layer.values.end() || active->second.value != Json(name)) continue;
    if (active_in.size() > 200) {
      ++more;
      continue;
    }
    active_in += (active_in.empty() ? "" : ", ") + id.text();
  }
  if (!active_in.empty()) {
    if (more > 0) active_in += fmt::format(" and {} more", more);
    return fail(
        ErrorCode::conflict,
        fmt::format("persona '{}' is active in {}; switch those to another one first", name, active_in));
  }
  std::vector<Edit> edits{head.edit(EntityKind::persona, name, Json())};
  const LayerId layer{LayerKind::persona, name};
  for (const auto& [key, entry] : head.layer(layer))
    edits.push_back(setting_edit(head, layer, key, Json()));
  if (auto free = check_not_rolled_out(head, edits); !free) return fail(free);
  return edits;
}

SettingsWrite persona_switch(const std::string& name, Target target) {
  SettingsWrite write;
  write.target = std::move(target);
  write.values.emplace(persona_active_key, name == no_persona ? Json() : Json(name));
  return write;
}

}  // namespace starling::hub
