#include "hub/api/personas.hpp"

#include <fmt/format.h>

#include "hub/api/setting_writes.hpp"
#include "hub/settings/personas.hpp"

namespace starling::hub {

namespace {

using protocol::LayerKind;

JsonObject shown(const FleetState& state, const Persona& persona) {
  JsonObject body = persona_json(state, persona);
  body["name"] = persona.name;
  return body;
}

// The values that a change writes, which is where it can be masked.
std::map<std::string, Json> values_in(const std::vector<Edit>& edits) {
  std::map<std::string, Json> values;
  for (const Edit& edit : edits) {
    if (edit.kind != EntityKind::setting || edit.after.is_null()) continue;
    if (auto id = SettingId::parse(edit.id)) values.emplace(std::move(id->key), edit.after);
  }
  return values;
}

Result<PlannedWrite> plan_writes(const FleetState& head, const std::vector<PersonaWrite>& personas,
                                 bool in_import) {
  auto edits = plan_personas(head, personas, in_import);
  if (!edits) return fail(edits);
  PlannedWrite write;
  write.edits = std::move(*edits);
  Masking masking;
  std::size_t targeted = 0;
  for (const PersonaWrite& persona : personas) {
    const Scope scope{{LayerKind::persona, persona.name}, {}};
    std::vector<Edit> own;
    for (const Edit& edit : write.edits) {
      const auto id = edit.kind == EntityKind::setting ? SettingId::parse(edit.id) : Result<SettingId>();
      if (edit.kind == EntityKind::setting && id && id->layer == scope.layer) own.push_back(edit);
    }
    targeted += scope.count(head);
    const Masking found = find_masked(head, scope, values_in(own), max_masked - masking.first.size());
    masking.first.insert(masking.first.end(), found.first.begin(), found.first.end());
    masking.count += found.count;
  }
  write.answer = write_answer(write.edits, masking, targeted);
  add_missing_assets(head, write.edits, write.answer);
  return write;
}

Result<PlannedWrite> removal_of_persona(const FleetState& head, const std::string& name) {
  auto edits = plan_persona_removal(head, name);
  if (!edits) return fail(edits);
  PlannedWrite write;
  write.edits = std::move(*edits);
  write.answer = write_answer(write.edits, {}, 0);
  return write;
}

// A switch is a write of persona.active, but its request has no values: the name is in the path.
Result<PlannedWrite> without_values_pointer(Result<PlannedWrite> planned) {
  if (!planned && planned.error().field.starts_with("/values")) planned.error().field.clear();
  return planned;
}

}  // namespace

void Personas::add_to(Router& router) {
  router.add({http::Method::get,
              "/api/v1/personas",
              {Role::viewer},
              {"limit", "after"},
              [this](const Call& call) { return list(call); },
              true,
              true});
  router.add(
      {http::Method::post, "/api/v1/personas/import", {Role::operator_}, {"reason"}, [this](Call& call) {
         return import(call);
       }});
  router.add({http::Method::get,
              "/api/v1/personas/{name}",
              {Role::viewer},
              {},
              [this](const Call& call) { return get(call); },
              true,
              true});
  router.add(
      {http::Method::put, "/api/v1/personas/{name}", {Role::operator_}, {"reason"}, [this](Call& call) {
         return put(call);
       }});
  router.add(
      {http::Method::del, "/api/v1/personas/{name}", {Role::operator_}, {"reason"}, [this](Call& call) {
         return remove(call);
       }});
  router.add({http::Method::post, "/api/v1/personas/{name}/switch", {Role::guardian}, {}, [this](Call& call) {
                return activate(call);
              }});
}

Reply Personas::list(const Call& call) {
  const auto page = PageRequest::of(call);
  if (!page) return fail(page);
  JsonArray items;
  auto at = call.fleet->personas().upper_bound(page->after);
  std::string last;
  for (; at != call.fleet->personas().end() && items.size() < page->limit; ++at) {
    items.push_back(shown(*call.fleet, *at->second));
    last = at->first;
  }
  return page_response(std::move(items),
                       at == call.fleet->personas().end() ? std::nullopt : std::optional(last));
}

Reply Personas::get(const Call& call) {
  const std::string& name = call.value("name");
  const auto found = call.fleet->personas().find(name);
  if (found == call.fleet->personas().end()) {
    return fail(ErrorCode::not_found, fmt::format("no persona is called '{}'", name));
  }
  return http::json_response(shown(*call.fleet, *found->second));
}

asio::awaitable<Reply> Personas::put(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  const auto reason = call.reason();
  if (!reason) co_return fail(reason);
  const auto body = call.json();
  if (!body) co_return fail(body);
  auto persona = parse_persona(call.value("name"), *body, "");
  if (!persona) co_return fail(persona);
  Writer::Write write{call.fleet_name, "persona.put", *reason,
                      [personas = std::vector{std::move(*persona)}](const FleetState& head) {
                        return plan_writes(head, personas, false);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Personas::import(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  const auto reason = call.reason();
  if (!reason) co_return fail(reason);
  const auto body = call.json();
  if (!body) co_return fail(body);
  auto personas = parse_personas(*body);
  if (!personas) co_return fail(personas);
  Writer::Write write{call.fleet_name, "persona.import", *reason,
                      [personas = std::move(*personas)](const FleetState& head) {
                        return plan_writes(head, personas, true);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Personas::remove(Call& call) {
  if (auto allowed = check_whole_fleet(call.reach); !allowed) co_return fail(allowed);
  const auto reason = call.reason();
  if (!reason) co_return fail(reason);
  Writer::Write write{
      call.fleet_name, "persona.remove", *reason,
      [name = call.value("name")](const FleetState& head) { return removal_of_persona(head, name); }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Personas::activate(Call& call) {
  const auto body = call.optional_object({"target", "reason"});
  if (!body) co_return fail(body);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  auto target = target_of(*body);
  if (!target) co_return fail(target);
  const std::string& name = call.value("name");
  Writer::Write write{call.fleet_name, "persona.switch", *reason,
                      [plan = setting_write_planner(persona_switch(name, std::move(*target)), call.reach)](
                          const FleetState& head) { return without_values_pointer(plan(head)); }};
  co_return co_await services_.writer.write(call, std::move(write));
}

}  // namespace starling::hub
