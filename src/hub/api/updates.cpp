#include "hub/api/updates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/http/file_response.hpp"
#include "base/uuid.hpp"
#include "hub/api/completion.hpp"
#include "hub/api/setting_writes.hpp"
#include "hub/releases/repositories.hpp"
#include "hub/settings/masking.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

namespace {

using protocol::Phase;
using protocol::software_release_key;

constexpr std::size_t max_targets = 1000;

Json field(const ReleaseTar& tar, std::string_view name, const Json& otherwise) {
  const Json* value = tar.custom.if_contains(name);
  return value == nullptr ? otherwise : *value;
}

std::string download_path(std::string_view version) {
  return fmt::format("/api/v1/updates/{}/download", version);
}

JsonObject shown(const std::string& version, const ReleaseTar& tar) {
  Json packages = field(tar, "packages", JsonArray());
  const bool needed = packages.is_array() && !packages.get_array().empty();
  return JsonObject{{"id", version},
                    {"version", version},
                    {"created_at", field(tar, "created_at", Json())},
                    {"update_type", field(tar, "type", Json("scheduled"))},
                    {"description", field(tar, "description", Json(""))},
                    {"package_url", download_path(version)},
                    {"requires_system_packages", needed},
                    {"system_packages", std::move(packages)}};
}

// One tar of each version, that for all architectures if there is one.
std::map<std::string, const ReleaseTar*> by_version(const RepositoryView& view) {
  std::map<std::string, const ReleaseTar*> versions;
  for (const auto& [path, tar] : view.published) {
    const auto name = parse_tar_path(path);
    if (name) versions.emplace(name->version, &tar);
  }
  return versions;
}

// What a device said last of the release that it shall run, and does not run yet.
std::string_view status_of(const SectionRecord& told, const Digest& wanted) {
  if (told.refused == wanted) return "failed";
  if (told.target != wanted) return "pending";
  if (told.phase == Phase::staging) return "downloading";
  return told.phase == Phase::provisional ? "installing" : "pending";
}

struct Wish {
  std::string version;
  std::vector<std::string> devices;  // none: the whole fleet
  JsonObject schedule;
};

Result<Wish> wish_of(const JsonObject& body) {
  const JsonReader reader(body);
  Wish wish;
  auto version = reader.string("version", 64);
  if (!version) return fail(version);
  wish.version = std::move(*version);
  const auto type = reader.optional_string("update_type", 32);
  if (!type) return fail(type);
  if (*type && **type != "scheduled" && **type != "urgent") {
    return fail(ErrorCode::invalid_argument, "update_type is scheduled or urgent", "/update_type");
  }
  const auto later = reader.optional_string("scheduled_for", 64);
  if (!later) return fail(later);
  if (*type) wish.schedule["type"] = **type;
  if (*later) wish.schedule["not_before"] = **later;
  const auto devices = reader.optional_array("target_devices");
  if (!devices) return fail(devices);
  for (std::size_t i = 0; *devices != nullptr && i < (*devices)->size(); ++i) {
    const Json& device = (**devices)[i];
    if (!device.is_string() || i == max_targets) {
      return fail(ErrorCode::invalid_argument, "target_devices is a list of at most 1000 UUIDs",
                  "/target_devices");
    }
    wish.devices.emplace_back(device.get_string());
  }
  return wish;
}

// Every device's layer, or the fleet's, in one change.
Result<PlannedWrite> plan(const FleetState& head, const Wish& wish, const Reach& reach) {
  PlannedWrite write;
  write.status = 201;
  std::vector<Target> targets;
  for (const std::string& device : wish.devices)
    targets.push_back({Target::Kind::device, device, false});
  if (targets.empty()) targets.push_back({});
  std::size_t targeted = 0;
  for (const Target& target : targets) {
    SettingsWrite settings;
    settings.target = target;
    settings.values.emplace(software_release_key, Json(wish.version));
    auto planned = plan_settings(head, settings);
    if (!planned) return fail(planned);
    if (auto allowed = check_reach(reach, head, planned->scope); !allowed) return fail(allowed);
    targeted += planned->scope.count(head);
    for (Edit& edit : planned->edits)
      write.edits.push_back(std::move(edit));
  }
  write.answer = {{"id", wish.version}, {"version", wish.version}, {"targeted", targeted}};
  return write;
}

}  // namespace

