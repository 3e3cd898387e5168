#include "hub/api/devices.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hub/api/listing.hpp"
#include "hub/device_link/device_fields.hpp"
#include "hub/device_link/running_release.hpp"
#include "hub/rollouts/rollout_edits.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t described_in_a_turn = 32;

// The first device after this id, if any; of `few` if that is set.
const Device* next_device(const FleetState& state, const std::optional<std::vector<std::string>>& few,
                          const std::string& after) {
  if (!few) {
    const auto next = state.devices().upper_bound(after);
    return next == state.devices().end() ? nullptr : next->second.get();
  }
  for (auto id = std::ranges::upper_bound(*few, after); id != few->end(); ++id) {
    if (const Device* device = state.device(*id)) return device;
  }
  return nullptr;
}

}  // namespace

struct Devices::Filter {
  protocol::Selector selector;
  std::optional<std::string> status;
  std::optional<std::string> sync;
  std::optional<std::string> release;
  std::optional<bool> problems;
};

Result<Devices::Filter> Devices::filter_of(const Call& call) {
  Filter filter;
  auto selector = protocol::Selector::parse(call.query("selector").value_or(""));
  if (!selector) return fail(selector, "query parameter 'selector'");
  filter.selector = std::move(*selector);
  if (const auto status = call.query("status")) {
    if (auto known = check_status(*status); !known) return fail(known, "query parameter 'status'");
    filter.status = *status;
  }
  if (const auto sync = call.query("sync")) {
    if (!is_sync_status(*sync)) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("query parameter 'sync': '{}' is no sync status", *sync));
    }
    filter.sync = *sync;
  }
  if (const auto release = call.query("release")) filter.release = *release;
  const auto problems = call.query_boolean("problems");
  if (!problems) return fail(problems);
  filter.problems = *problems;
  return filter;
}

namespace {

// `labels` of a patch: null removes a label.
Result<protocol::Labels> merged_labels(protocol::Labels labels, const JsonObject& patch) {
  for (const auto& [key, value] : patch) {
    const std::string name(key);
    if (value.is_null()) {
      labels.erase(name);
    } else if (value.is_string()) {
      labels[name] = std::string(value.get_string());
    } else {
      return fail(ErrorCode::invalid_argument, "a label's value is a string, or null to remove it",
                  "/labels/" + name);
    }
  }
  if (auto valid = protocol::validate_labels(labels); !valid) {
    return fail(ErrorCode::invalid_argument, valid.error().message, "/labels");
  }
  return labels;
}

struct DevicePatch {
  std::optional<std::string> name;
  std::optional<std::string> timezone;
  JsonObject labels;
};

Result<DevicePatch> patch_of(const JsonObject& body) {
  const JsonReader reader(body);
  DevicePatch patch;
  auto name = optional_name(reader, "device_name");
  if (!name) return fail(name);
  auto timezone = optional_timezone(reader);
  if (!timezone) return fail(timezone);
  const auto labels = reader.optional_object("labels");
  if (!labels) return fail(labels);
  patch.name = std::move(*name);
  patch.timezone = std::move(*timezone);
  if (*labels != nullptr) patch.labels = **labels;
  return patch;
}

Result<PlannedWrite> plan_patch(const FleetState& head, const std::string& id, const DevicePatch& patch,
                                const Reach& reach) {
  const Device* current = head.device(id);
  if (current == nullptr) return fail(ErrorCode::not_found, fmt::format("no device has the UUID '{}'", id));
  Device changed = *current;
  if (patch.name) changed.name = *patch.name;
  if (patch.timezone) changed.timezone = *patch.timezone;
  auto labels = merged_labels(changed.labels, patch.labels);
  if (!labels) return fail(labels);
  changed.labels = std::move(*labels);
  if (!reach.covers(*current) || !reach.covers(changed)) {
    return fail(ErrorCode::permission_denied, "with these labels the device would be outside your grant");
  }
  PlannedWrite write;
  Edit edit = head.edit(EntityKind::device, id, changed.to_json());
  if (edit.before != edit.after) write.edits.push_back(std::move(edit));
  write.answer = write_answer(write.edits, {}, 1);
  return write;
}

Result<PlannedWrite> removal_of_device(const FleetState& head, const std::string& id) {
  if (head.device(id) == nullptr) {
    return fail(ErrorCode::not_found, fmt::format("no device has the UUID '{}'", id));
  }
  PlannedWrite write;
  write.edits.push_back(head.edit(EntityKind::device, id, Json()));
  for (const auto kind : {protocol::LayerKind::device, protocol::LayerKind::policy_device}) {
    const protocol::LayerId layer{kind, id};
    for (const auto& [key, entry] : head.layer(layer)) {
      write.edits.push_back(setting_edit(head, layer, key, Json()));
    }
  }
  if (auto free = check_not_rolled_out(head, write.edits); !free) return fail(free);
  write.answer = write_answer(write.edits, {}, 1);
  return write;
}

}  // namespace

