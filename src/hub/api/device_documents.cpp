#include "hub/api/device_documents.hpp"

#include <fmt/format.h>

#include "hub/api/listing.hpp"
#include "hub/settings/wanted_modules.hpp"
#include "hub/settings/writes.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

namespace {

JsonObject shown_setting(const Json& value, const std::string& layer, std::int64_t revision) {
  return JsonObject{
      {"value", value}, {"layer", layer}, {"revision", revision}, {"alias", nullptr}, {"unit", nullptr}};
}

JsonObject shown_settings(const FleetState& state, const Device& device, const Declared& declared,
                          const DesiredSection& section) {
  std::map<std::string, std::string> refused;
  if (declared.quarantine) {
    for (const protocol::KeyError& error : reasons_of(*declared.quarantine, section.quarantined))
      refused[error.key] = error.message;
  }
  JsonObject settings;
  const Persona* persona = state.stack(device).persona;
  for (const auto& setting : resolve_effective(state, device, declared.components)) {
    JsonObject shown = shown_setting(
        *setting.value, setting.layer == nullptr ? "defaults" : setting.layer->text(), setting.revision);
    shown["alias"] = text_or_null(setting.schema->alias);
    shown["unit"] = text_or_null(setting.schema->unit);
    if (const auto why = refused.find(setting.schema->key); why != refused.end())
      shown["refused"] = why->second;
    settings[setting.schema->key] = std::move(shown);
  }
  for (const auto& [name, module] : wanted_modules(state.stack(device), declared.modules)) {
    settings[protocol::enabled_key(name)] =
        shown_setting(module.enabled, module.layer.text(), module.revision);
  }
  const std::string release(protocol::software_release_key);
  if (const auto wanted = effective_value(state, device, release)) {
    settings[release] = shown_setting(wanted->value, wanted->layer.text(), wanted->revision);
  }
  return JsonObject{{"revision", state.revision()},
                    {"hash", section.hash.hex()},
                    {"persona", persona == nullptr ? Json() : Json(persona->name)},
                    {"settings", std::move(settings)}};
}

}  // namespace

void DeviceDocuments::add_to(Router& router) {
  router.add({http::Method::get,
              "/api/v1/devices/{uuid}/settings",
              {Role::viewer, true},
              {"at"},
              [this](Call& call) { return settings(call); },
              true,
              true});
  router.add({http::Method::get,
              "/api/v1/devices/{uuid}/document",
              {Role::viewer, true},
              {},
              [this](const Call& call) { return document(call); },
              true,
              true});
}

asio::awaitable<Reply> DeviceDocuments::settings(Call& call) {
  const auto device = call.device();
  if (!device) co_return fail(device);
  const Declared declared = services_.description.declared(*call.fleet, **device);
  const auto at = call.query_integer("at", 0, INT64_MAX);
  if (!at) co_return fail(at);
  if (!*at) {
    const SharedSection section = services_.description.desired(*call.fleet, **device).settings;
    co_return http::json_response(shown_settings(*call.fleet, **device, declared, *section));
  }
  const std::string id = (*device)->id;
  const auto past = co_await services_.log.state_at(call.fleet_name, **at);
  if (!past) co_return fail(past);
  const Device* then = past->device(id);
  if (then == nullptr) {
    co_return fail(ErrorCode::not_found, fmt::format("at revision {} there was no such device", **at));
  }
  const DesiredSection section = resolve_settings(*past, *then, declared.components);
  co_return http::json_response(shown_settings(*past, *then, declared, section));
}

Reply DeviceDocuments::document(const Call& call) {
  const auto device = call.device();
  if (!device) return fail(device);
  const DesiredDocument document = services_.description.desired(*call.fleet, **device);
  return http::json_response(JsonObject{{"revision", call.fleet->revision()},
                                        {"sections", JsonObject{{"settings", document.settings->json},
                                                                {"modules", document.modules->json},
                                                                {"software", document.software->json}}},
                                        {"hashes", JsonObject{{"settings", document.settings->hash.hex()},
                                                              {"modules", document.modules->hash.hex()},
                                                              {"software", document.software->hash.hex()}}}});
}

}  // namespace starling::hub
