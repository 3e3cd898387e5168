#include "hub/api/registration.hpp"

#include <fmt/format.h>

#include "base/crypto.hpp"
#include "base/uuid.hpp"
#include "hub/api/device_fields.hpp"

namespace starling::hub {

namespace {

struct Enrolment {
  Device device;
  DeviceRecord record;
  std::string token;
};

Result<Device> device_of(const Call& call, const JsonReader& reader) {
  Device device;
  auto id = reader.string("device_uuid", 64);
  if (!id) return fail(id);
  if (!is_uuid(*id)) {
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a UUID in lower case", *id),
                "/device_uuid");
  }
  device.id = std::move(*id);
  auto name = optional_name(reader, "device_name");
  if (!name) return fail(name);
  auto timezone = optional_timezone(reader);
  if (!timezone) return fail(timezone);
  auto type = optional_token_text(reader, "device_type", 128);
  if (!type) return fail(type);
  auto labels = optional_labels(reader);
  if (!labels) return fail(labels);
  auto public_key = optional_public_key(reader);
  if (!public_key) return fail(public_key);
  auto serial = optional_token_text(reader, "serial", 128);
  if (!serial) return fail(serial);
  auto cloned_from = reader.optional_string("cloned_from", 64);
  if (!cloned_from) return fail(cloned_from);
  if (*cloned_from && !is_uuid(**cloned_from)) {
    return fail(ErrorCode::invalid_argument, "cloned_from is not a UUID in lower case", "/cloned_from");
  }
  device.device_type = std::move(*type);
  if (device.device_type.empty()) {
    device.device_type = call.request.headers.find("X-Device-Type").value_or("").substr(0, 128);
  }
  const std::string fallback = "device-" + device.id.substr(device.id.size() - 6);
  device.name = name->value_or(fallback);
  device.timezone = timezone->value_or("UTC");
  device.labels = std::move(*labels);
  device.public_key = std::move(*public_key);
  device.serial = std::move(*serial);
  device.clone_of = cloned_from->value_or("");
  return device;
}

Result<Enrolment> enrolment_of(const Call& call, std::int64_t now_ms) {
  const auto body = call.object({"device_uuid", "device_name", "timezone", "current_version", "device_type",
                                 "metadata", "labels", "public_key", "serial", "cloned_from"});
  if (!body) return fail(body);
  const JsonReader reader(*body);
  auto device = device_of(call, reader);
  if (!device) return fail(device);
  auto version = optional_token_text(reader, "current_version", 64);
  if (!version) return fail(version);
  auto metadata = optional_metadata(reader);
  if (!metadata) return fail(metadata);

  Enrolment enrolment{std::move(*device), {}, "dt_" + random_token()};
  enrolment.device.registered_at_ms = now_ms;
  DeviceRecord& record = enrolment.record;
  record.fleet = call.fleet_name;
  record.device_id = enrolment.device.id;
  record.token_hash = sha256(enrolment.token);
  record.token_issued_ms = now_ms;
  record.last_seen_ms = now_ms;
  record.version = std::move(*version);
  if (*metadata) {
    DeviceFacts facts;
    facts.metadata = std::move(**metadata);
    auto text = facts.text();
    if (!text) return fail(text.error().code, text.error().message, "/metadata");
    record.facts = std::move(*text);
  }
  return enrolment;
}

// A device that comes again must be the same board with the same key.
Result<void> check_same(const Device& known, const Device& comes) {
  if (known.serial == comes.serial && known.public_key == comes.public_key) return {};
  return fail(
      ErrorCode::already_exists,
      fmt::format("device '{}' is registered with another {}; a copy must enrol with a UUID of its own, "
                  "or an admin must remove the old one",
                  known.id, known.serial == comes.serial ? "key" : "serial"),
      known.serial == comes.serial ? "/public_key" : "/serial");
}

Result<void> check_reach(const Reach& reach, const Device* known, const Device& comes) {
  if (known != nullptr && !reach.covers(*known)) {
    return fail(ErrorCode::permission_denied, "your grant does not cover this device", "/device_uuid");
  }
  if (known == nullptr && !reach.covers_labels(comes.labels)) {
    return fail(ErrorCode::permission_denied, "your grant does not cover a device with these labels",
                "/labels");
  }
  return {};
}

// UUID, serial and public key are no secrets: whoever names those of a known device has proved nothing. One
// that can sign gets its token over the link; the others from somebody who may speak for them.
bool may_have_token(const Device& known, const Principal& principal) {
  if (!known.public_key.empty()) return false;
  return principal.kind == Principal::Kind::device || (principal.key && !principal.key->enrolment);
}

ChangeLog::Plan registration_plan(Actor actor, Reach reach, const Enrolment& enrolment) {
  return [actor = std::move(actor), reach = std::move(reach), device = enrolment.device,
          record = enrolment.record](const FleetState& head, std::int64_t) -> Result<Draft> {
    Draft draft{actor, "device.register", {}, {}, {}, std::nullopt};
    const Device* known = head.device(device.id);
    if (auto covered = check_reach(reach, known, device); !covered) return fail(covered);
    if (known != nullptr) {
      if (auto same = check_same(*known, device); !same) return fail(same);
      return draft;
    }
    draft.edits.push_back(head.edit(EntityKind::device, device.id, device.to_json()));
    draft.records.push_back(record);
    return draft;
  };
}

}  // namespace

