#include "cli/module_lookup.hpp"

#include <fmt/format.h>

#include "cli/answer.hpp"
#include "cli/printable.hpp"
#include "cli/setting_value.hpp"

namespace starling::cli {
namespace {

constexpr auto where_to_look =
    "\n  'starling module list' shows those of the fleet, with --device those of a device.";

std::string meant_by(const JsonObject& modules, std::string_view name) {
  std::vector<std::string> names;
  for (const Json& item : array_at(modules, {"items"}))
    names.push_back(text_at(as_object(item), {"module"}));
  return nearest(name, names);
}

}  // namespace

Result<JsonObject> modules_of(ApiClient& api, const std::string& device_id) {
  return api.get(path_of({"devices", device_id, "modules"}));
}

Result<JsonObject> pick_module(const JsonObject& modules, std::string_view name) {
  for (const Json& item : array_at(modules, {"items"})) {
    if (text_at(as_object(item), {"module"}) == name) return as_object(item);
  }
  const std::string meant = meant_by(modules, name);
  return fail(
      ErrorCode::not_found,
      fmt::format("there is no module '{}'{}{}", printable(name),
                  meant.empty() ? std::string() : fmt::format("; did you mean '{}'?", printable(meant)),
                  where_to_look));
}

Result<void> check_module(Session& session, const Json& target, std::string_view name) {
  const std::string device = text_at(as_object(target), {"device"});
  const auto modules = device.empty() ? session.api.list("/api/v1/modules") : modules_of(session.api, device);
  if (!modules) return fail(modules);
  if (const auto found = pick_module(*modules, name); found) {
    return {};
  } else if (!device.empty() || !meant_by(*modules, name).empty()) {
    return fail(found);
  }
  session.console.note(fmt::format("no device has reported a module '{}' so far", name));
  return {};
}

}  // namespace starling::cli
