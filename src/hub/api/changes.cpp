#include "hub/api/changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>
#include <vector>

#include "hub/api/listing.hpp"
#include "hub/api/queried_scope.hpp"
#include "hub/api/visibility.hpp"
#include "hub/settings/concerned.hpp"
#include "hub/settings/masking.hpp"
#include "hub/settings/written_names.hpp"

namespace starling::hub {

namespace {

using Standing = DeviceDescription::Standing;

constexpr std::size_t max_pages = 50;  // read for one answer
constexpr std::size_t judged_in_a_turn = 32;
constexpr std::size_t max_waits_told = 100;

Result<std::int64_t> revision_in_path(const Call& call) {
  const std::string& text = call.value("revision");
  std::int64_t revision = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), revision);
  if (error != std::errc{} || end != text.data() + text.size() || revision < 1) {
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a revision: 1, 2, 3, ...", text));
  }
  return revision;
}

Result<ChangeQuery> query_of(const Call& call) {
  ChangeQuery query;
  query.fleet = call.fleet_name;
  const auto since = call.query_integer("since", 0, INT64_MAX);
  if (!since) return fail(since);
  const auto until = call.query_integer("until", 0, INT64_MAX);
  if (!until) return fail(until);
  const auto limit = call.query_integer("limit", 1, 1000);
  if (!limit) return fail(limit);
  const auto newest_first = call.query_boolean("newest_first");
  if (!newest_first) return fail(newest_first);
  query.since = since->value_or(0);
  query.until = until->value_or(INT64_MAX);
  query.limit = static_cast<std::size_t>(limit->value_or(100));
  query.newest_first = newest_first->value_or(false);
  if (const auto name = call.query("kind")) {
    const auto kind = parse_entity_kind(*name);
    if (!kind) return fail(kind, "query parameter 'kind'");
    query.kind = *kind;
  }
  if (const auto id = call.query("id")) {
    if (!query.kind) return fail(ErrorCode::invalid_argument, "query parameter 'id' needs 'kind' beside it");
    query.id_prefix = *id;
  }
  return query;
}

DeviceFacts facts_of(const DeviceRecord* record) {
  return DeviceFacts::parse(record == nullptr ? std::string_view() : record->facts).value_or(DeviceFacts{});
}

// What keeps the modules that are to be enabled, as the device has told; empty: nothing that it knows of.
std::string waits_of(const WrittenNames& written, const DeviceRecord* record) {
  const DeviceFacts facts = facts_of(record);
  const Json* modules = facts.reported.if_contains("modules");
  std::string waits;
  if (modules == nullptr || !modules->is_object()) return waits;
  for (const std::string& module : written.enabled_modules()) {
    const Json* told = modules->get_object().if_contains(module);
    const Json* why =
        told != nullptr && told->is_object() ? told->get_object().if_contains("waits_for") : nullptr;
    if (why == nullptr || !why->is_string()) continue;
    waits += fmt::format("{}{} {}", waits.empty() ? "" : "; ", module, std::string_view(why->get_string()));
  }
  return waits;
}

struct Judgement {
  Standing standing = Standing::applied;
  std::vector<protocol::KeyError> errors = {};  // why it is refused
};

// What a device makes of the modules that the change writes. While it tries a section, that some other module
// of it is waited for is no matter of this change; nor, where one is refused, is what an older one has.
Judgement judge_modules(FleetStandings& standings, Place place, const WrittenNames& written,
                        const DeviceFacts& facts) {
  Judgement judged{standings.standing(place, {.modules = true}).value_or(Standing::applied)};
  const bool tried = standings.modules_are_tried(place) && !facts.settling_modules.empty();
  if (!tried && judged.standing != Standing::refused) return judged;
  if (tried && written.concerns_one_of(facts.settling_modules)) return judged;
  const bool wholly = !tried && facts.module_errors.empty();
  judged.standing = wholly ? Standing::refused : Standing::applied;
  for (const protocol::KeyError& error : facts.module_errors) {
    if (!written.concerned_by(error)) continue;
    judged.standing = Standing::refused;
    judged.errors.push_back(error);
  }
  return judged;
}