void Devices::add_to(Router& router) {
  for (const char* path : {"/api/v1/devices", "/api/v1/devices/"}) {
    router.add({http::Method::get,
                path,
                {Role::viewer},
                {"selector", "status", "sync", "release", "problems", "limit", "after"},
                [this](Call& call) { return list(call); },
                true,
                true});
  }
  router.add({http::Method::get,
              "/api/v1/devices/{uuid}",
              {Role::viewer, true},
              {},
              [this](const Call& call) { return get(call); },
              true,
              true});
  router.add({http::Method::patch, "/api/v1/devices/{uuid}", {Role::operator_}, {}, [this](Call& call) {
                return patch(call);
              }});
  router.add({http::Method::del, "/api/v1/devices/{uuid}", {Role::admin}, {"reason"}, [this](Call& call) {
                return remove(call);
              }});
}

asio::awaitable<Reply> Devices::list(Call& call) {
  const auto page = PageRequest::of(call);
  if (!page) co_return fail(page);
  const auto filter = filter_of(call);
  if (!filter) co_return fail(filter);
  const FleetState& state = *call.fleet;
  const auto few = few_candidates(*filter, call.reach, state);
  JsonArray items;
  std::size_t looked_at = 0;
  std::string last = page->after;
  // Looked up anew after each turn, because the fleet may change while others have theirs.
  const Device* device = next_device(state, few, last);
  while (device != nullptr && items.size() < page->limit && looked_at < max_looked_at) {
    last = device->id;
    ++looked_at;
    if (passes(*filter, call.reach, *device)) {
      items.push_back(services_.description.describe(state, *device));
      if (items.size() % described_in_a_turn == 0) co_await services_.log.yield();
    }
    device = next_device(state, few, last);
  }
  co_return page_response(std::move(items), device == nullptr ? std::nullopt : std::optional(last));
}

// If the index leaves only a few devices to look at: their ids in order.
std::optional<std::vector<std::string>> Devices::few_candidates(const Filter& filter, const Reach& reach,
                                                                const FleetState& state) {
  if (filter.selector.empty() && reach.unrestricted()) return std::nullopt;
  Places places = state.device_index().matching(filter.selector);
  if (!reach.unrestricted()) places = common(std::move(places), reach.covered(state));
  if (places.size() > max_looked_at) return std::nullopt;
  std::vector<std::string> ids;
  for (const Device* device : state.device_index().first_by_id(places, places.size()))
    ids.push_back(device->id);
  return ids;
}

bool Devices::passes(const Filter& filter, const Reach& reach, const Device& device) {
  if (!reach.covers(device) || !filter.selector.matches(device.labels)) return false;
  if (filter.status && services_.description.status(device) != *filter.status) return false;
  if (filter.release && running_release(services_.hub.records().find(device.id)) != *filter.release)
    return false;
  if (filter.problems && services_.hub.records().has_problems(device.id) != *filter.problems) return false;
  return !filter.sync || to_string(services_.hub.sessions().sync_status(device)) == *filter.sync;
}

Reply Devices::get(const Call& call) {
  const auto device = call.device();
  if (!device) return fail(device);
  return http::json_response(services_.description.describe(*call.fleet, **device));
}

asio::awaitable<Reply> Devices::patch(Call& call) {
  const auto device = call.device();
  if (!device) co_return fail(device);
  const auto body = call.object({"device_name", "timezone", "labels", "reason"});
  if (!body) co_return fail(body);
  const auto patch = patch_of(*body);
  if (!patch) co_return fail(patch);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  Writer::Write write{call.fleet_name, "device.patch", *reason,
                      [id = (*device)->id, patch = *patch, reach = call.reach](const FleetState& head) {
                        return plan_patch(head, id, patch, reach);
                      }};
  co_return co_await services_.writer.write(call, std::move(write));
}

asio::awaitable<Reply> Devices::remove(Call& call) {
  const auto device = call.device();
  if (!device) co_return fail(device);
  const auto reason = call.reason();
  if (!reason) co_return fail(reason);
  Writer::Write write{call.fleet_name, "device.remove", *reason,
                      [id = (*device)->id](const FleetState& head) { return removal_of_device(head, id); }};
  co_return co_await services_.writer.write(call, std::move(write));
}

}  // namespace starling::hub
