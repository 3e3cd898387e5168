#include "agent/settings/override_file.hpp"

#include "protocol/canonical_json.hpp"

namespace starling::agent {
namespace {

std::string_view shown_name(const protocol::SettingSchema& setting) {
  return setting.alias.empty() ? std::string_view(setting.key) : std::string_view(setting.alias);
}

template <typename Visit>
void for_each_setting(const protocol::Catalog& catalog, Visit visit) {
  for (const auto& [name, component] : catalog.components()) {
    for (const protocol::SettingSchema& setting : component->settings())
      visit(setting);
  }
}

}  // namespace

std::string override_text(const protocol::Catalog& catalog, const Values& values) {
  std::map<std::string_view, const Json*> shown;
  for_each_setting(catalog, [&](const protocol::SettingSchema& setting) {
    const auto value = values.find(setting.key);
    if (value != values.end() && !same_value(value->second, setting.default_value)) {
      shown[shown_name(setting)] = &value->second;
    }
  });
  std::string text = "{";
  for (const auto& [name, value] : shown) {
    text += text.size() == 1 ? "\n  " : ",\n  ";
    text += boost::json::serialize(JsonString(name)) + ": " + protocol::canonical_json(*value);
  }
  return text + (shown.empty() ? "}\n" : "\n}\n");
}

Result<Values> parse_override(const protocol::Catalog& catalog, std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = max_override_bytes, .max_depth = 32});
  if (!json) return fail(json);
  if (!json->is_object()) return fail(ErrorCode::invalid_argument, "the file is not a JSON object");
  Values values;
  for (const auto& member : json->get_object()) {
    const std::string_view name = member.key();
    const auto setting = catalog.require(name);
    if (!setting) return fail(setting);
    auto value = catalog.validate((*setting)->key, member.value());
    if (!value) return fail(value, name);
    if (!values.emplace((*setting)->key, std::move(*value)).second) {
      return fail(ErrorCode::invalid_argument,
                  "'" + (*setting)->key + "' is there twice, by its key and by its alias");
    }
  }
  return values;
}

Values override_edits(const protocol::Catalog& catalog, const Values& running, const Values& file) {
  Values edits;
  for_each_setting(catalog, [&](const protocol::SettingSchema& setting) {
    const auto runs = running.find(setting.key);
    const Json& now = runs == running.end() ? setting.default_value : runs->second;
    const auto written = file.find(setting.key);
    if (written == file.end()) {
      if (!same_value(now, setting.default_value)) edits[setting.key] = nullptr;
    } else if (!same_value(written->second, now)) {
      edits[setting.key] = written->second;
    }
  });
  return edits;
}

}  // namespace starling::agent