// Of a device that has refused something in these sections, or tries it. Settings are in force all or none.
Judgement judge(FleetStandings& standings, Place place, Sections sections, const WrittenNames& written,
                const DeviceRecord* record) {
  const DeviceFacts facts = facts_of(record);
  Judgement judged;
  const auto add = [&](Judgement of) {
    if (judged.standing == Standing::applied || of.standing == Standing::refused)
      judged.standing = of.standing;
    judged.errors.insert(judged.errors.end(), of.errors.begin(), of.errors.end());
  };
  const auto whole = [&](Sections of, const std::vector<protocol::KeyError>& errors) {
    const Standing standing = standings.standing(place, of).value_or(Standing::applied);
    add({standing, standing == Standing::refused ? errors : std::vector<protocol::KeyError>()});
  };
  if (sections.settings) whole({.settings = true}, facts.errors);
  if (sections.software) whole({.software = true}, facts.software_errors);
  if (sections.modules) add(judge_modules(standings, place, written, facts));
  return judged;
}

}  // namespace

struct Changes::Tally {
  std::size_t targeted = 0;
  std::map<std::string_view, std::size_t> in_state = {};
  JsonArray devices = {};

  void count(std::string_view state) {
    ++targeted;
    ++in_state[state];
  }
};

// What a device made of the change, as the API says it.
struct Changes::Answer {
  std::string_view state;
  JsonObject more = {};  // why
};

void Changes::add_to(Router& router) {
  const auto read = [&](const char* path, std::vector<std::string_view> query,
                        asio::awaitable<Reply> (Changes::*handler)(Call&)) {
    router.add({http::Method::get,
                path,
                {Role::viewer},
                std::move(query),
                [this, handler](Call& call) { return (this->*handler)(call); },
                true,
                true});
  };
  read("/api/v1/changes", {"since", "until", "limit", "newest_first", "kind", "id"}, &Changes::list);
  read("/api/v1/changes/{revision}", {}, &Changes::get);
  read("/api/v1/changes/{revision}/progress", scope_queries(), &Changes::progress);
}

asio::awaitable<Reply> Changes::list(Call& call) {
  auto query = query_of(call);
  if (!query) co_return fail(query);
  // What is on disk may be ahead of what is published.
  query->until = std::min(query->until, call.fleet->revision());
  const std::size_t limit = query->limit;
  JsonArray items;
  // Who sees only some devices is shown as many changes as who sees all, if there are so many.
  for (std::size_t pages = 0; pages < max_pages && items.size() < limit; ++pages) {
    const auto changes = co_await services_.log.read_changes(*query);
    if (!changes) co_return fail(changes);
    for (const SharedChange& change : *changes) {
      auto shown = visible_change(*call.fleet, call.reach, *change);
      if (shown && items.size() < limit) items.push_back(std::move(*shown));
    }
    if (changes->size() < limit || call.reach.unrestricted()) break;
    (query->newest_first ? query->until : query->since) =
        changes->back()->revision - (query->newest_first ? 1 : 0);
  }
  co_return http::json_response(JsonObject{{"items", std::move(items)},
                                           {"head", call.fleet->revision()},
                                           {"generation", services_.log.log().generation()}});
}

asio::awaitable<Reply> Changes::get(Call& call) {
  const auto revision = revision_in_path(call);
  if (!revision) co_return fail(revision);
  if (*revision <= call.fleet->revision()) {
    const auto change = co_await services_.log.change(call.fleet_name, *revision);
    if (!change) co_return fail(change);
    const auto shown = visible_change(*call.fleet, call.reach, **change);
    if (shown) co_return http::json_response(*shown);
  }
  co_return fail(ErrorCode::not_found, fmt::format("there is no change {}", *revision));
}