void Updates::add_to(Router& router) {
  router.add({http::Method::get, "/api/v1/updates", {Role::viewer, true}, {}, [this](const Call& call) {
                return list(call);
              }});
  router.add({http::Method::post, "/api/v1/updates/create", {Role::operator_}, {}, [this](Call& call) {
                return create(call);
              }});
  router.add({http::Method::get,
              "/api/v1/updates/{id}/download",
              {Role::viewer, true},
              {"architecture"},
              [this](const Call& call) { return download(call); }});
  router.add({http::Method::post,
              "/api/v1/updates/{id}/status",
              {Role::operator_, true},
              {},
              [this](const Call& call) { return report(call); }});
  router.add({http::Method::get,
              "/api/v1/devices/{uuid}/updates/check",
              {Role::viewer, true},
              {},
              [this](const Call& call) { return check(call); }});
}

Result<SharedView> Updates::view(const Call& call) const {
  SharedView view =
      services_.repositories == nullptr ? nullptr : services_.repositories->view(call.fleet_name);
  if (view) return view;
  return fail(ErrorCode::not_found, "this fleet has no releases yet");
}

Reply Updates::list(const Call& call) const {
  JsonArray updates;
  if (const auto published = view(call)) {
    for (const auto& [version, tar] : by_version(**published))
      updates.push_back(shown(version, *tar));
  }
  return http::json_response(JsonObject{{"updates", std::move(updates)}});
}

