#include "hub/api/action_kinds.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "protocol/modules_document.hpp"

namespace starling::hub {

namespace {

constexpr std::string_view path = "/parameters";
constexpr std::size_t max_collecting_devices = 100;

Result<void> check_anything(const JsonObject&) {
  return {};
}

Result<void> check_nothing(const JsonObject& parameters) {
  return JsonReader(parameters, std::string(path)).only({});
}

Result<void> check_module_name(const std::string& name, std::string_view field) {
  auto named = protocol::check_module_name(name);
  if (!named) named.error().field = fmt::format("{}/{}", path, field);
  return named;
}

Result<void> check_module(const JsonObject& parameters) {
  constexpr std::array<std::string_view, 4> commands{"start", "stop", "restart", "reconcile"};
  const JsonReader reader(parameters, std::string(path));
  if (auto known = reader.only({"module", "command"}); !known) return known;
  const auto module = reader.string("module", 64);
  if (!module) return fail(module);
  if (auto named = check_module_name(*module, "module"); !named) return named;
  const auto command = reader.string("command", 64);
  if (!command) return fail(command);
  if (std::ranges::find(commands, *command) != commands.end()) return {};
  return fail(ErrorCode::invalid_argument, "the command is start, stop, restart or reconcile",
              fmt::format("{}/command", path));
}

Result<void> check_module_action(const JsonObject& parameters) {
  const JsonReader reader(parameters, std::string(path));
  if (auto known = reader.only({"module", "action", "parameters"}); !known) return known;
  const auto module = reader.string("module", 64);
  if (!module) return fail(module);
  if (auto named = check_module_name(*module, "module"); !named) return named;
  const auto action = reader.string("action", 64);
  if (!action) return fail(action);
  const auto inner = reader.optional_object("parameters");
  return inner ? Result<void>() : fail(inner);
}

Result<void> check_collect_logs(const JsonObject& parameters) {
  const JsonReader reader(parameters, std::string(path));
  if (auto known = reader.only({"modules", "max_bytes"}); !known) return known;
  const auto bytes = reader.optional_integer("max_bytes");
  if (!bytes) return fail(bytes);
  if (*bytes && (**bytes < 1 || **bytes > max_collected_bytes)) {
    return fail(ErrorCode::invalid_argument, fmt::format("max_bytes is from 1 to {}", max_collected_bytes),
                fmt::format("{}/max_bytes", path));
  }
  const Json* modules = parameters.if_contains("modules");
  if (modules == nullptr) return {};
  if (!modules->is_array() || modules->get_array().size() > protocol::max_modules) {
    return fail(ErrorCode::invalid_argument, "modules is a list of at most 256 names",
                fmt::format("{}/modules", path));
  }
  for (const Json& name : modules->get_array()) {
    const std::string text = name.is_string() ? std::string(name.get_string()) : std::string();
    if (auto named = check_module_name(text, "modules"); !named) return named;
  }
  return {};
}

// What factory_reset takes away is asked for one device at a time, by who may remove devices.
constexpr std::array<ActionKind, 8> kinds{{
    {"identify", Role::operator_, SIZE_MAX, check_anything},
    {"echo", Role::operator_, SIZE_MAX, check_anything},
    {"module", Role::operator_, SIZE_MAX, check_module},
    {"module_action", Role::operator_, SIZE_MAX, check_module_action},
    {"retry_settings", Role::operator_, SIZE_MAX, check_nothing},
    {"check_updates", Role::operator_, SIZE_MAX, check_nothing},
    {"collect_logs", Role::operator_, max_collecting_devices, check_collect_logs},
    {"factory_reset", Role::admin, 1, check_nothing},
}};

}  // namespace

Result<const ActionKind*> action_kind(std::string_view name) {
  const auto found = std::ranges::find(kinds, name, &ActionKind::name);
  if (found != kinds.end()) return &*found;
  std::string names;
  for (const ActionKind& kind : kinds)
    names += fmt::format("{}{}", names.empty() ? "" : ", ", kind.name);
  return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not an action: there are {}", name, names),
              "/action");
}

}  // namespace starling::hub