void Changes::list_unapplied(Tally& tally, const Call& call, const Device& device, Answer answer) {
  if (tally.devices.size() == max_listed) return;
  // Another device may have taken the place while others had their turn.
  if (!call.reach.covers(device)) return;
  JsonObject entry{{"device", device.id}, {"name", device.name}, {"state", answer.state}};
  for (auto& [name, why] : answer.more)
    entry[name] = std::move(why);
  tally.devices.push_back(std::move(entry));
}

asio::awaitable<Reply> Changes::progress(Call& call) {
  const auto revision = revision_in_path(call);
  if (!revision) co_return fail(revision);
  if (*revision > call.fleet->revision()) {
    co_return fail(ErrorCode::not_found, fmt::format("there is no change {}", *revision));
  }
  const auto change = co_await services_.log.change(call.fleet_name, *revision);
  if (!change) co_return fail(change);
  const FleetState& state = *call.fleet;
  const auto scope = queried_scope(call);
  if (!scope) co_return fail(scope);
  Places targeted = Concerned(state, (**change).edits).places(state);
  if (*scope) targeted = common(std::move(targeted), (*scope)->places(state));
  if (!call.reach.unrestricted()) targeted = common(std::move(targeted), call.reach.covered(state));
  FleetStandings& standings = services_.standings.of(state);
  const WrittenNames written(**change);
  const SetByChange set(state, **change);
  const Sections sections = sections_of(**change, state);
  Tally tally;
  std::size_t facts_read = 0;
  for (const Place place : targeted) {
    const auto standing = standings.standing(place, sections);
    if (standing) {
      const Device& device = *state.device_index().at(place);
      const DeviceRecord* record = services_.hub.records().find(device.id);
      const auto overruled = set.overruled_on(state, device);
      const bool moot = overruled && overruled->wholly;  // whatever the device says is of something else
      const bool by_module =
          *standing == Standing::pending && sections.modules && standings.modules_are_tried(place);
      const bool judges = !moot && (by_module || *standing == Standing::refused);
      const Judgement judged =
          judges ? judge(standings, place, sections, written, record) : Judgement{*standing};
      const bool settled = moot || judged.standing == Standing::applied;
      const auto lacks = settled ? written.lacked_by(record) : std::nullopt;
      Answer answer{lacks.value_or(to_string(judged.standing))};
      if (settled && !lacks && overruled) {
        answer = {overruled->how, JsonObject{{"key", overruled->key}, {"layer", overruled->layer.text()}}};
      }
      const bool waits = answer.state == to_string(Standing::pending) && !written.enabled_modules().empty() &&
                         tally.in_state[answer.state] <= max_waits_told;
      if (answer.state == to_string(Standing::refused)) answer.more["errors"] = shown_errors(judged.errors);
      if (waits) {
        if (std::string waits_for = waits_of(written, record); !waits_for.empty())
          answer.more["waits_for"] = std::move(waits_for);
      }
      tally.count(answer.state);
      if (answer.state != to_string(Standing::applied))
        list_unapplied(tally, call, device, std::move(answer));
      if ((judges || waits) && ++facts_read % judged_in_a_turn == 0) co_await services_.log.yield();
    }
    if (standings.turn_is_over()) co_await services_.log.yield();
  }
  JsonObject told{{"revision", *revision}, {"targeted", tally.targeted}};
  for (const std::string_view in_state :
       {to_string(Standing::applied), to_string(Standing::pending), to_string(Standing::refused),
        to_string(Standing::offline), to_string(Standing::cannot_answer), lacks_component, lacks_module,
        Overruled::masked, Overruled::overtaken}) {
    told[in_state] = tally.in_state[in_state];
  }
  told["devices"] = std::move(tally.devices);
  co_return http::json_response(told);
}

}  // namespace starling::hub