void Registration::add_to(Router& router) {
  router.add(
      {http::Method::post, "/api/v1/devices/register", {Role::operator_, true, true}, {}, [this](Call& call) {
         return enrol(call);
       }});
  router.add({http::Method::post,
              "/api/v1/devices/{uuid}/heartbeat",
              {Role::operator_, true, true},
              {},
              [this](Call& call) { return heartbeat(call); }});
  router.add({http::Method::patch,
              "/api/v1/devices/{uuid}/status",
              {Role::operator_, true},
              {},
              [this](const Call& call) { return set_status(call); }});
  router.add({http::Method::get,
              "/api/v1/devices/{uuid}/updates/check",
              {Role::viewer, true},
              {},
              [this](const Call& call) { return check_updates(call); }});
}

asio::awaitable<Reply> Registration::enrol(Call& call) {
  auto enrolment = enrolment_of(call, services_.now_ms());
  if (!enrolment) co_return fail(enrolment);
  DeviceRecords& records = services_.hub.records();
  const DeviceRecord* elsewhere = records.find(enrolment->device.id);
  if (elsewhere != nullptr && elsewhere->fleet != call.fleet_name) {
    co_return fail(ErrorCode::already_exists, "this UUID is registered in another fleet", "/device_uuid");
  }
  auto plan = registration_plan(call.actor(), call.reach, *enrolment);
  const auto change = co_await services_.log.append(call.fleet_name, std::move(plan));
  if (!change) co_return fail(change);
  const bool is_new = *change != nullptr;
  const Device* device = call.fleet->device(enrolment->device.id);
  if (device == nullptr) co_return fail(ErrorCode::not_found, "the device was removed at the same moment");
  if (is_new) {
    records.put(enrolment->record);
  } else {
    DeviceRecord& record = records.edit(call.fleet_name, enrolment->device.id);
    enrolment->token.clear();
    if (may_have_token(*device, call.principal)) enrolment->token = records.issue_token(record);
    record.last_seen_ms = services_.now_ms();
    services_.hub.sessions().heard_by_rest(record);
    if (!enrolment->record.version.empty()) record.version = enrolment->record.version;
    if (!enrolment->record.facts.empty()) record.facts = enrolment->record.facts;
  }
  JsonObject answer{{"device", services_.description.describe(*call.fleet, *device)},
                    {"heartbeat_seconds", services_.hub.sessions().options().heartbeat.count()}};
  if (!enrolment->token.empty()) answer["token"] = enrolment->token;
  http::Response response = http::json_response(answer, is_new ? 201 : 200);
  response.headers.set("Cache-Control", "no-store");
  co_return response;
}