asio::awaitable<Reply> Updates::create(Call& call) {
  // What it contains was said when it was uploaded; the documents' clients say it again.
  const auto body = call.object({"version", "description", "update_type", "system_packages", "target_devices",
                                 "scheduled_for", "reason"});
  if (!body) co_return fail(body);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  auto wish = wish_of(*body);
  if (!wish) co_return fail(wish);
  const auto published = view(call);
  if (!published) co_return fail(published);
  const auto versions = by_version(**published);
  const auto found = versions.find(wish->version);
  if (found == versions.end()) {
    co_return fail(
        ErrorCode::not_found,
        fmt::format("no release {} is published: upload and sign it first (starling release create)",
                    wish->version),
        "/version");
  }
  if (!wish->schedule.empty()) {
    if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
    if (!wish->schedule.contains("type"))
      wish->schedule["type"] = field(*found->second, "type", Json("scheduled"));
    Repositories::Work work = [version = wish->version, policy = wish->schedule,
                               now = services_.clock.wall()](Repository& repository) {
      return repository.set_schedule(version, policy, now);
    };
    const auto begin = [&](auto done) {
      services_.repositories->perform(call.fleet_name, std::move(work), std::move(done));
    };
    const auto set = co_await completion_of<Result<void>>(begin);
    if (!set) co_return fail(set);
  }
  Writer::Write write{call.fleet_name, "update.create", *reason,
                      [wish = std::move(*wish), reach = call.reach](const FleetState& head) {
                        return plan(head, wish, reach);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

Reply Updates::download(const Call& call) const {
  const auto published = view(call);
  if (!published) return fail(published);
  const std::string& version = call.value("id");
  const std::string_view architecture = call.query("architecture").value_or("all");
  const auto found = (*published)->published.find(tar_path(version, architecture));
  if (found == (*published)->published.end()) {
    return fail(ErrorCode::not_found,
                fmt::format("no release {} is published for {}", version, architecture));
  }
  const std::string& hash = found->second.sha256;
  const http::FileFacts facts{"application/x-tar", fmt::format("\"{}\"", hash), "private, max-age=31536000"};
  auto response = http::file_response(
      call.request, Repository::target_file(services_.repositories->folder(call.fleet_name), hash), facts);
  if (response) services_.repositories->encodings().count(protocol::Encoding::plain, *response);
  return response;
}

// A short answer: devices ask this every few minutes.
Reply Updates::check(const Call& call) const {
  const auto device = call.device();
  if (!device) return fail(device);
  JsonArray updates;
  const auto wanted = effective_value(*call.fleet, **device, std::string(software_release_key));
  const auto published = view(call);
  if (wanted && wanted->value.is_string() && published) {
    const std::string version(wanted->value.get_string());
    const DeviceRecord* record = services_.hub.records().find((*device)->id);
    const Digest target = protocol::hash_of(protocol::SoftwareDocument{version}.to_json());
    const bool has_it =
        record != nullptr && (record->software.running == target || record->version == version);
    const auto versions = by_version(**published);
    const auto found = versions.find(version);
    if (!has_it && found != versions.end()) {
      JsonObject update = shown(version, *found->second);
      update["status"] = record == nullptr ? "pending" : status_of(record->software, target);
      updates.push_back(std::move(update));
    }
  }
  return http::json_response(JsonObject{{"updates", std::move(updates)}});
}

// Of a device that has no link, or of an operator who speaks for it.
Reply Updates::report(const Call& call) {
  const auto body = call.object({"device_uuid", "status", "error_message"});
  if (!body) return fail(body);
  const JsonReader reader(*body);
  auto named = reader.optional_string("device_uuid", 64);
  if (!named) return fail(named);
  const std::string id = *named ? canonical_uuid(**named).value_or(**named) : call.principal.device_id;
  const Device* device = call.fleet->device(id);
  if (device == nullptr || !call.reach.covers(*device)) {
    return fail(ErrorCode::not_found, fmt::format("no device has the UUID '{}'", id), "/device_uuid");
  }
  const auto status = reader.string("status", 32);
  if (!status) return fail(status);
  auto message = reader.optional_string("error_message", 4096);
  if (!message) return fail(message);
  constexpr std::array<std::pair<std::string_view, Phase>, 5> phases{{{"pending", Phase::applied},
                                                                      {"downloading", Phase::staging},
                                                                      {"installing", Phase::provisional},
                                                                      {"completed", Phase::applied},
                                                                      {"failed", Phase::refused}}};
  const auto* const phase =
      std::ranges::find(phases, std::string_view(*status), &std::pair<std::string_view, Phase>::first);
  if (phase == phases.end()) {
    return fail(ErrorCode::invalid_argument,
                "status is pending, downloading, installing, completed or failed", "/status");
  }
  if (services_.hub.sessions().has_handshaken(id)) {
    return fail(ErrorCode::failed_precondition, "this device has a link, and says there how far it is");
  }
  if (!call.fleet->releases().contains(call.value("id"))) {
    return fail(ErrorCode::not_found, fmt::format("no release {} is published", call.value("id")));
  }
  DeviceRecords& records = services_.hub.records();
  DeviceRecord& record = records.edit(call.fleet_name, id);
  SectionRecord& section = record.software;
  const Digest wanted = protocol::hash_of(protocol::SoftwareDocument{call.value("id")}.to_json());
  const bool failed = *status == "failed";
  section.phase = phase->second;
  section.target = *status == "pending" ? Digest{} : wanted;
  section.refused = failed ? wanted : Digest{};
  if (!section.running) section.running = protocol::empty_section_hash();
  if (*status == "completed") section.running = wanted;
  std::vector<protocol::KeyError> errors;
  if (failed) errors.push_back({std::string(software_release_key), message->value_or("no reason was given")});
  const auto kept = records.change_facts(
      record, [&](DeviceFacts& facts) { facts.set_errors(protocol::Section::software, std::move(errors)); });
  if (!kept) return fail(kept);
  record.last_seen_ms = services_.now_ms();
  services_.hub.sessions().heard_by_rest(record);
  return http::json_response(JsonObject{{"id", call.value("id")}, {"device_uuid", id}, {"status", *status}});
}

}  // namespace starling::hub
