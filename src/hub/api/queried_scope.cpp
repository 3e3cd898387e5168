#include "hub/api/queried_scope.hpp"

#include "hub/settings/writes.hpp"

namespace starling::hub {

std::vector<std::string_view> scope_queries() {
  return {"device", "selector", "group", "persona"};
}

Result<std::optional<Scope>> queried_scope(const Call& call) {
  JsonObject named;
  for (const std::string_view kind : scope_queries()) {
    if (const auto name = call.query(kind)) named[kind] = *name;
  }
  if (named.empty()) return std::nullopt;
  const auto target = Target::from_json(named, "");
  if (!target) return fail(target);
  auto resolved = resolve_target(*call.fleet, *target);
  if (!resolved) return fail(resolved);
  return std::move(resolved->scope);
}

Scope fleet_scope() {
  return {{protocol::LayerKind::fleet, ""}, {}};
}

}  // namespace starling::hub
