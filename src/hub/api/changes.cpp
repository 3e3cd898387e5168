#include "hub/api/changes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <string_view>

#include "hub/api/change_answers.hpp"
#include "hub/api/listing.hpp"
#include "hub/api/queried_scope.hpp"
#include "hub/api/visibility.hpp"
#include "hub/settings/concerned.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_pages = 50;  // read for one answer

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

}  // namespace

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
  ChangeAnswers answers(services_.hub, state, standings, **change);
  std::map<std::string_view, std::size_t> counts;
  std::size_t told_of = 0;
  JsonArray unapplied;
  for (const Place place : targeted) {
    if (auto answer = answers.of(place)) {
      ++told_of;
      ++counts[answer->state];
      // Another device may have taken the place while others had their turn.
      const Device& device = *state.device_index().at(place);
      const bool listed = answer->state != ChangeAnswers::applied && unapplied.size() < max_listed &&
                          call.reach.covers(device);
      if (listed) {
        answer->more["device"] = device.id;
        answer->more["name"] = device.name;
        answer->more["state"] = answer->state;
        unapplied.push_back(std::move(answer->more));
      }
    }
    if (answers.turn_is_over() || standings.turn_is_over()) co_await services_.log.yield();
  }
  JsonObject told{{"revision", *revision}, {"targeted", told_of}};
  for (const std::string_view each : ChangeAnswers::states())
    told[each] = counts[each];
  told["devices"] = std::move(unapplied);
  co_return http::json_response(told);
}

}  // namespace starling::hub
