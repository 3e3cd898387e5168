#include "hub/api/actions.hpp"

#include <fmt/format.h>

#include <map>

#include "base/json_text.hpp"
#include "base/uuid.hpp"

namespace starling::hub {

namespace {

constexpr std::int64_t max_expiry_seconds = 86'400;
constexpr std::size_t max_parameter_bytes = 16 * 1024;
constexpr std::size_t max_listed = 1000;

struct Request {
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
  if (*name != "identify" && *name != "echo") {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is not an action: use identify or echo", *name), "/action");
  }
  const auto parameters = reader.optional_object("parameters");
  if (!parameters) return fail(parameters);
  if (*parameters != nullptr) request.action.parameters = **parameters;
  if (json_text(request.action.parameters).size() > max_parameter_bytes) {
    return fail(ErrorCode::too_large, "parameters are larger than 16 KiB", "/parameters");
  }
  const auto seconds = reader.optional_integer("expires_in_seconds");
  if (!seconds) return fail(seconds);
  if (*seconds && (**seconds < 1 || **seconds > max_expiry_seconds)) {
    return fail(ErrorCode::invalid_argument, "expires_in_seconds is from 1 to 86400", "/expires_in_seconds");
  }
  auto target = target_of(*body);
  if (!target) return fail(target);
  const auto kind = target->kind;
  if (target->policy || kind == Target::Kind::persona || kind == Target::Kind::group) {
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

Result<PlannedWrite> plan(const FleetState& head, ActionRequest action, const Target& target,
                          const Reach& reach) {
  auto resolved = resolve_target(head, target);
  if (!resolved) return fail(resolved);
  if (auto allowed = check_reach(reach, head, resolved->scope); !allowed) return fail(allowed);
  if (target.kind == Target::Kind::device) action.device = resolved->scope.layer.scope;
  action.selector = resolved->scope.selector;
  PlannedWrite write;
  write.edits.push_back(head.edit(EntityKind::action, action.id, action.to_json()));
  write.answer = {{"id", action.id}, {"targeted", resolved->scope.count(head)}};
  return write;
}

Places concerned(const FleetState& state, const ActionRequest& action) {
  if (action.device.empty()) return state.device_index().matching(action.selector);
  const Scope scope{{protocol::LayerKind::device, action.device}, {}};
  return scope.places(state);
}

JsonObject device_state(const Device& device, const StoredActionResult* result, bool expired) {
  JsonObject shown{{"device", device.id}, {"name", device.name}, {"state", expired ? "expired" : "waiting"}};
  if (result == nullptr) return shown;
  shown["state"] = result->ok ? "done" : "failed";
  const auto body = parse_json(result->result);
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
              {},
              [this](Call& call) { return get(call); },
              true,
              true});
}

asio::awaitable<Reply> Actions::start(Call& call) {
  auto request = request_of(call, services_.now_ms());
  if (!request) co_return fail(request);
  Writer::Write write{call.fleet_name, "action.start", request->reason,
                      [action = request->action, target = request->target, reach = call.reach](
                          const FleetState& head) { return plan(head, action, target, reach); }};
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
  JsonArray devices;
  for (const Device* device : state.device_index().first_by_id(places, max_listed)) {
    const auto result = by_device.find(device->id);
    devices.push_back(device_state(*device, result == by_device.end() ? nullptr : result->second, expired));
  }
  co_return http::json_response(JsonObject{{"id", action->id},
                                           {"action", action->name},
                                           {"expires_at", shown_time(action->expires_at_ms)},
                                           {"devices", std::move(devices)}});
}

}  // namespace starling::hub
