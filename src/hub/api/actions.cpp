#include "hub/api/actions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/json_text.hpp"
#include "base/uuid.hpp"
#include "hub/api/action_kinds.hpp"
#include "hub/api/authentication.hpp"
#include "hub/api/listing.hpp"

namespace starling::hub {

namespace {

constexpr std::int64_t max_expiry_seconds = 86'400;
constexpr std::size_t max_parameter_bytes = 16 * 1024;
constexpr std::size_t max_listed_bytes = 4u << 20;  // of results in one answer

struct Request {
  const ActionKind* kind = nullptr;
  ActionRequest action;
  Target target;
  std::string reason;
};

Result<Request> request_of(const Call& call, std::int64_t now_ms) {
  const auto body = call.object({"action", "parameters", "target", "expires_in_seconds", "reason"});
  if (!body) return fail(body);
  const JsonReader reader(*body);
  Request request;
  auto name = reader.string("action", 64);
  if (!name) return fail(name);
  const auto kind = action_kind(*name);
  if (!kind) return fail(kind);
  request.kind = *kind;
  const auto parameters = reader.optional_object("parameters");
  if (!parameters) return fail(parameters);
  if (*parameters != nullptr) request.action.parameters = **parameters;
  if (json_text(request.action.parameters).size() > max_parameter_bytes) {
    return fail(ErrorCode::too_large, "parameters are larger than 16 KiB", "/parameters");
  }
  if (auto fit = request.kind->check(request.action.parameters); !fit) return fail(fit);
  const auto seconds = reader.optional_integer("expires_in_seconds");
  if (!seconds) return fail(seconds);
  if (*seconds && (**seconds < 1 || **seconds > max_expiry_seconds)) {
    return fail(ErrorCode::invalid_argument, "expires_in_seconds is from 1 to 86400", "/expires_in_seconds");
  }
  auto target = target_of(*body);
  if (!target) return fail(target);
  const bool other = target->kind == Target::Kind::persona || target->kind == Target::Kind::group;
  if (target->policy || other) {
    return fail(ErrorCode::invalid_argument, "an action is for a device, a selector or the fleet", "/target");
  }
  auto reason = call.reason(&*body);
  if (!reason) return fail(reason);
  request.action.id = make_uuid_v7(WallTime(Milliseconds(now_ms)));
  request.action.name = std::move(*name);
  request.action.issued_at_ms = now_ms;
  request.action.expires_at_ms = now_ms + seconds->value_or(60) * 1000;
  request.target = std::move(*target);
  request.reason = std::move(*reason);
  return request;
}

Result<PlannedWrite> plan(const FleetState& head, const ActionKind& kind, ActionRequest action,
                          const Target& target, const Reach& reach) {
  auto resolved = resolve_target(head, target);
  if (!resolved) return fail(resolved);
  if (auto allowed = check_reach(reach, head, resolved->scope); !allowed) return fail(allowed);
  const std::size_t targeted = resolved->scope.count(head);
  if (targeted > kind.max_devices || (kind.max_devices == 1 && target.kind != Target::Kind::device)) {
    return fail(ErrorCode::failed_precondition,
                kind.max_devices == 1 ? fmt::format("{} is for one device: name it", kind.name)
                                      : fmt::format("{} is for at most {} devices at once, not {}", kind.name,
                                                    kind.max_devices, targeted),
                "/target");
  }
  if (target.kind == Target::Kind::device) action.device = resolved->scope.layer.scope;
  action.selector = resolved->scope.selector;
  PlannedWrite write;
  write.edits.push_back(head.edit(EntityKind::action, action.id, action.to_json()));
  write.answer = {{"id", action.id}, {"targeted", targeted}};
  return write;
}

Places concerned(const FleetState& state, const ActionRequest& action) {
  if (action.device.empty()) return state.device_index().matching(action.selector);
  const Scope scope{{protocol::LayerKind::device, action.device}, {}};
  return scope.places(state);
}

JsonObject unanswered(const Device& device, std::string_view status, const DeviceRecord* record,
                      bool expired) {
  return JsonObject{{"device", device.id},
                    {"name", device.name},
                    {"state", expired ? "expired" : "waiting"},
                    {"status", status},
                    {"last_seen", shown_time(record == nullptr ? 0 : record->last_seen_ms)}};
}

JsonObject answered(const Device& device, const StoredActionResult& result, bool with_result) {
  JsonObject shown{{"device", device.id}, {"name", device.name}, {"state", result.ok ? "done" : "failed"}};
  if (!with_result) {
    shown["omitted"] = true;
    return shown;
  }
  const auto body = parse_json(result.result);
  if (!body || !body->is_object()) return shown;
  for (const auto& [name, value] : body->get_object())
    shown[name] = value;
  return shown;
}

}  // namespace

void Actions::add_to(Router& router) {
  router.add({http::Method::post, "/api/v1/actions", {Role::operator_}, {}, [this](Call& call) {
                return start(call);
              }});
  router.add({http::Method::get,
              "/api/v1/actions/{id}",
              {Role::viewer},
              {"device"},
              [this](Call& call) { return get(call); },
              true,
              true});
}

asio::awaitable<Reply> Actions::start(Call& call) {
  auto request = request_of(call, services_.now_ms());
  if (!request) co_return fail(request);
  auto reach = Authentication::reach(call.principal, {request->kind->role}, call.fleet_name);
  if (!reach) co_return fail(reach);
  // The log says of each of these what it was.
  const std::string said =
      request->kind->role == Role::admin ? "device." + request->action.name : "action.start";
  Writer::Write write{
      call.fleet_name, said, request->reason,
      [kind = request->kind, action = request->action, target = request->target, reach = std::move(*reach)](
          const FleetState& head) { return plan(head, *kind, action, target, reach); }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Actions::get(Call& call) {
  const auto found = call.fleet->actions().find(call.value("id"));
  if (found == call.fleet->actions().end()) {
    co_return fail(ErrorCode::not_found, fmt::format("there is no action '{}'", call.value("id")));
  }
  const std::shared_ptr<const ActionRequest> action = found->second;
  const auto results = co_await services_.log.action_results(call.fleet_name, action->id);
  if (!results) co_return fail(results);
  std::map<std::string_view, const StoredActionResult*> by_device;
  for (const auto& result : *results)
    by_device[result.device_id] = &result;
  const bool expired = action->expires_at_ms <= services_.now_ms();
  const FleetState& state = *call.fleet;
  Places places = concerned(state, *action);
  if (!call.reach.unrestricted()) places = common(std::move(places), call.reach.covered(state));
  if (const auto named = call.query("device")) {
    const auto only = find_device(state, std::string(*named));
    if (!only) co_return fail(only);
    places = common(std::move(places), {*state.device_index().place_of((*only)->id)});
  }
  std::size_t room = max_listed_bytes;
  JsonArray devices;
  for (const Device* device : state.device_index().first_by_id(places, max_listed)) {
    const auto told = by_device.find(device->id);
    const StoredActionResult* result = told == by_device.end() ? nullptr : told->second;
    if (result == nullptr) {
      devices.push_back(unanswered(*device, services_.description.status(*device),
                                   services_.hub.records().find(device->id), expired));
      continue;
    }
    const std::size_t bytes = result->result.size();
    devices.push_back(answered(*device, *result, bytes <= room));
    room -= std::min(room, bytes);
  }
  co_return http::json_response(JsonObject{{"id", action->id},
                                           {"action", action->name},
                                           {"expires_at", shown_time(action->expires_at_ms)},
                                           {"devices", std::move(devices)}});
}

}  // namespace starling::hub
