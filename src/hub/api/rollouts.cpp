#include "hub/api/rollouts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>
#include <map>
#include <vector>

#include "base/rfc3339.hpp"
#include "hub/api/listing.hpp"
#include "hub/api/visibility.hpp"
#include "hub/rollouts/rollout_edits.hpp"
#include "hub/rollouts/rollout_engine.hpp"
#include "hub/rollouts/stage_notes.hpp"
#include "hub/settings/masking.hpp"

namespace starling::hub {

namespace {

struct RolloutWish {
  Target target;
  std::map<std::string, Json> values;  // full key or alias → value
  JsonObject plan;                     // stages, soak_ms, ...: as the record has them
  bool supersede = false;
};

Result<RolloutWish> wish_of(JsonObject body) {
  const JsonReader reader(body);
  RolloutWish wish;
  auto target = target_of(body);
  if (!target) return fail(target);
  wish.target = std::move(*target);
  const auto supersede = reader.optional_boolean("supersede");
  if (!supersede) return fail(supersede);
  wish.supersede = supersede->value_or(false);
  const auto values = reader.object("values");
  if (!values) return fail(values);
  for (const auto& [key, value] : **values)
    wish.values.emplace(std::string(key), value);
  if (wish.values.empty()) {
    return fail(ErrorCode::invalid_argument, "a rollout brings one value at least: 'values' is empty",
                "/values");
  }
  // A misspelt needs_approval must not pass for none.
  const auto stages = reader.optional_array("stages");
  if (!stages) return fail(stages);
  for (std::size_t i = 0; *stages != nullptr && i < (*stages)->size(); ++i) {
    const JsonObject* stage = (**stages)[i].if_object();
    if (stage == nullptr) continue;  // is refused below
    const JsonReader each(*stage, fmt::format("/stages/{}", i));
    if (auto known = each.only({"share", "selector", "needs_approval"}); !known) return fail(known);
  }
  for (const char* other : {"target", "supersede", "values", "reason"})
    body.erase(other);
  wish.plan = std::move(body);
  return wish;
}

Result<RolloutRecord> record_of(const RolloutWish& wish, const protocol::LayerId& layer,
                                const std::string& id, const std::string& author) {
  JsonArray values;
  for (const auto& [key, value] : wish.values)
    values.emplace_back(JsonObject{{"layer", layer.text()}, {"key", key}, {"value", value}});
  JsonObject body = wish.plan;
  body["author"] = author;
  body["values"] = std::move(values);
  return RolloutRecord::from_json(id, body);
}

// The pointer of a value by its place becomes one by its key, as the request has it.
Error at_key(Error error, const RolloutWish& wish) {
  constexpr std::string_view values = "/values/";
  if (!error.field.starts_with(values)) return error;
  std::size_t place = 0;
  const char* const end = error.field.data() + error.field.size();
  const auto read = std::from_chars(error.field.data() + values.size(), end, place);
  if (read.ec == std::errc{} && place < wish.values.size()) {
    error.field =
        std::string(values) + std::next(wish.values.begin(), static_cast<std::ptrdiff_t>(place))->first;
  }
  return error;
}

// By full key, those that may be masked.
Result<std::map<std::string, Json>> values_of(const FleetState& head, const protocol::LayerId& layer,
                                              const RolloutWish& wish) {
  std::map<std::string, Json> values;
  for (const auto& [name, value] : wish.values) {
    if (value.is_null()) continue;
    auto checked = check_value(head, layer, name, value);
    if (!checked) return fail(checked.error().code, checked.error().message, "/values/" + name);
    values.emplace(std::move(checked->key), std::move(checked->value));
  }
  return values;
}

Result<PlannedWrite> plan_start(const FleetState& head, const RolloutWish& wish, const Reach& reach,
                                const std::string& author) {
  auto target = resolve_target(head, wish.target);
  if (!target) return fail(target);
  if (auto allowed = check_reach(reach, head, target->scope); !allowed) return fail(allowed);
  const std::int64_t revision = head.revision() + 1;
  const std::string id = fmt::format("r{}", revision);
  auto record = record_of(wish, target->scope.layer, id, author);
  if (!record) return std::unexpected(at_key(std::move(record).error(), wish));
  const auto values = values_of(head, target->scope.layer, wish);
  if (!values) return fail(values);
  const StageNotes stages(head, target->scope, [&](const Device& device) { return reach.covers(device); });
  if (auto reached = stages.check_reached(); !reached) return fail(reached);
  JsonArray notes = stages.of(record->plan.stages);
  auto edits = plan_rollout(head, std::move(*record), revision, wish.supersede);
  if (!edits) return std::unexpected(at_key(std::move(edits).error(), wish));
  PlannedWrite write;
  write.status = 201;
  write.edits = std::move(*edits);
  if (target->new_group) {
    write.edits.insert(write.edits.begin(),
                       head.edit(EntityKind::group, target->new_group->name, target->new_group->to_json()));
  }
  write.answer =
      write_answer({}, find_masked(head, target->scope, *values, max_masked), target->scope.count(head));
  write.answer.erase("changed");
  write.answer["id"] = id;
  write.answer["notes"] = std::move(notes);
  return write;
}

Result<const RolloutRecord*> find_rollout(const FleetState& state, const Reach& reach,
                                          const std::string& id) {
  const auto found = state.rollouts().find(id);
  const bool visible = found != state.rollouts().end() &&
                       std::ranges::all_of(found->second->plan.values, [&](const RolloutValue& each) {
                         return layer_visible(state, reach, each.setting.layer);
                       });
  if (visible) return found->second.get();
  return fail(ErrorCode::not_found, fmt::format("there is no rollout '{}'", id));
}

JsonObject shown_under_way(const UnderWay& under_way) {
  const auto time = [&](WallTime at) { return under_way.waiting == 0 ? Json() : Json(to_rfc3339(at)); };
  return {{"on_trial", under_way.on_trial},
          {"waiting", under_way.waiting},
          {"first_switch", time(under_way.first_switch)},
          {"last_switch", time(under_way.last_switch)}};
}

// As other answers have "by": the name, or the principal where there is none any more.
std::string name_of(const FleetState& state, std::string_view principal) {
  constexpr std::string_view key = "key:";
  if (!principal.starts_with(key)) return std::string(principal);
  const auto found = state.keys().find(std::string(principal.substr(key.size())));
  const bool named = found != state.keys().end() && !found->second->name.empty();
  return named ? found->second->name : std::string(principal);
}

JsonArray shown_stages(const FleetState& state, const RolloutRecord& record,
                       const std::vector<StageCounts>& counts) {
  JsonArray stages = record.to_json().at("stages").as_array();
  for (std::size_t i = 0; i < stages.size(); ++i) {
    JsonObject& stage = stages[i].as_object();
    stage["needs_approval"] = record.plan.stages[i].needs_approval;
    const auto approval = std::ranges::find(record.approvals, i, &Approval::stage);
    const bool approved = approval != record.approvals.end();
    stage["approved_by"] = approved ? Json(approval->principal) : Json();
    stage["approved_by_name"] = approved ? Json(name_of(state, approval->principal)) : Json();
    stage["open"] = i < record.open;
    const StageCounts none;
    for (auto& [name, number] : (i < counts.size() ? counts[i] : none).to_json())
      stage[name] = number;
  }
  return stages;
}

}  // namespace

void Rollouts::add_to(Router& router) {
  const auto act = [&](const char* path, asio::awaitable<Reply> (Rollouts::*handler)(Call&)) {
    router.add({http::Method::post, path, {Role::operator_}, {}, [this, handler](Call& call) {
                  return (this->*handler)(call);
                }});
  };
  router.add({http::Method::get,
              "/api/v1/rollouts",
              {Role::viewer},
              {"limit", "after"},
              [this](const Call& call) { return list(call); },
              true,
              true});
  router.add({http::Method::get,
              "/api/v1/rollouts/{id}",
              {Role::viewer},
              {},
              [this](const Call& call) { return get(call); },
              true,
              true});
  act("/api/v1/rollouts", &Rollouts::start);
  act("/api/v1/rollouts/{id}/approve", &Rollouts::approve);
  act("/api/v1/rollouts/{id}/pause", &Rollouts::pause);
  act("/api/v1/rollouts/{id}/resume", &Rollouts::resume);
  act("/api/v1/rollouts/{id}/abort", &Rollouts::abort);
}

JsonObject Rollouts::describe(const Call& call, const RolloutRecord& record) const {
  const Rollout* running = services_.hub.rollouts().find(call.fleet_name, record.id);
  const RolloutState state = running == nullptr ? started_from(record.state) : running->state();
  JsonObject json = record.to_json().as_object();
  json["id"] = record.id;
  json["state"] = to_string(state);
  json["ended"] = has_ended(state);
  json["author_name"] = name_of(*call.fleet, record.plan.author);
  json["stages"] =
      shown_stages(*call.fleet, record, running == nullptr ? record.counts : running->progress().stages());
  json["opened_at"] = record.open == 0 ? Json() : Json(to_rfc3339(record.opened_at));
  json["under_way"] =
      running == nullptr ? Json() : Json(shown_under_way(running->progress().under_way(record.open)));
  const auto soaked = running == nullptr ? std::nullopt : running->soaked_at();
  json["soaked_at"] = soaked ? Json(to_rfc3339(*soaked)) : Json();
  json["why"] = text_or_null(record.why);
  json["heir"] = text_or_null(record.heir);
  JsonArray failures;
  for (const FailureGroup& group :
       running == nullptr ? record.failures
                          : running->progress().largest_failures(RolloutRecord::max_failure_groups)) {
    const Device* device = call.fleet->device(group.device);
    const bool shown = device != nullptr && call.reach.covers(*device);
    failures.push_back(JsonObject{{"devices", static_cast<std::int64_t>(group.devices)},
                                  {"example", group.example},
                                  {"device", shown ? Json(device->id) : Json()},
                                  {"device_name", shown ? Json(device->name) : Json()}});
  }
  json["failures"] = std::move(failures);
  json.erase("approvals");
  json.erase("counts");
  json.erase("was_held");
  return json;
}

// The newest first; the cursor is an id.
Reply Rollouts::list(const Call& call) const {
  const auto page = PageRequest::of(call);
  if (!page) return fail(page);
  std::vector<const RolloutRecord*> records;
  for (const auto& [id, record] : call.fleet->rollouts()) {
    if (find_rollout(*call.fleet, call.reach, id)) records.push_back(record.get());
  }
  std::ranges::sort(records, std::ranges::greater(), &RolloutRecord::started);
  auto at = records.begin();
  if (!page->after.empty()) {
    const auto last = std::ranges::find(records, page->after, &RolloutRecord::id);
    if (last == records.end()) {
      return fail(ErrorCode::invalid_argument, "query parameter 'after' is no cursor of this list");
    }
    at = std::next(last);
  }
  JsonArray items;
  std::string last;
  for (; at != records.end() && items.size() < page->limit; ++at) {
    last = (*at)->id;
    items.push_back(describe(call, **at));
  }
  return page_response(std::move(items), at == records.end() ? std::nullopt : std::optional(last));
}

Reply Rollouts::get(const Call& call) const {
  const auto record = find_rollout(*call.fleet, call.reach, call.value("id"));
  if (!record) return fail(record);
  return http::json_response(describe(call, **record));
}

asio::awaitable<Reply> Rollouts::start(Call& call) {
  auto body = call.object({"values", "target", "stages", "soak_ms", "max_failures", "min_failures",
                           "waits_for_absent", "windows", "supersede", "reason"});
  if (!body) co_return fail(body);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  auto wish = wish_of(std::move(*body));
  if (!wish) co_return fail(wish);
  Writer::Write write{call.fleet_name, "rollout.start", *reason,
                      [wish = std::move(*wish), reach = call.reach, author = call.principal.id()](
                          const FleetState& head) { return plan_start(head, wish, reach, author); }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Rollouts::step(Call& call, std::string action, Step next) {
  const auto body = call.optional_object({"reason"});
  if (!body) co_return fail(body);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  const RolloutEngine& engine = services_.hub.rollouts();
  Writer::Planner plan = [&engine, fleet = call.fleet_name, id = call.value("id"), reach = call.reach,
                          why = *reason,
                          next = std::move(next)](const FleetState& head) -> Result<PlannedWrite> {
    const auto found = find_rollout(head, reach, id);
    if (!found) return fail(found);
    for (const RolloutValue& each : (*found)->plan.values) {
      const Scope scope = scope_of(head, each.setting.layer);
      if (auto allowed = check_reach(reach, head, scope); !allowed) return fail(allowed);
    }
    auto record = next(Rollout(**found), why);
    if (!record) return fail(record);
    const Rollout* running = engine.find(fleet, id);
    if (running != nullptr && has_ended(started_from(record->state))) *record = running->summed_up(*record);
    auto edits = plan_rollout_step(head, **found, *record);
    if (!edits) return fail(edits);
    PlannedWrite write;
    write.edits = std::move(*edits);
    write.answer = {{"id", id}, {"state", to_string(record->state)}};
    return write;
  };
  Writer::Write write{call.fleet_name, std::move(action), *reason, std::move(plan)};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Rollouts::approve(Call& call) {
  const auto next = [principal = call.principal.id(), now = services_.clock.wall()](const Rollout& rollout,
                                                                                    const std::string&) {
    return rollout.approve(principal, now);
  };
  return step(call, "rollout.approve", next);
}

asio::awaitable<Reply> Rollouts::pause(Call& call) {
  return step(call, "rollout.pause",
              [](const Rollout& rollout, const std::string& why) { return rollout.pause(why); });
}

asio::awaitable<Reply> Rollouts::resume(Call& call) {
  return step(call, "rollout.resume",
              [](const Rollout& rollout, const std::string&) { return rollout.resume(); });
}

asio::awaitable<Reply> Rollouts::abort(Call& call) {
  return step(call, "rollout.abort",
              [](const Rollout& rollout, const std::string& why) { return rollout.abort(why); });
}

}  // namespace starling::hub
