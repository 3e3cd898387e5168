#include "hub/api/registration.hpp"

#include <fmt/format.h>

#include "base/crypto.hpp"
#include "base/uuid.hpp"
#include "hub/device_link/device_fields.hpp"

namespace starling::hub {

namespace {

constexpr std::string_view first_registration = "device.register";

// What a registration says of the device and an operator may change later. What it leaves out gets a default,
// or stays as it is.
struct ToldFields {
  std::optional<std::string> name, timezone, type;
  std::optional<protocol::Labels> labels;

  void put_into(Device& device, bool with_labels) const {
    if (name) device.name = *name;
    if (timezone) device.timezone = *timezone;
    if (type) device.device_type = *type;
    if (labels && with_labels) device.labels = *labels;
  }
  // Those that the device does not have.
  JsonArray missing_in(const Device& device) const {
    JsonArray fields;
    if (name && device.name != *name) fields.emplace_back("device_name");
    if (timezone && device.timezone != *timezone) fields.emplace_back("timezone");
    if (type && device.device_type != *type) fields.emplace_back("device_type");
    if (labels && device.labels != *labels) fields.emplace_back("labels");
    return fields;
  }
};

struct Enrolment {
  Device device;
  ToldFields told;
  DeviceRecord record;
  std::optional<std::string> status;
  std::optional<JsonObject> metadata;
  std::string token;
};

Result<std::string> uuid_in(const JsonReader& reader, std::string_view field) {
  const auto text = reader.string(field, 64);
  if (!text) return fail(text);
  if (auto id = canonical_uuid(*text)) return std::move(*id);
  return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a UUID", *text), reader.pointer(field));
}

Result<std::optional<std::string>> optional_uuid(const JsonReader& reader, std::string_view field) {
  const auto text = reader.optional_string(field, 64);
  if (!text || !*text) return text;
  auto id = uuid_in(reader, field);
  if (!id) return fail(id);
  return std::optional(std::move(*id));
}

Result<std::optional<std::string>> optional_status(const JsonReader& reader) {
  auto status = reader.optional_string("status", 32);
  if (!status || !*status) return status;
  if (auto known = check_status(**status); !known) return fail(known);
  return status;
}

Result<ToldFields> told_fields(const Call& call, const JsonReader& reader) {
  auto name = optional_name(reader, "device_name");
  if (!name) return fail(name);
  auto timezone = optional_timezone(reader);
  if (!timezone) return fail(timezone);
  auto type = optional_device_type(reader);
  if (!type) return fail(type);
  const auto has_labels = reader.optional_object("labels");
  if (!has_labels) return fail(has_labels);
  auto labels = optional_labels(reader);
  if (!labels) return fail(labels);
  ToldFields told{std::move(*name), std::move(*timezone), std::move(*type), {}};
  const auto header = call.request.headers.find("X-Device-Type");
  if (header && !header->empty() && !told.type) {
    const JsonObject named{{"device_type", *header}};
    auto type_of_header = optional_device_type(JsonReader(named));
    if (!type_of_header) return fail(type_of_header, "the header X-Device-Type");
    told.type = std::move(*type_of_header);
  }
  if (*has_labels != nullptr) told.labels = std::move(*labels);
  return told;
}

Result<Device> device_of(const JsonReader& reader, const ToldFields& told) {
  Device device;
  auto id = uuid_in(reader, "device_uuid");
  if (!id) return fail(id);
  auto public_key = optional_public_key(reader);
  if (!public_key) return fail(public_key);
  auto serial = optional_token_text(reader, "serial", 128);
  if (!serial) return fail(serial);
  auto cloned_from = optional_uuid(reader, "cloned_from");
  if (!cloned_from) return fail(cloned_from);
  device.id = std::move(*id);
  device.name = "device-" + device.id.substr(device.id.size() - 6);
  device.public_key = std::move(*public_key);
  device.serial = std::move(*serial);
  device.clone_of = cloned_from->value_or("");
  told.put_into(device, true);
  return device;
}

Result<Enrolment> enrolment_of(const Call& call, std::int64_t now_ms) {
  const auto body = call.object({"device_uuid", "device_name", "timezone", "current_version", "device_type",
                                 "status", "metadata", "labels", "public_key", "serial", "cloned_from"});
  if (!body) return fail(body);
  const JsonReader reader(*body);
  auto told = told_fields(call, reader);
  if (!told) return fail(told);
  auto device = device_of(reader, *told);
  if (!device) return fail(device);
  auto version = optional_token_text(reader, "current_version", 64);
  if (!version) return fail(version);
  auto status = optional_status(reader);
  if (!status) return fail(status);
  auto metadata = optional_metadata(reader);
  if (!metadata) return fail(metadata);

  Enrolment enrolment{std::move(*device), std::move(*told),     {},
                      std::move(*status), std::move(*metadata), "dt_" + random_token()};
  enrolment.device.registered_at_ms = now_ms;
  DeviceRecord& record = enrolment.record;
  record.fleet = call.fleet_name;
  record.device_id = enrolment.device.id;
  record.token_hash = sha256(enrolment.token);
  record.token_issued_ms = now_ms;
  record.last_seen_ms = now_ms;
  record.version = std::move(*version);
  // Of a device with a key pair nothing but its link says that it is there.
  record.rest_status = enrolment.status.value_or(enrolment.device.public_key.empty() ? "online" : "");
  if (enrolment.metadata) {
    DeviceFacts facts;
    facts.metadata = *enrolment.metadata;
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

// UUID, serial and public key are no secrets: who names those of a known device with an enrolment key has
// proved nothing.
bool speaks_for_devices(const Principal& principal) {
  return principal.kind == Principal::Kind::device || (principal.key && !principal.key->enrolment);
}

// One that can sign gets its token over the link.
bool may_have_token(const Device& known, const Principal& principal) {
  return known.public_key.empty() && speaks_for_devices(principal);
}

struct Registrar {
  Principal principal;
  Actor actor;
  Reach reach;
};

// The device as it says that it is now. Its labels decide who may write to it: they are not its own to
// change.
Result<Draft> plan_again(const FleetState& head, const Registrar& registrar, const Device& known,
                         const Enrolment& enrolment) {
  Draft draft{registrar.actor, "device.patch", "registered again", {}, {}, std::nullopt};
  if (auto same = check_same(known, enrolment.device); !same) return fail(same);
  if (!speaks_for_devices(registrar.principal)) return draft;
  Device changed = known;
  enrolment.told.put_into(changed, registrar.principal.kind == Principal::Kind::key);
  if (!registrar.reach.covers(changed)) {
    return fail(ErrorCode::permission_denied, "your grant does not cover a device with these labels",
                "/labels");
  }
  Json body = changed.to_json();
  if (body != known.to_json())
    draft.edits.push_back(head.edit(EntityKind::device, known.id, std::move(body)));
  return draft;
}

ChangeLog::Plan registration_plan(const Call& call, const Enrolment& asked) {
  return [registrar = Registrar{call.principal, call.actor(), call.reach}, enrolment = asked](
             const FleetState& head, std::int64_t) -> Result<Draft> {
    const Device* known = head.device(enrolment.device.id);
    if (auto covered = check_reach(registrar.reach, known, enrolment.device); !covered) return fail(covered);
    if (known != nullptr) return plan_again(head, registrar, *known, enrolment);
    Draft draft{registrar.actor, std::string(first_registration), {}, {}, {}, std::nullopt};
    draft.edits.push_back(head.edit(EntityKind::device, enrolment.device.id, enrolment.device.to_json()));
    draft.records.push_back(enrolment.record);
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
              {Role::operator_, true},
              {},
              [this](Call& call) { return heartbeat(call); }});
  router.add({http::Method::patch,
              "/api/v1/devices/{uuid}/status",
              {Role::operator_, true},
              {},
              [this](const Call& call) { return set_status(call); }});
}

asio::awaitable<Reply> Registration::enrol(Call& call) {
  auto enrolment = enrolment_of(call, services_.now_ms());
  if (!enrolment) co_return fail(enrolment);
  DeviceRecords& records = services_.hub.records();
  const DeviceRecord* elsewhere = records.find(enrolment->device.id);
  if (elsewhere != nullptr && elsewhere->fleet != call.fleet_name) {
    co_return fail(ErrorCode::already_exists, "this UUID is registered in another fleet", "/device_uuid");
  }
  auto plan = registration_plan(call, *enrolment);
  const auto change = co_await services_.log.append(call.fleet_name, std::move(plan));
  if (!change) co_return fail(change);
  const bool is_new = *change != nullptr && (*change)->action == first_registration;
  const Device* device = call.fleet->device(enrolment->device.id);
  if (device == nullptr) co_return fail(ErrorCode::not_found, "the device was removed at the same moment");
  if (is_new) {
    records.put(enrolment->record);
    services_.hub.sessions().heard_by_rest(enrolment->record);
  } else {
    enrolment->token.clear();
    DeviceRecord& record = records.edit(call.fleet_name, device->id);
    if (speaks_for_devices(call.principal)) {
      if (enrolment->metadata) {
        const auto kept =
            records.change_facts(record, [&](DeviceFacts& facts) { facts.metadata = *enrolment->metadata; });
        if (!kept) co_return fail(kept.error().code, kept.error().message, "/metadata");
      }
      const bool rest_only = device->public_key.empty();
      hear(record, {enrolment->record.version, rest_only || enrolment->status, enrolment->status});
    }
    if (may_have_token(*device, call.principal)) enrolment->token = records.issue_token(record);
  }
  JsonObject answer = services_.description.describe(*call.fleet, *device);
  answer["device"] = JsonObject(answer);
  answer["heartbeat_seconds"] = services_.hub.sessions().options().heartbeat.count();
  answer["ignored"] = enrolment->told.missing_in(*device);
  if (!enrolment->token.empty()) answer["token"] = enrolment->token;
  http::Response response = http::json_response(answer, is_new ? 201 : 200);
  response.headers.set("Cache-Control", "no-store");
  co_return response;
}

void Registration::hear(DeviceRecord& record, const Heard& heard) {
  record.last_seen_ms = services_.now_ms();
  if (!heard.version.empty()) record.version = heard.version;
  if (heard.status) {
    record.rest_status = *heard.status;
  } else if (heard.present && (record.rest_status.empty() || record.rest_status == "offline")) {
    record.rest_status = "online";
  }
  services_.hub.sessions().heard_by_rest(record);
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
  const auto body =
      call.optional_object({"device_uuid", "current_version", "status", "metadata", "timezone"});
  if (!body) co_return fail(body);
  const JsonReader reader(*body);
  const auto named = optional_uuid(reader, "device_uuid");
  if (!named) co_return fail(named);
  if (*named && **named != id) {
    co_return fail(ErrorCode::invalid_argument, "device_uuid is another device than the path names",
                   "/device_uuid");
  }
  const auto version = optional_token_text(reader, "current_version", 64);
  if (!version) co_return fail(version);
  const auto status = optional_status(reader);
  if (!status) co_return fail(status);
  auto metadata = optional_metadata(reader);
  if (!metadata) co_return fail(metadata);
  const auto timezone = optional_timezone(reader);
  if (!timezone) co_return fail(timezone);
  if (*timezone && **timezone != (*found)->timezone) {
    const auto saved = co_await save_timezone(call, id, **timezone);
    if (!saved) co_return fail(saved);
  }

  DeviceRecord& record = services_.hub.records().edit(call.fleet_name, id);
  if (*metadata) {
    const auto kept = services_.hub.records().change_facts(record, [&](DeviceFacts& facts) {
      for (const auto& [name, value] : **metadata)
        facts.metadata[name] = value;
    });
    if (!kept) co_return fail(kept.error().code, kept.error().message, "/metadata");
  }
  hear(record, {*version, true, *status});
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
  // The documents' clients share a key: what it says is the device's word, unless it says that it is gone.
  if (*status != "offline" || call.principal.kind == Principal::Kind::device) {
    hear(record, {"", true, *status});
  } else {
    record.rest_status = *status;
    services_.hub.sessions().heard_by_rest(record);
  }
  return http::json_response(services_.description.describe(*call.fleet, **device));
}

}  // namespace starling::hub
