#include "hub/api/services.hpp"

#include "hub/settings/writes.hpp"

namespace starling::hub {

using protocol::LayerKind;

Result<void> check_whole_fleet(const Reach& reach) {
  if (reach.unrestricted()) return {};
  return fail(ErrorCode::permission_denied,
              "this concerns the whole fleet, and your grant covers only some of its devices");
}

Result<void> check_reach(const Reach& reach, const FleetState& head, const Scope& scope) {
  switch (scope.layer.kind) {
    case LayerKind::device:
    case LayerKind::policy_device: {
      const Device* device = head.device(scope.layer.scope);
      if (device != nullptr && reach.covers(*device)) return {};
      return fail(ErrorCode::permission_denied, "your grant does not cover this device");
    }
    case LayerKind::group:
    case LayerKind::policy_group:
      if (reach.covers_selector(scope.selector)) return {};
      return fail(ErrorCode::permission_denied,
                  "this could reach devices outside your grant; add the terms of your grant to the selector");
    case LayerKind::defaults:
    case LayerKind::fleet:
    case LayerKind::persona:
    case LayerKind::policy_fleet: break;
  }
  return check_whole_fleet(reach);
}

asio::awaitable<void> count_modules(Services& services) {
  while (!services.hub.records().all_counted()) {
    services.hub.records().count_modules();
    co_await services.log.yield();
  }
}

Result<Target> target_of(const JsonObject& body) {
  const auto target = JsonReader(body).optional_object("target");
  if (!target) return fail(target);
  if (*target == nullptr) return Target{};
  return Target::from_json(**target, "/target");
}

}  // namespace starling::hub
