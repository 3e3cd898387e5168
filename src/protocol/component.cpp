#include "protocol/component.hpp"

// GCC 12 takes a member of std::regex for uninitialised when a sanitizer is on (GCC bug 105562).
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <fmt/format.h>

#include <algorithm>

#include "protocol/canonical_json.hpp"
#include "protocol/excerpt.hpp"
#include "protocol/setting_schema.hpp"

// Without it valijson ends the process where it would throw.
#define VALIJSON_USE_EXCEPTIONS 1
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

namespace starling::protocol {
namespace {

using valijson::adapters::BoostJsonAdapter;

constexpr std::size_t max_settings = 256;
constexpr std::size_t max_name_bytes = 64;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= max_name_bytes && text.front() >= 'a' && text.front() <= 'z' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool is_alias(std::string_view text) {
  return !text.empty() && text.size() <= max_name_bytes && text.front() >= 'A' && text.front() <= 'Z' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; });
}

std::unexpected<Error> wrong(std::string message, std::string pointer) {
  return fail(ErrorCode::invalid_argument, std::move(message), std::move(pointer));
}

Result<std::unique_ptr<valijson::Schema>> compile(const Json& schema, const std::string& pointer) {
  auto compiled = std::make_unique<valijson::Schema>();
  try {
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(BoostJsonAdapter(schema), *compiled);
  } catch (const std::exception& error) {
    return wrong(fmt::format("the schema cannot be used: {}", error.what()), pointer);
  }
  return compiled;
}

// What valijson says; used where explain_violation has no sentence of its own (anyOf, not, if, ...).
std::string last_description(const valijson::ValidationResults& results) {
  std::string description = "does not match its schema";
  for (const auto& error : results)
    description = "does not match its schema: " + error.description;
  return description;
}

Result<SettingOwner> parse_owner(std::string_view name, std::string pointer) {
  if (name == "hub") return SettingOwner::hub;
  if (name == "device") return SettingOwner::device;
  if (name == "shared") return SettingOwner::shared;
  return wrong(fmt::format("x-owner must be hub, device or shared (got '{}')", excerpt(name)),
               std::move(pointer));
}

std::string text_of(const JsonObject& object, std::string_view key) {
  const Json* value = object.if_contains(key);
  return value == nullptr ? std::string() : std::string(value->get_string());
}

// The type, where it is a single one.
std::string text_of_type(const JsonObject& object) {
  const Json* type = object.if_contains("type");
  return type != nullptr && type->is_string() ? std::string(type->get_string()) : std::string();
}

// The root's members apart from its properties.
Result<void> check_root(const JsonObject& root) {
  for (const auto& member : root) {
    const std::string_view key = member.key();
    const bool text =
        key == "$schema" || key == "$id" || key == "title" || key == "description" || key == "x-component";
    if (text && member.value().is_string()) continue;
    if (key == "type" && member.value() == "object") continue;
    if (key == "additionalProperties" && member.value() == false) continue;
    if (key == "properties" && member.value().is_object()) continue;
    return wrong(
        fmt::format(
            "a component file has $schema, title, description, x-component, type \"object\", properties "
            "and additionalProperties false; '{}' is none of these",
            excerpt(key)),
        "/" + pointer_token(key));
  }
  const Json* schema = root.if_contains("$schema");
  if (schema != nullptr && *schema != "http://json-schema.org/draft-07/schema#") {
    return wrong("$schema must be http://json-schema.org/draft-07/schema#", "/$schema");
  }
  if (!root.contains("x-component") || !is_name(text_of(root, "x-component"))) {
    return wrong("x-component must name the component: a-z, 0-9 and _, at most 64", "/x-component");
  }
  if (text_of(root, "x-component") == "modules") {
    return wrong("x-component cannot be 'modules': such settings say which modules are enabled",
                 "/x-component");
  }
  if (!root.contains("properties")) return wrong("a component file needs properties", "/properties");
  if (root.at("properties").get_object().size() > max_settings) {
    return wrong(fmt::format("a component has at most {} settings", max_settings), "/properties");
  }
  return {};
}

Result<SettingSchema> read_setting(std::string_view component, std::string_view name, const Json& schema) {
  const std::string pointer = "/properties/" + pointer_token(name);
  if (!is_name(name))
    return wrong(fmt::format("'{}' is no setting name: a-z, 0-9 and _, at most 64", excerpt(name)), pointer);
  if (!schema.is_object()) return wrong("a setting's schema must be an object", pointer);
  const Result<void> checked = check_setting_schema(schema, pointer);
  if (!checked) return fail(checked);

  const JsonObject& object = schema.get_object();
  SettingSchema setting;
  setting.key = fmt::format("{}.{}", component, name);
  setting.alias = text_of(object, "x-alias");
  setting.unit = text_of(object, "x-unit");
  setting.description = text_of(object, "description");
  setting.schema = schema;
  if (object.contains("x-alias") && !is_alias(setting.alias)) {
    return wrong(fmt::format("'{}' is no alias: A-Z, 0-9 and _, at most 64", excerpt(setting.alias)),
                 pointer + "/x-alias");
  }
  if (object.contains("x-owner")) {
    Result<SettingOwner> owner = parse_owner(text_of(object, "x-owner"), pointer + "/x-owner");
    if (!owner) return fail(owner);
    setting.owner = *owner;
  }
  if (const Json* file = object.if_contains("x-file")) setting.names_files = file->get_bool();
  if (setting.names_files && text_of_type(object) != "string" && text_of_type(object) != "array") {
    return wrong(fmt::format("{} names files, so its type is string or array", setting.key),
                 pointer + "/x-file");
  }
  const Json* default_value = object.if_contains("default");
  if (default_value == nullptr)
    return wrong(fmt::format("{} needs a default", setting.key), pointer + "/default");
  setting.default_value = *default_value;
  return setting;
}

}  // namespace

