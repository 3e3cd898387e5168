#include "hub/api/device_documents.hpp"

#include <fmt/format.h>

#include "protocol/canonical_json.hpp"

namespace starling::hub {

namespace {

Json text_or_null(const std::string& text) {
  return text.empty() ? Json() : Json(text);
}

JsonObject shown_settings(const FleetState& state, const Device& device, const std::string& components,
                          const SettingsSection& section) {
  JsonObject settings;
  for (const auto& setting : resolve_effective(state, device, components)) {
    settings[setting.schema->key] =
        JsonObject{{"value", *setting.value},
                   {"layer", setting.layer == nullptr ? std::string("defaults") : setting.layer->text()},
                   {"revision", setting.revision},
                   {"alias", text_or_null(setting.schema->alias)},
                   {"unit", text_or_null(setting.schema->unit)}};
  }
  return JsonObject{{"revision", state.revision()},
                    {"hash", section.hash.hex()},
                    {"persona", text_or_null(section.persona)},
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
  const std::string components = services_.description.components(*call.fleet, **device);
  const auto at = call.query_integer("at", 0, INT64_MAX);
  if (!at) co_return fail(at);
  if (!*at) {
    const SharedSection section = services_.description.desired(*call.fleet, **device);
    co_return http::json_response(shown_settings(*call.fleet, **device, components, *section));
  }
  const std::string id = (*device)->id;
  const auto past = co_await services_.log.state_at(call.fleet_name, **at);
  if (!past) co_return fail(past);
  const Device* then = past->device(id);
  if (then == nullptr) {
    co_return fail(ErrorCode::not_found, fmt::format("at revision {} there was no such device", **at));
  }
  const SettingsSection section = resolve_document(*past, *then, components);
  co_return http::json_response(shown_settings(*past, *then, components, section));
}

Reply DeviceDocuments::document(const Call& call) {
  const auto device = call.device();
  if (!device) return fail(device);
  const SharedSection section = services_.description.desired(*call.fleet, **device);
  // Those two sections are empty until modules and releases exist.
  const std::string empty_hash = protocol::hash_of(JsonObject()).hex();
  return http::json_response(JsonObject{
      {"revision", call.fleet->revision()},
      {"sections",
       JsonObject{{"settings", section->json}, {"modules", JsonObject()}, {"software", JsonObject()}}},
      {"hashes",
       JsonObject{{"settings", section->hash.hex()}, {"modules", empty_hash}, {"software", empty_hash}}}});
}

}  // namespace starling::hub
