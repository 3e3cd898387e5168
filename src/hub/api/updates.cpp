#include "hub/api/updates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/http/file_response.hpp"
#include "base/rfc3339.hpp"
#include "base/uuid.hpp"
#include "hub/api/completion.hpp"
#include "hub/api/listing.hpp"
#include "hub/api/release_use.hpp"
#include "hub/api/release_writes.hpp"
#include "hub/api/setting_writes.hpp"
#include "hub/api/update_progress.hpp"
#include "hub/device_link/running_release.hpp"
#include "hub/settings/masking.hpp"
#include "protocol/canonical_json.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

namespace {

using protocol::Phase;
using protocol::software_release_key;

constexpr std::size_t max_targets = 1000;
constexpr std::size_t looked_at_in_a_turn = 128;

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

struct Wish {
  std::string version;
  std::vector<Target> targets;
  JsonObject schedule;
};

// A list of UUIDs or names, or a selector; without either, or with none in it, the whole fleet.
Result<std::vector<Target>> targets_of(const JsonReader& reader) {
  constexpr std::string_view field = "target_devices";
  std::vector<Target> targets;
  const auto selector = reader.optional_string(field, 1024);
  if (selector && *selector) targets.push_back({Target::Kind::selector, **selector, false});
  const auto devices = selector ? Result<const JsonArray*>(nullptr) : reader.optional_array(field);
  for (std::size_t i = 0; devices && *devices != nullptr && i < (*devices)->size(); ++i) {
    const Json& device = (**devices)[i];
    if (!device.is_string() || i == max_targets) {
      return fail(ErrorCode::invalid_argument,
                  "target_devices is a list of at most 1000 UUIDs or names, or a selector like room=lab",
                  "/target_devices");
    }
    targets.push_back({Target::Kind::device, std::string(device.get_string()), false});
  }
  if (!devices) return fail(devices);
  if (targets.empty()) targets.push_back({});
  return targets;
}

// A moment that has passed, or `now`, is at once.
Result<JsonObject> schedule_of(const JsonReader& reader, WallTime now) {
  JsonObject schedule;
  const auto type = reader.optional_string("update_type", 32);
  if (!type) return fail(type);
  if (*type && **type != "scheduled" && **type != "urgent") {
    return fail(ErrorCode::invalid_argument, "update_type is scheduled or urgent", "/update_type");
  }
  if (*type) schedule["type"] = **type;
  const auto later = reader.optional_string("scheduled_for", 64);
  if (!later) return fail(later);
  const auto at_once = reader.optional_boolean("now");
  if (!at_once) return fail(at_once);
  const auto time = *later ? parse_rfc3339(**later) : std::nullopt;
  if (*later && !time) {
    return fail(ErrorCode::invalid_argument, "scheduled_for must be a time like 2030-01-31T18:00:00Z",
                "/scheduled_for");
  }
  if (at_once->value_or(false) || (time && *time <= now)) {
    schedule["now"] = true;
  } else if (time) {
    schedule["not_before"] = to_rfc3339(*time);
  }
  return schedule;
}

Result<Wish> wish_of(const JsonObject& body, WallTime now) {
  const JsonReader reader(body);
  Wish wish;
  auto version = reader.string("version", 64);
  if (!version) return fail(version);
  wish.version = std::move(*version);
  auto targets = targets_of(reader);
  if (!targets) return fail(targets);
  wish.targets = std::move(*targets);
  auto schedule = schedule_of(reader, now);
  if (!schedule) return fail(schedule);
  wish.schedule = std::move(*schedule);
  return wish;
}

// The layers of all targets in one change.
Result<PlannedWrite> plan(const FleetState& head, const Wish& wish, const Reach& reach) {
  PlannedWrite write;
  write.status = 201;
  std::size_t targeted = 0;
  for (const Target& target : wish.targets) {
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
              [this](Call& call) { return download(call); }});
  router.add({http::Method::get,
              "/api/v1/updates/{id}/devices",
              {Role::viewer},
              {"limit", "after"},
              [this](Call& call) { return devices(call); }});
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
  const auto body =
      call.object({"version", "description", "update_type", "package_url", "requires_system_packages",
                   "system_packages", "target_devices", "scheduled_for", "now", "reason"});
  if (!body) co_return fail(body);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  auto wish = wish_of(*body, services_.clock.wall());
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
  // Before anything is scheduled: who may not have devices take it does not change when they do.
  if (const auto possible = plan(*call.fleet, *wish, call.reach); !possible) co_return fail(possible);
  if (!wish->schedule.empty()) {
    if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
    if (!wish->schedule.contains("type"))
      wish->schedule["type"] = field(*found->second, "type", Json("scheduled"));
    const auto set = co_await schedule_release(services_, call, wish->version, wish->schedule, *reason);
    if (!set) co_return fail(set);
  }
  Writer::Write write{call.fleet_name, "update.create", *reason,
                      [wish = std::move(*wish), reach = call.reach](const FleetState& head) {
                        return plan(head, wish, reach);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

// For all devices, if there is one, or else the only one that there is.
Result<const ReleaseTar*> Updates::tar_of(const RepositoryView& view, const Call& call) {
  const std::string& version = call.value("id");
  if (const auto architecture = call.query("architecture")) {
    const auto found = view.published.find(tar_path(version, *architecture));
    if (found != view.published.end()) return &found->second;
    return fail(ErrorCode::not_found,
                fmt::format("no release {} is published for {}", version, *architecture));
  }
  std::map<std::string, const ReleaseTar*> tars;  // by architecture
  for (const auto& [path, tar] : view.published) {
    const auto name = parse_tar_path(path);
    if (name && name->version == version) tars.emplace(name->architecture, &tar);
  }
  if (tars.empty()) return fail(ErrorCode::not_found, fmt::format("no release {} is published", version));
  if (const auto all = tars.find("all"); all != tars.end()) return all->second;
  if (tars.size() == 1) return tars.begin()->second;
  std::string names;
  for (const auto& [name, tar] : tars)
    names += (names.empty() ? "" : ", ") + name;
  return fail(ErrorCode::invalid_argument,
              fmt::format("{} is published for {}: say which, with ?architecture=", version, names));
}

asio::awaitable<Reply> Updates::download(Call& call) {
  const auto published = view(call);
  if (!published) co_return fail(published);
  const auto tar = tar_of(**published, call);
  if (!tar) co_return fail(tar);
  const std::string& hash = (*tar)->sha256;
  const auto begin = [&](auto done) {
    services_.repositories->zips().fetch(services_.repositories->folder(call.fleet_name), hash,
                                         std::move(done));
  };
  const auto zip = co_await completion_of<Result<std::filesystem::path>>(begin);
  if (!zip) co_return fail(zip);
  const http::FileFacts facts{"application/zip", fmt::format("\"{}.zip\"", hash),
                              "private, max-age=31536000"};
  auto response = http::file_response(call.request, *zip, facts);
  if (!response) co_return fail(response);
  response->headers.set("Content-Disposition",
                        fmt::format("attachment; filename=\"update_{}.zip\"", call.value("id")));
  co_return std::move(*response);
}

// A short answer: devices ask this every few minutes.
Reply Updates::check(const Call& call) const {
  const auto device = call.device();
  if (!device) return fail(device);
  JsonArray updates;
  const Json wanted = desired_release(*call.fleet, **device);
  const auto published = view(call);
  if (wanted.is_string() && published) {
    const std::string version(wanted.get_string());
    const DeviceRecord* record = services_.hub.records().find((*device)->id);
    const auto versions = by_version(**published);
    const auto found = versions.find(version);
    if (found != versions.end() && update_status(record, version) != "completed") {
      JsonObject update = shown(version, *found->second);
      for (auto& [name, value] : update_progress((*device)->id, record, version, **published))
        update[name] = value;
      updates.push_back(std::move(update));
    }
  }
  return http::json_response(JsonObject{{"updates", std::move(updates)}});
}

// The devices that shall run it or do, by id.
asio::awaitable<Reply> Updates::devices(Call& call) {
  const auto page = PageRequest::of(call);
  if (!page) co_return fail(page);
  const auto published = view(call);
  if (!published) co_return fail(published);
  const std::string& version = call.value("id");
  if (!by_version(**published).contains(version))
    co_return fail(ErrorCode::not_found, fmt::format("no release {} is published", version));
  const FleetState& state = *call.fleet;
  JsonArray items;
  std::string last = page->after;
  std::size_t looked_at = 0;
  auto at = state.devices().upper_bound(last);
  while (at != state.devices().end() && items.size() < page->limit && looked_at < max_looked_at) {
    const Device& device = *at->second;
    last = device.id;
    const DeviceRecord* record = services_.hub.records().find(device.id);
    const bool runs = running_release(record) == version;
    if (call.reach.covers(device) && (runs || desired_release(state, device) == Json(version)))
      items.push_back(update_progress(device.id, record, version, **published));
    if (++looked_at % looked_at_in_a_turn == 0) co_await services_.log.yield();
    at = state.devices().upper_bound(last);  // the fleet may have changed meanwhile
  }
  co_return page_response(std::move(items), at == state.devices().end() ? std::nullopt : std::optional(last));
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
  if (*status == "completed") {
    section.running = wanted;
    record.version = call.value("id");
  }
  std::vector<protocol::KeyError> errors;
  if (failed) errors.push_back({std::string(software_release_key), message->value_or("no reason was given")});
  const auto kept = records.change_facts(record, [&](DeviceFacts& facts) {
    facts.set_errors(protocol::Section::software, std::move(errors));
    note_update(facts.updates, wanted, *status, services_.now_ms());
  });
  if (!kept) return fail(kept);
  record.last_seen_ms = services_.now_ms();
  services_.hub.sessions().heard_by_rest(record);
  return http::json_response(JsonObject{{"id", call.value("id")}, {"device_uuid", id}, {"status", *status}});
}

}  // namespace starling::hub