struct Component::Compiled {
  std::vector<std::unique_ptr<valijson::Schema>> schemas;  // parallel to settings_
  SettingPatterns patterns;
};

Component::Component() : compiled_(std::make_unique<Compiled>()) {}
Component::~Component() = default;

Result<std::shared_ptr<const Component>> Component::from_json(const Json& file) {
  if (!file.is_object()) return wrong("a component file must be a JSON object", "");
  Result<Json> normal = normalise_setting(file);
  if (!normal) return fail(normal, "a component file");
  const std::shared_ptr<Component> component(new Component());
  component->file_ = std::move(*normal);
  component->schema_hash_ = hash_of(component->file_);
  const JsonObject& root = component->file_.get_object();
  const Result<void> checked = check_root(root);
  if (!checked) return fail(checked);
  component->name_ = text_of(root, "x-component");

  for (const auto& member : root.at("properties").get_object()) {
    Result<SettingSchema> setting = read_setting(component->name_, member.key(), member.value());
    if (!setting) return fail(setting);
    component->settings_.push_back(std::move(*setting));
  }
  const Result<void> compiled = component->compile_settings();
  if (!compiled) return fail(compiled);
  return component;
}

Result<void> Component::compile_settings() {
  std::sort(settings_.begin(), settings_.end(),
            [](const SettingSchema& a, const SettingSchema& b) { return a.key < b.key; });
  std::map<std::string_view, std::string_view> aliases;
  for (const SettingSchema& setting : settings_) {
    const std::string pointer = "/properties/" + setting.key.substr(name_.size() + 1);
    if (!setting.alias.empty() && !aliases.emplace(setting.alias, setting.key).second) {
      return wrong(fmt::format("{} and {} have the same alias", aliases[setting.alias], setting.key),
                   pointer + "/x-alias");
    }
    compiled_->patterns.add_all(setting.schema);
    auto compiled = compile(without_patterns(setting.schema), pointer);
    if (!compiled) return fail(compiled);
    compiled_->schemas.push_back(std::move(*compiled));
  }
  for (const SettingSchema& setting : settings_) {
    const std::string pointer = "/properties/" + setting.key.substr(name_.size() + 1) + "/default";
    const Result<Json> valid = validate(setting.key, setting.default_value);
    if (!valid) return wrong("the default of " + valid.error().message, pointer + valid.error().field);
  }
  return {};
}

const SettingSchema* Component::find(std::string_view key) const {
  const auto found = std::lower_bound(
      settings_.begin(), settings_.end(), key,
      [](const SettingSchema& setting, std::string_view wanted) { return setting.key < wanted; });
  return found != settings_.end() && found->key == key ? &*found : nullptr;
}

Result<Json> Component::validate(std::string_view key, const Json& value) const {
  const SettingSchema* setting = find(key);
  if (setting == nullptr) {
    return wrong(fmt::format("the component {} has no setting '{}'", name_, excerpt(key)), "");
  }
  Result<Json> normal = normalise_setting(value);
  if (!normal) {
    const Error& error = normal.error();
    return wrong(fmt::format("{}{} {}", key, error.field, error.message), error.field);
  }
  if (const auto violation = explain_violation(compiled_->patterns, setting->schema, *normal)) {
    return wrong(fmt::format("{}{} {}", key, violation->pointer, violation->message), violation->pointer);
  }
  // What has no plain sentence: anyOf, not, if and the like.
  const valijson::Schema& schema = *compiled_->schemas[static_cast<std::size_t>(setting - settings_.data())];
  try {
    valijson::Validator validator;
    if (validator.validate(schema, BoostJsonAdapter(*normal), nullptr)) return normal;
    valijson::ValidationResults results;
    validator.validate(schema, BoostJsonAdapter(*normal), &results);
    return wrong(fmt::format("{} {}", key, last_description(results)), "");
  } catch (const std::exception& error) {
    return wrong(fmt::format("{} cannot be matched with its schema: {}", key, error.what()), "");
  }
}

Result<Catalog> catalog_of(std::span<const JsonFile> files) {
  std::map<std::string, std::pair<const JsonFile*, std::shared_ptr<const Component>>> latest;
  for (const JsonFile& file : files) {
    auto component = Component::from_json(file.content);
    if (!component) {
      const Error& error = component.error();
      return fail(component, file.path + (error.field.empty() ? "" : " at " + error.field));
    }
    const std::string name = (*component)->name();
    latest[name] = {&file, std::move(*component)};
  }
  if (latest.empty()) return fail(ErrorCode::invalid_argument, "there are no component files");
  Catalog catalog;
  for (auto& [name, entry] : latest) {
    if (auto put = catalog.put(std::move(entry.second)); !put) return fail(put, entry.first->path);
  }
  return catalog;
}

}  // namespace starling::protocol
