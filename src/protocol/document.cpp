#include "protocol/document.hpp"

#include <fmt/format.h>

#include "protocol/canonical_json.hpp"
#include "protocol/excerpt.hpp"
#include "protocol/message_parts.hpp"
#include "protocol/setting_schema.hpp"

namespace starling::protocol {
namespace {

constexpr std::size_t max_document_settings = 8192;

// RFC 7396 cannot carry a null member, so the document has none.
void remove_null_members(Json& value) {
  JsonObject* object = value.if_object();
  if (object == nullptr) return;
  for (auto member = object->begin(); member != object->end();) {
    if (member->value().is_null()) {
      member = object->erase(member);
    } else {
      remove_null_members(member->value());
      ++member;
    }
  }
}

}  // namespace

std::string_view to_string(Section section) {
  switch (section) {
    case Section::settings: return "settings";
    case Section::modules: return "modules";
    case Section::software: return "software";
  }
  return "settings";
}

Result<Section> parse_section(std::string_view name) {
  for (const Section section : {Section::settings, Section::modules, Section::software}) {
    if (to_string(section) == name) return section;
  }
  return fail(ErrorCode::invalid_argument,
              fmt::format("'{}' is no section; there are settings, modules and software", excerpt(name)));
}

const Digest& empty_section_hash() {
  static const Digest hash = hash_of(JsonObject());
  return hash;
}

Json SettingsDocument::to_json() const {
  JsonObject hashes;
  hashes.reserve(components.size());
  for (const auto& [name, hash] : components)
    hashes.emplace(name, hash.hex());
  JsonObject values;
  values.reserve(settings.size());
  for (const auto& [key, value] : settings)
    values.emplace(key, value);
  JsonObject document;
  if (!assets.empty()) {
    JsonObject files;
    for (const auto& [name, file] : assets)
      files.emplace(name, file.to_json());
    document.emplace("assets", std::move(files));
  }
  document.emplace("components", std::move(hashes));
  if (!persona.empty()) document.emplace("persona", persona);
  document.emplace("settings", std::move(values));
  return Json(std::move(document));
}

Result<SettingsDocument> SettingsDocument::from_json(const Json& json) {
  if (!json.is_object()) return fail(ErrorCode::invalid_argument, "a settings document must be an object");
  FieldReader reader(json.get_object());
  SettingsDocument document;
  if (const JsonObject* hashes = reader.object("components")) {
    if (hashes->size() > max_components) reader.refuse("components", "has too many members");
    FieldReader inner(*hashes, "/components");
    for (const auto& member : *hashes)
      document.components.emplace(member.key(), inner.optional_digest(member.key()));
    const Result<bool> read = inner.finish<bool>(true);
    if (!read) return fail(read);
  }
  document.persona = reader.optional_object("persona");
  if (!document.persona.empty()) {
    const Json* name = document.persona.if_contains("name");
    if (name == nullptr || !name->is_string()) {
      return fail(ErrorCode::invalid_argument, "a persona must have a name", "/persona/name");
    }
  }
  if (const JsonObject* values = reader.object("settings")) {
    if (values->size() > max_document_settings) reader.refuse("settings", "has too many members");
    for (const auto& member : *values) {
      if (member.value().is_null()) {
        return fail(ErrorCode::invalid_argument, "a setting must not be null",
                    "/settings/" + pointer_token(member.key()));
      }
      document.settings.emplace(member.key(), member.value());
    }
  }
  const JsonObject files = reader.optional_object("assets");
  if (files.size() > max_assets) reader.refuse("assets", "has too many members");
  for (const auto& [name, content] : files) {
    auto file = AssetFile::from_json(content);
    if (auto named = check_asset_name(name); !named || !file) {
      const Error& error = named ? file.error() : named.error();
      return fail(error.code, error.message, "/assets/" + pointer_token(name) + error.field);
    }
    document.assets.emplace(name, *file);
  }
  return reader.finish<SettingsDocument>(std::move(document));
}

Digest SettingsDocument::hash() const {
  return hash_of(to_json());
}

void for_each_file(std::span<const EffectiveSetting> effective, const JsonObject& persona,
                   const std::function<void(std::string_view)>& named) {
  for (const EffectiveSetting& setting : effective) {
    if (setting.schema->names_files) for_each_file(*setting.value, named);
  }
  if (const Json* listed = persona.if_contains(persona_assets_field)) for_each_file(*listed, named);
}

SettingsDocument make_settings_document(std::span<const std::shared_ptr<const Component>> components,
                                        std::span<const EffectiveSetting> effective, JsonObject persona,
                                        Assets assets) {
  SettingsDocument document;
  document.assets = std::move(assets);
  for (const auto& component : components)
    document.components.emplace(component->name(), component->schema_hash());
  Json fields(std::move(persona));
  remove_null_members(fields);
  document.persona = std::move(fields.get_object());
  for (const EffectiveSetting& setting : effective) {
    document.settings.emplace_hint(document.settings.end(), setting.schema->key, *setting.value);
  }
  return document;
}

JsonObject flat_payload(std::span<const std::shared_ptr<const Component>> components,
                        const SettingsDocument& document) {
  JsonObject payload;
  for (const auto& component : components) {
    for (const SettingSchema& setting : component->settings()) {
      if (setting.alias.empty()) continue;
      const auto value = document.settings.find(setting.key);
      if (value != document.settings.end()) payload.emplace(setting.alias, value->second);
    }
  }
  return payload;
}

}  // namespace starling::protocol
