#include "cli/setting_value.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/nearest_name.hpp"
#include "cli/answer.hpp"
#include "cli/printable.hpp"
#include "protocol/modules_document.hpp"
#include "protocol/software_document.hpp"

namespace starling::cli {
namespace {

constexpr std::string_view persona_active = "persona.active";

bool is_type(const JsonObject& schema, std::string_view type) {
  const Json* declared = schema.if_contains("type");
  if (declared == nullptr) return false;
  if (declared->is_string()) return std::string_view(declared->get_string()) == type;
  if (!declared->is_array()) return false;
  return std::any_of(declared->get_array().begin(), declared->get_array().end(), [type](const Json& t) {
    return t.is_string() && std::string_view(t.get_string()) == type;
  });
}

bool in_enum(const JsonObject& schema, std::string_view text) {
  const JsonArray& values = array_at(schema, {"enum"});
  return std::any_of(values.begin(), values.end(), [text](const Json& value) {
    return value.is_string() && std::string_view(value.get_string()) == text;
  });
}

bool fits(const JsonObject& schema, const Json& value) {
  if (schema.if_contains("type") == nullptr) return true;
  if (value.is_string()) return is_type(schema, "string");
  if (value.is_bool()) return is_type(schema, "boolean");
  if (value.is_number()) return is_type(schema, "number") || is_type(schema, "integer");
  if (value.is_array()) return is_type(schema, "array");
  return is_type(schema, "object");
}

std::string wanted_by(const JsonObject& schema) {
  if (is_type(schema, "array")) return "a list, such as '[\"a\", \"b\"]'";
  if (is_type(schema, "boolean")) return "true or false";
  if (is_type(schema, "integer")) return "a whole number";
  if (is_type(schema, "number")) return "a number";
  if (is_type(schema, "object")) return "a JSON object";
  return "JSON";
}

}  // namespace

Result<Assignment> parse_assignment(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is no KEY=VALUE, such as hotword.threshold=0.6", printable(text)));
  }
  return Assignment{std::string(text.substr(0, equals)), std::string(text.substr(equals + 1))};
}

SettingCatalog::SettingCatalog(const JsonObject& components) {
  schemas_.emplace(persona_active, JsonObject{{"type", "string"}});
  schemas_.emplace(protocol::software_release_key, JsonObject{{"type", "string"}});
  for (const Json& item : array_at(components, {"items"})) {
    const JsonObject& component = as_object(item);
    const std::string name = text_at(component, {"x-component"});
    for (const auto& [property, schema] : object_at(component, {"properties"})) {
      const std::string key = name + "." + std::string(std::string_view(property));
      const std::string alias = text_at(as_object(schema), {"x-alias"});
      if (!alias.empty()) aliases_.emplace(alias, key);
      schemas_.emplace(key, as_object(schema));
    }
  }
}

Result<std::string> SettingCatalog::full_key(std::string_view key_or_alias) const {
  const bool known = schemas_.contains(key_or_alias) || protocol::module_of(key_or_alias);
  if (known) return std::string(key_or_alias);
  if (const auto alias = aliases_.find(key_or_alias); alias != aliases_.end()) return alias->second;
  if (protocol::is_module_key(key_or_alias)) {
    return fail(ErrorCode::not_found,
                fmt::format("the setting of a module is modules.NAME.enabled; NAME has {}",
                            protocol::module_name_rule));
  }
  std::vector<std::string> candidates;
  for (const auto& entry : schemas_)
    candidates.push_back(entry.first);
  for (const auto& entry : aliases_)
    candidates.push_back(entry.first);
  const std::string meant = nearest(key_or_alias, candidates);
  return fail(
      ErrorCode::not_found,
      fmt::format("no component has a setting '{}'{}\n  'starling component list' and 'starling component "
                  "show NAME' name them all.",
                  printable(key_or_alias),
                  meant.empty() ? std::string() : fmt::format("; did you mean '{}'?", printable(meant))));
}

const JsonObject& SettingCatalog::schema_of(std::string_view full_key) const {
  static const JsonObject enabled{{"type", "boolean"}};
  return protocol::module_of(full_key) ? enabled : schemas_.find(full_key)->second;
}

Result<Json> SettingCatalog::parse_value(std::string_view key_or_alias, std::string_view text) const {
  const auto key = full_key(key_or_alias);
  if (!key) return fail(key);
  const JsonObject& schema = schema_of(*key);
  auto parsed = parse_json(text);
  const bool quoted = parsed && parsed->is_string();
  if (in_enum(schema, text)) return Json(boost::json::string(text));
  if (is_type(schema, "string") && !quoted) {
    const bool other_type = parsed && !parsed->is_null() && fits(schema, *parsed);
    if (!other_type) return Json(boost::json::string(text));
  }
  if (parsed && parsed->is_null()) {
    return fail(
        ErrorCode::invalid_argument,
        fmt::format("{} cannot be null; to take the value away: starling settings unset {}", *key, *key));
  }
  if (!parsed || !fits(schema, *parsed)) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("{} takes {}, not '{}'", *key, wanted_by(schema), printable(text)));
  }
  return std::move(*parsed);
}

Result<Json> SettingCatalog::parse_expected(std::string_view key_or_alias, std::string_view text) const {
  if (text == "null") return Json(nullptr);
  return parse_value(key_or_alias, text);
}

Result<JsonObject> SettingCatalog::parse_values(const std::vector<std::string>& assignments) const {
  JsonObject values;
  for (const std::string& text : assignments) {
    const auto assigned = parse_assignment(text);
    if (!assigned) return fail(assigned);
    const auto key = full_key(assigned->key);
    if (!key) return fail(key);
    auto value = parse_value(*key, assigned->text);
    if (!value) return fail(value);
    if (values.contains(*key)) return fail(ErrorCode::invalid_argument, *key + " is given twice");
    values[*key] = std::move(*value);
  }
  return values;
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  NearestName search(word);
  for (const std::string& candidate : candidates)
    search.consider(candidate);
  return std::string(search.name());
}

}  // namespace starling::cli
