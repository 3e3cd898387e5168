#include "cli/module_lookup.hpp"

#include <fmt/format.h>

#include "cli/answer.hpp"
#include "cli/printable.hpp"
#include "cli/setting_value.hpp"
#include "cli/table.hpp"
#include "cli/target.hpp"
#include "protocol/modules_document.hpp"

namespace starling::cli {
namespace {

constexpr auto where_to_look =
    "\n  'starling module list' shows those of the fleet, with --device those of a device.";

std::vector<std::string> names_in(const JsonObject& modules) {
  std::vector<std::string> names;
  for (const Json& item : array_at(modules, {"items"}))
    names.push_back(text_at(as_object(item), {"module"}));
  return names;
}

std::string meant_by(const JsonObject& modules, std::string_view name) {
  return nearest(name, names_in(modules));
}

std::string did_you_mean(const std::string& meant) {
  return meant.empty() ? meant : fmt::format("; did you mean '{}'?", printable(meant));
}

// Of one that can be enabled and asked.
Result<void> check_name(ApiClient& api, std::string_view name) {
  const auto named = protocol::check_module_name(name);
  if (named) return {};
  std::vector<std::string> names;
  if (const auto fleet = api.list("/api/v1/modules")) names = names_in(*fleet);
  std::erase_if(names, [](const std::string& one) { return !protocol::valid_module_name(one); });
  return fail(ErrorCode::invalid_argument,
              printable(named.error().message) + did_you_mean(nearest(name, names)) + where_to_look);
}

// "2 of 5 devices have no module 'recorder'"; empty if all have it.
std::string lacking_text(const JsonObject& where, std::string_view name) {
  const std::int64_t count = number_at(where, {"without_count"});
  const std::int64_t targeted = number_at(where, {"targeted"});
  if (count == 0) return {};
  if (targeted == 1) return fmt::format("the device has no module '{}'", name);
  return fmt::format("{} of {} {} no module '{}'", count, counted(targeted, "device"),
                     count == 1 ? "has" : "have", name);
}

void note_lacking(Session& session, const JsonObject& where, std::string_view name,
                  std::string_view consequence) {
  const std::string text = lacking_text(where, name);
  if (text.empty()) return;
  std::vector<std::string> names;
  for (const Json& device : array_at(where, {"without"}))
    names.push_back(text_at(as_object(device), {"name"}));
  session.console.note(
      fmt::format("{}{}: {}", text, consequence, first_names(names, number_at(where, {"without_count"}))));
}

bool some_have_it(const JsonObject& where) {
  return number_at(where, {"targeted"}) > number_at(where, {"without_count"});
}

constexpr auto setting_waits = ", where the setting waits for it";

}  // namespace

Result<JsonObject> modules_of(ApiClient& api, const std::string& device_id) {
  return api.get(path_of({"devices", device_id, "modules"}));
}

Result<JsonObject> pick_module(const JsonObject& modules, std::string_view name, std::string_view whose) {
  for (const Json& item : array_at(modules, {"items"})) {
    if (text_at(as_object(item), {"module"}) == name) return as_object(item);
  }
  return fail(ErrorCode::not_found, fmt::format("{} no module '{}'{}{}", printable(whose), printable(name),
                                                did_you_mean(meant_by(modules, name)), where_to_look));
}

Result<void> check_known(Session& session, std::string_view name) {
  const auto fleet = session.api.list("/api/v1/modules");
  if (!fleet) return fail(fleet);
  if (const auto known = pick_module(*fleet, name); !known) return fail(known);
  return {};
}

Result<JsonObject> find_to_set(Session& session, const Json& target, std::string_view name) {
  if (const auto named = check_name(session.api, name); !named) return fail(named);
  auto where = session.api.get(path_of({"modules", name}), query_of_target(target));
  if (!where) return where;
  const bool written = !array_at(*where, {"layers"}).empty();
  if (!written && !some_have_it(*where)) {
    const auto fleet = session.api.list("/api/v1/modules");
    if (!fleet) return fail(fleet);
    const bool one_device = !text_at(as_object(target), {"device"}).empty();
    if (const auto known = pick_module(*fleet, name); !known) {
      if (one_device || !meant_by(*fleet, name).empty()) return fail(known);
      session.console.note(fmt::format("no device has reported a module '{}' so far", name));
      return where;
    }
  }
  note_lacking(session, *where, name, setting_waits);
  return where;
}

Result<JsonObject> find_to_ask(Session& session, const Json& target, std::string_view name) {
  if (const auto named = check_name(session.api, name); !named) return fail(named);
  auto where = session.api.get(path_of({"modules", name}), query_of_target(target));
  if (!where) return where;
  if (!some_have_it(*where)) {
    if (auto known = check_known(session, name); !known) return fail(known);
    const std::string why = lacking_text(*where, printable(name));
    if (!why.empty()) return fail(ErrorCode::not_found, why + where_to_look);
  }
  note_lacking(session, *where, name, "");
  return where;
}

}  // namespace starling::cli
