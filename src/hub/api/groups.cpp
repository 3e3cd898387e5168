#include "hub/api/groups.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hub/rollouts/rollout_edits.hpp"

namespace starling::hub {

namespace {

using protocol::LayerId;
using protocol::LayerKind;

constexpr std::size_t max_group_name_bytes = 63;

bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= max_group_name_bytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

// A group may be called by its own canonical selector (as --on does), or have a plain name.
Result<void> check_name(const std::string& name, const protocol::Selector& selector) {
  if (is_plain_name(name) || name == selector.canonical()) return {};
  return fail(ErrorCode::invalid_argument,
              fmt::format("'{}' cannot be a group's name: use 1 to {} letters, digits, dots, hyphens or "
                          "underscores, or the selector itself",
                          name, max_group_name_bytes));
}

Result<PlannedWrite> plan_put(const FleetState& head, const Group& group, const Reach& reach) {
  if (auto allowed = check_reach(reach, head, {{LayerKind::group, group.name}, group.selector}); !allowed) {
    return fail(allowed);
  }
  const auto current = head.groups().find(group.name);
  if (current != head.groups().end()) {
    const Scope scope{{LayerKind::group, group.name}, current->second->selector};
    if (auto allowed = check_reach(reach, head, scope); !allowed) return fail(allowed);
  }
  PlannedWrite write;
  Edit edit = head.edit(EntityKind::group, group.name, group.to_json());
  if (edit.before != edit.after) write.edits.push_back(std::move(edit));
  write.answer = write_answer(write.edits, {}, head.device_index().count(group.selector));
  return write;
}

Result<PlannedWrite> removal_of_group(const FleetState& head, const std::string& name, const Reach& reach) {
  const auto current = head.groups().find(name);
  if (current == head.groups().end()) {
    return fail(ErrorCode::not_found, fmt::format("no group is called '{}'", name));
  }
  const protocol::Selector& selector = current->second->selector;
  if (auto allowed = check_reach(reach, head, {{LayerKind::group, name}, selector}); !allowed)
    return fail(allowed);
  PlannedWrite write;
  write.edits.push_back(head.edit(EntityKind::group, name, Json()));
  for (const auto kind : {LayerKind::group, LayerKind::policy_group}) {
    const LayerId layer{kind, name};
    for (const auto& [key, entry] : head.layer(layer)) {
      write.edits.push_back(setting_edit(head, layer, key, Json()));
    }
  }
  if (auto free = check_not_rolled_out(head, write.edits); !free) return fail(free);
  write.answer = write_answer(write.edits, {}, head.device_index().count(selector));
  return write;
}

}  // namespace

void Groups::add_to(Router& router) {
  router.add({http::Method::get,
              "/api/v1/groups",
              {Role::viewer},
              {"limit", "after"},
              [this](const Call& call) { return list(call); },
              true,
              true});
  router.add({http::Method::put, "/api/v1/groups/{name}", {Role::operator_}, {}, [this](Call& call) {
                return put(call);
              }});
  router.add({http::Method::del, "/api/v1/groups/{name}", {Role::operator_}, {"reason"}, [this](Call& call) {
                return remove(call);
              }});
}

Reply Groups::list(const Call& call) {
  const auto page = PageRequest::of(call);
  if (!page) return fail(page);
  const auto& groups = call.fleet->groups();
  JsonArray items;
  std::string last;
  auto at = groups.upper_bound(page->after);
  for (; at != groups.end() && items.size() < page->limit; ++at) {
    last = at->first;
    const Group& group = *at->second;
    items.push_back(JsonObject{{"name", group.name},
                               {"selector", group.selector.canonical()},
                               {"priority", group.priority},
                               {"devices", call.fleet->device_index().count(group.selector)}});
  }
  return page_response(std::move(items), at == groups.end() ? std::nullopt : std::optional(last));
}

asio::awaitable<Reply> Groups::put(Call& call) {
  const auto body = call.object({"selector", "priority", "reason"});
  if (!body) co_return fail(body);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  const JsonReader reader(*body);
  const auto text = reader.string("selector", 512);
  if (!text) co_return fail(text);
  auto selector = protocol::Selector::parse(*text);
  if (!selector) co_return fail(ErrorCode::invalid_argument, selector.error().message, "/selector");
  const auto priority = reader.optional_integer("priority");
  if (!priority) co_return fail(priority);
  Group group{call.value("name"), std::move(*selector), priority->value_or(0)};
  if (auto named = check_name(group.name, group.selector); !named) co_return fail(named);
  Writer::Write write{call.fleet_name, "group.put", *reason,
                      [group = std::move(group), reach = call.reach](const FleetState& head) {
                        return plan_put(head, group, reach);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Groups::remove(Call& call) {
  const auto reason = call.reason();
  if (!reason) co_return fail(reason);
  Writer::Write write{call.fleet_name, "group.remove", *reason,
                      [name = call.value("name"), reach = call.reach](const FleetState& head) {
                        return removal_of_group(head, name, reach);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

}  // namespace starling::hub
