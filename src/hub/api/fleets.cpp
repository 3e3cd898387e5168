#include "hub/api/fleets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hub/api/authentication.hpp"

namespace starling::hub {

namespace {

constexpr std::int64_t devices_in_a_turn = 100;

bool is_fleet_name(std::string_view name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= 63 && std::ranges::all_of(name, plain) && name.front() != '-' &&
         name.back() != '-';
}

std::set<std::string> fleets_of(const Principal& principal) {
  std::set<std::string> names;
  if (principal.kind != Principal::Kind::key) return names;
  for (const Grant& grant : principal.key->grants)
    names.insert(grant.fleet);
  return names;
}

// The key that makes a fleet becomes its first admin.
Result<PlannedWrite> plan_grant(const FleetState& head, const std::string& key_id, const std::string& fleet) {
  const auto current = head.keys().find(key_id);
  if (current == head.keys().end())
    return fail(ErrorCode::permission_denied, "your key was revoked meanwhile");
  Key key = *current->second;
  const bool has_it =
      std::ranges::any_of(key.grants, [&](const Grant& grant) { return grant.fleet == fleet; });
  PlannedWrite write;
  write.status = 201;
  write.answer = {{"name", fleet}};
  if (has_it) return write;
  key.grants.push_back({fleet, Role::admin, {}});
  write.edits.push_back(head.edit(EntityKind::key, key.id, key.to_json()));
  return write;
}

}  // namespace

void Fleets::add_to(Router& router) {
  router.add({http::Method::get,
              "/api/v1/fleet",
              {Role::viewer},
              {},
              [this](Call& call) { return summary(call); },
              true,
              true});
  router.add({http::Method::get,
              "/api/v1/fleets",
              {Role::admin},
              {"limit", "after"},
              [this](const Call& call) { return list(call); },
              false});
  router.add({http::Method::post,
              "/api/v1/fleets",
              {Role::admin},
              {},
              [this](Call& call) { return create(call); },
              false});
}

asio::awaitable<Reply> Fleets::summary(Call& call) {
  const FleetState& state = *call.fleet;
  FleetStandings& standings = services_.standings.of(state);
  std::map<SyncStatus, std::int64_t> by_sync;
  std::int64_t with_problems = 0;
  std::int64_t looked_at = 0;
  for (const Place place : call.reach.covered(state)) {
    if (const auto status = standings.sync(place)) ++by_sync[*status];
    const Device* device = state.device_index().at(place);
    if (device != nullptr && services_.hub.records().has_problems(device->id)) ++with_problems;
    if (standings.turn_is_over() || ++looked_at % devices_in_a_turn == 0) co_await services_.log.yield();
  }
  std::int64_t total = 0;
  JsonObject counts;
  for (const auto& [status, count] : by_sync) {
    total += count;
    counts[to_string(status)] = count;
  }
  const auto offline = by_sync.find(SyncStatus::offline);
  const std::int64_t online = total - (offline == by_sync.end() ? 0 : offline->second);
  Json persona;
  const auto& values = state.layer({protocol::LayerKind::fleet, ""});
  const auto active = values.find(protocol::persona_active_key);
  if (active != values.end()) persona = active->second.value;
  co_return http::json_response(JsonObject{{"fleet", state.fleet()},
                                           {"revision", state.revision()},
                                           {"generation", services_.log.log().generation()},
                                           {"devices", JsonObject{{"total", total},
                                                                  {"online", online},
                                                                  {"by_sync", std::move(counts)},
                                                                  {"with_problems", with_problems}}},
                                           {"persona", std::move(persona)},
                                           {"version", STARLING_VERSION}});
}

Reply Fleets::list(const Call& call) {
  const auto page = PageRequest::of(call);
  if (!page) return fail(page);
  JsonArray items;
  std::optional<std::string> next;
  for (const std::string& name : fleets_of(call.principal)) {
    const FleetState* state = services_.log.log().published(name);
    if (name <= page->after || state == nullptr) continue;
    if (items.size() == page->limit) {
      next = std::string(items.back().at("name").get_string());
      break;
    }
    items.push_back(JsonObject{{"name", name}, {"revision", state->revision()}});
  }
  return page_response(std::move(items), std::move(next));
}

asio::awaitable<Reply> Fleets::create(Call& call) {
  // A fleet is a tenant of the hub: only who administers its first one makes others.
  const auto reach = Authentication::reach(call.principal, {Role::admin}, default_fleet);
  if (!reach) co_return fail(reach);
  if (auto allowed = check_whole_fleet(*reach); !allowed) co_return fail(allowed);
  const auto body = call.object({"name"});
  if (!body) co_return fail(body);
  const auto name = JsonReader(*body).string("name", 63);
  if (!name) co_return fail(name);
  if (!is_fleet_name(*name)) {
    co_return fail(ErrorCode::invalid_argument,
                   "a fleet's name has 1 to 63 lower-case letters, digits and inner hyphens", "/name");
  }
  ChangeLog& log = services_.log.log();
  const FleetState* existing = log.published(*name);
  if (existing != nullptr && existing->revision() > 0) {
    co_return fail(ErrorCode::already_exists, fmt::format("the fleet '{}' exists already", *name), "/name");
  }
  // First the grant, then the fleet: if the hub is killed in between, asking again completes it.
  Writer::Write grant{call.principal.home_fleet,
                      "fleet.create",
                      {},
                      [id = call.principal.key->id, fleet = *name](const FleetState& head) {
                        return plan_grant(head, id, fleet);
                      }};
  auto reply = co_await services_.writer.write(call, std::move(grant));
  if (!reply) co_return reply;
  log.add_fleet(*name);
  auto plan = [actor = call.actor(), catalog = log.published(default_fleet)->catalog()](
                  const FleetState& head, std::int64_t) -> Result<Draft> {
    Draft draft{actor, "component.put", "schemas of a new fleet", {}, {}, std::nullopt};
    for (const auto& [component_name, component] : catalog.components()) {
      if (head.catalog().component(component_name) != nullptr) continue;
      draft.edits.push_back(head.edit(EntityKind::component, component_name, component->file()));
    }
    return draft;
  };
  const auto change = co_await services_.log.append(*name, std::move(plan));
  if (!change) co_return fail(change);
  co_return reply;
}

}  // namespace starling::hub