asio::awaitable<Result<void>> Registration::save_timezone(Call& call, std::string device_id,
                                                          std::string timezone) {
  auto plan = [actor = call.actor(), device_id, timezone](const FleetState& head,
                                                          std::int64_t) -> Result<Draft> {
    Draft draft{actor, "device.patch", "reported by heartbeat", {}, {}, std::nullopt};
    const Device* device = head.device(device_id);
    if (device == nullptr) return fail(ErrorCode::not_found, "the device was removed");
    if (device->timezone == timezone) return draft;
    Device changed = *device;
    changed.timezone = timezone;
    draft.edits.push_back(head.edit(EntityKind::device, device_id, changed.to_json()));
    return draft;
  };
  const auto change = co_await services_.log.append(call.fleet_name, std::move(plan));
  if (!change) co_return fail(change);
  co_return Result<void>{};
}

asio::awaitable<Reply> Registration::heartbeat(Call& call) {
  const auto found = call.device();
  if (!found) co_return fail(found);
  const std::string id = (*found)->id;
  const auto body = call.optional_object({"current_version", "status", "metadata", "timezone"});
  if (!body) co_return fail(body);
  const JsonReader reader(*body);
  const auto version = optional_token_text(reader, "current_version", 64);
  if (!version) co_return fail(version);
  const auto status = reader.optional_string("status", 32);
  if (!status) co_return fail(status);
  if (*status) {
    if (auto known = check_status(**status); !known) co_return fail(known);
  }
  auto metadata = optional_metadata(reader);
  if (!metadata) co_return fail(metadata);
  const auto timezone = optional_timezone(reader);
  if (!timezone) co_return fail(timezone);
  if (*timezone && **timezone != (*found)->timezone) {
    const auto saved = co_await save_timezone(call, id, **timezone);
    if (!saved) co_return fail(saved);
  }

  DeviceRecord& record = services_.hub.records().edit(call.fleet_name, id);
  record.last_seen_ms = services_.now_ms();
  if (!version->empty()) record.version = *version;
  if (*status) {
    record.rest_status = **status;
  } else if (record.rest_status.empty() || record.rest_status == "offline") {
    record.rest_status = "online";
  }
  if (*metadata) {
    const auto kept = services_.hub.records().change_facts(record, [&](DeviceFacts& facts) {
      for (const auto& [name, value] : **metadata)
        facts.metadata[name] = value;
    });
    if (!kept) co_return fail(kept.error().code, kept.error().message, "/metadata");
  }
  services_.hub.sessions().heard_by_rest(record);
  const auto device = call.device();
  if (!device) co_return fail(device);
  JsonObject answer = services_.description.describe(*call.fleet, **device);
  answer["heartbeat_seconds"] = services_.hub.sessions().options().heartbeat.count();
  answer["server_time"] = to_rfc3339(services_.clock.wall());
  co_return http::json_response(answer);
}

Reply Registration::set_status(const Call& call) {
  const auto device = call.device();
  if (!device) return fail(device);
  const auto body = call.object({"status"});
  if (!body) return fail(body);
  const auto status = JsonReader(*body).string("status", 32);
  if (!status) return fail(status);
  if (auto known = check_status(*status); !known) return fail(known);
  DeviceRecord& record = services_.hub.records().edit(call.fleet_name, (*device)->id);
  record.rest_status = *status;
  if (call.principal.kind == Principal::Kind::device) record.last_seen_ms = services_.now_ms();
  services_.hub.sessions().heard_by_rest(record);
  return http::json_response(services_.description.describe(*call.fleet, **device));
}

// The shortest answer that there is: devices ask this every few minutes.
Reply Registration::check_updates(const Call& call) {
  const auto device = call.device();
  if (!device) return fail(device);
  http::Response response;
  response.body = R"({"updates":[]})";
  return response;
}

}  // namespace starling::hub
