#include "protocol/modules_document.hpp"

#include "protocol/excerpt.hpp"
#include "protocol/field_reader.hpp"
#include "protocol/message_parts.hpp"

namespace starling::protocol {
namespace {

constexpr std::string_view prefix = module_key_prefix;
constexpr std::string_view suffix = ".enabled";

}  // namespace

bool valid_module_name(std::string_view name) {
  const auto alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > 64 || !alphanumeric(name.front())) return false;
  for (const char c : name) {
    if (!alphanumeric(c) && c != '_' && c != '-') return false;
  }
  return true;
}

Result<void> check_module_name(std::string_view name) {
  if (valid_module_name(name)) return {};
  return fail(ErrorCode::invalid_argument, "'" + excerpt(name) + "' is not the name of a module, which has " +
                                               std::string(module_name_rule));
}

bool is_module_key(std::string_view key) {
  return key.starts_with(prefix);
}

std::optional<std::string_view> module_of(std::string_view key) {
  if (!key.starts_with(prefix) || !key.ends_with(suffix)) return std::nullopt;
  if (key.size() < prefix.size() + suffix.size()) return std::nullopt;
  const std::string_view name = key.substr(prefix.size(), key.size() - prefix.size() - suffix.size());
  return valid_module_name(name) ? std::optional(name) : std::nullopt;
}

std::string enabled_key(std::string_view module) {
  std::string key(prefix);
  key.append(module).append(suffix);
  return key;
}

Json to_json(const EnabledModules& enabled) {
  JsonObject section;
  for (const auto& [name, value] : enabled)
    section.emplace(name, JsonObject{{"enabled", value}});
  return section;
}

Result<EnabledModules> modules_from_json(const Json& section) {
  if (!section.is_object()) return fail(ErrorCode::invalid_argument, "a modules section must be an object");
  FieldReader reader(section.get_object());
  if (reader.all().size() > max_modules) {
    return fail(ErrorCode::invalid_argument, "a modules section has at most 256 members");
  }
  EnabledModules enabled;
  for (const auto& member : reader.all()) {
    if (!valid_module_name(member.key())) reader.refuse(member.key(), "is no module's name");
    reader.object(member.key());
    reader.optional_within(
        member.key(), [&](FieldReader& module) { enabled.emplace(member.key(), module.boolean("enabled")); });
  }
  return reader.finish<EnabledModules>(std::move(enabled));
}

}  // namespace starling::protocol
