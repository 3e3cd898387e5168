#include "hub/api/modules.hpp"

#include <algorithm>
#include <set>

#include "hub/api/listing.hpp"
#include "hub/api/queried_scope.hpp"
#include "hub/api/visibility.hpp"
#include "hub/settings/wanted_modules.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t read_in_a_turn = 32;
constexpr std::size_t newest_shown = 3;

using CrashKinds = std::vector<const ModuleTally::CrashKind*>;

CrashKinds newest_first(const ModuleTally& tally, std::string_view module) {
  CrashKinds kinds;
  for (auto at = tally.crashes().lower_bound({std::string(module), ""}); at != tally.crashes().end(); ++at) {
    if (!module.empty() && at->first.first != module) break;
    kinds.push_back(&at->second);
  }
  std::ranges::stable_sort(kinds, std::greater(), [](const auto* kind) { return kind->all.last_ms; });
  return kinds;
}

JsonObject shown(const ModuleTally::CrashKind& kind) {
  JsonArray releases;
  for (const auto& [release, devices] : kind.releases)
    releases.push_back(JsonObject{{"version", release}, {"devices", devices}});
  return JsonObject{{"module", kind.all.module},
                    {"fingerprint", kind.all.fingerprint},
                    {"class", kind.all.death_class},
                    {"text", kind.all.text},
                    {"confidence", kind.all.confidence},
                    {"devices", kind.devices},
                    {"deaths", kind.all.deaths},
                    {"first_seen", shown_time(kind.all.first_ms)},
                    {"last_seen", shown_time(kind.all.last_ms)},
                    {"first_release", kind.first_release},
                    {"releases", std::move(releases)}};
}

JsonObject shown(const std::string& name, const ModuleTally::Module& module, const ModuleTally& tally) {
  JsonObject by_state;
  for (const auto& [state, devices] : module.by_state)
    by_state[state] = devices;
  std::int64_t deaths = 0;
  JsonArray newest;
  for (const auto* kind : newest_first(tally, name)) {
    deaths += kind->all.deaths;
    if (newest.size() < newest_shown) newest.push_back(shown(*kind));
  }
  return JsonObject{{"module", name},
                    {"devices", module.devices},
                    {"enabled", module.enabled},
                    {"failing", module.failing},
                    {"by_state", std::move(by_state)},
                    {"cpu_percent", static_cast<double>(module.use.cpu_centipercent) / 100},
                    {"memory_kb", module.use.memory_kb},
                    {"deaths", deaths},
                    {"crashes", std::move(newest)}};
}

// As times are written in the API.
JsonObject shown(JsonObject reported) {
  const auto since_ms = JsonReader(reported).optional_integer("since_ms");
  reported.erase("since_ms");
  if (since_ms && *since_ms) reported["since"] = shown_time(**since_ms);
  return reported;
}

// One module of a device: what is desired beside what is reported, and whether the two say the same.
JsonObject shown(std::string_view name, const WantedModule* wanted, const Json* reported, bool on_device) {
  JsonObject module{{"module", name},
                    {"on_device", on_device},
                    {"desired", nullptr},
                    {"reported", reported == nullptr ? Json() : Json(shown(reported->get_object()))},
                    {"differs", false}};
  if (wanted == nullptr) return module;
  module["desired"] = JsonObject{
      {"enabled", wanted->enabled}, {"layer", wanted->layer.text()}, {"revision", wanted->revision}};
  const Json* enabled = reported == nullptr ? nullptr : reported->get_object().if_contains("enabled");
  module["differs"] = enabled != nullptr && *enabled != Json(wanted->enabled);
  return module;
}

// Why a device has the module in quarantine.
std::optional<std::string> quarantine_of(const DeviceRecord& record, std::string_view key) {
  if (!record.modules.refused) return std::nullopt;
  const DeviceFacts facts = DeviceFacts::parse(record.facts).value_or(DeviceFacts{});
  const auto error = std::ranges::find(facts.module_errors, key, &protocol::KeyError::key);
  return error == facts.module_errors.end() ? std::nullopt : std::optional(error->message);
}

JsonArray layers_with(const FleetState& state, const Reach& reach, const std::string& key) {
  JsonArray layers;
  for (const auto& [id, layer] : state.layers()) {
    const bool says = layer.values.contains(key) && layer_visible(state, reach, id);
    if (says && layers.size() < max_listed) layers.emplace_back(id.text());
  }
  return layers;
}

Result<protocol::Selector> selector_of(const Call& call) {
  auto selector = protocol::Selector::parse(call.query("selector").value_or(""));
  if (!selector) return fail(selector, "query parameter 'selector'");
  return selector;
}

// Those that a selector and the grant leave.
Places meant(const Call& call, const protocol::Selector& selector) {
  Places places = call.fleet->device_index().matching(selector);
  return call.reach.unrestricted() ? places : common(std::move(places), call.reach.covered(*call.fleet));
}

// Devices, all of them counted and the first of them listed.
struct Listed {
  std::size_t count = 0;
  JsonArray first;

  void add(const Device& device, JsonObject entry) {
    entry["device"] = device.id;
    entry["name"] = device.name;
    if (++count <= max_listed) first.push_back(std::move(entry));
  }
};

}  // namespace

void Modules::add_to(Router& router) {
  router.add({http::Method::get,
              "/api/v1/devices/{uuid}/modules",
              {Role::viewer, true},
              {},
              [this](const Call& call) { return of_device(call); },
              true,
              true});
  router.add({http::Method::get,
              "/api/v1/modules",
              {Role::viewer},
              {"selector", "limit", "after"},
              [this](Call& call) { return overview(call); },
              true,
              true});
  router.add({http::Method::get,
              "/api/v1/modules/{module}",
              {Role::viewer},
              scope_queries(),
              [this](Call& call) { return whereabouts(call); },
              true,
              true});
  router.add({http::Method::get,
              "/api/v1/crashes",
              {Role::viewer},
              {"selector", "module", "limit"},
              [this](Call& call) { return crashes(call); },
              true,
              true});
}

Reply Modules::of_device(const Call& call) {
  const auto device = call.device();
  if (!device) return fail(device);
  const DeviceRecord* record = services_.hub.records().find((*device)->id);
  DeviceFacts facts;
  if (record != nullptr) facts = DeviceFacts::parse(record->facts).value_or(DeviceFacts{});
  const std::string declared = record == nullptr ? std::string() : record->module_names;
  const WantedModules wanted = wanted_modules(call.fleet->stack(**device), declared);
  const Json* told = facts.reported.if_contains("modules");
  const JsonObject none;
  const JsonObject& reported = told != nullptr && told->is_object() ? told->get_object() : none;
  std::set<std::string_view> on_device;
  for (const std::string_view name : split_names(declared))
    on_device.insert(name);
  std::set<std::string_view> names = on_device;
  for (const auto& [name, report] : reported) {
    if (report.is_object()) names.insert(name);
  }
  JsonArray items;
  for (const std::string_view name : names) {
    const auto desired = wanted.find(name);
    const Json* report = reported.if_contains(name);
    const bool known = report != nullptr && report->is_object();
    // A folder whose name no module can have is not declared, and lies there all the same.
    const bool there = on_device.contains(name) || !protocol::valid_module_name(name);
    items.push_back(
        shown(name, desired == wanted.end() ? nullptr : &desired->second, known ? report : nullptr, there));
  }
  const DesiredDocument document = services_.description.desired(*call.fleet, **device);
  return http::json_response(
      JsonObject{{"device", (*device)->id},
                 {"status", services_.description.status(**device)},
                 {"sync", services_.description.modules_sync(**device, document, record, facts)},
                 {"items", std::move(items)}});
}

asio::awaitable<Result<ModuleTally>> Modules::tally(const Call& call) {
  const auto selector = selector_of(call);
  if (!selector) co_return fail(selector);
  DeviceRecords& records = services_.hub.records();
  if (selector->empty() && call.reach.unrestricted()) {
    co_await count_modules(services_);
    co_return records.modules(call.fleet_name);
  }
  const FleetState& state = *call.fleet;
  const Places places = meant(call, *selector);
  ModuleTally tally;
  std::size_t read = 0;
  for (const Place place : places) {
    // Another device may have taken the place while others had their turn.
    const Device* device = state.device_index().at(place);
    if (device == nullptr || !call.reach.covers(*device)) continue;
    const DeviceRecord* record = records.find(device->id);
    const auto facts = DeviceFacts::parse(record == nullptr ? std::string_view() : record->facts);
    if (facts) tally.add(ModulesReport::of(*facts));
    if (++read % read_in_a_turn == 0) co_await services_.log.yield();
  }
  co_return tally;
}

asio::awaitable<std::int64_t> Modules::offline(const Call& call, const protocol::Selector& selector) {
  const FleetState& state = *call.fleet;
  FleetStandings& standings = services_.standings.of(state);
  std::int64_t offline = 0;
  for (const Place place : meant(call, selector)) {
    // Another device may have taken the place while others had their turn.
    const Device* device = state.device_index().at(place);
    if (device == nullptr || !call.reach.covers(*device)) continue;
    const DeviceRecord* record = services_.hub.records().find(device->id);
    const bool has_modules = record != nullptr && !record->module_names.empty();
    if (has_modules && standings.is_offline(place)) ++offline;
    if (standings.turn_is_over()) co_await services_.log.yield();
  }
  co_return offline;
}

asio::awaitable<Reply> Modules::overview(Call& call) {
  const auto page = PageRequest::of(call);
  if (!page) co_return fail(page);
  const auto selector = selector_of(call);
  if (!selector) co_return fail(selector);
  const auto counted = co_await tally(call);
  if (!counted) co_return fail(counted);
  JsonArray items;
  std::optional<std::string> next;
  for (auto at = counted->modules().upper_bound(page->after); at != counted->modules().end(); ++at) {
    if (items.size() == page->limit) {
      next = std::string(items.back().at("module").get_string());
      break;
    }
    items.push_back(shown(at->first, at->second, *counted));
  }
  const std::int64_t away = co_await offline(call, *selector);
  co_return http::json_response(
      JsonObject{{"items", std::move(items)}, {"next", text_or_null(next.value_or(""))}, {"offline", away}});
}

asio::awaitable<Reply> Modules::whereabouts(Call& call) {
  const std::string& module = call.value("module");
  if (auto named = protocol::check_module_name(module); !named) co_return fail(named);
  const auto scope = queried_scope(call);
  if (!scope) co_return fail(scope);
  const FleetState& state = *call.fleet;
  const std::string key = protocol::enabled_key(module);
  Places places = scope->value_or(fleet_scope()).places(state);
  if (!call.reach.unrestricted()) places = common(std::move(places), call.reach.covered(state));
  Listed without, quarantined;
  std::size_t targeted = 0;
  for (const Place place : places) {
    // Another device may have taken the place while others had their turn.
    const Device* device = state.device_index().at(place);
    if (device == nullptr || !call.reach.covers(*device)) continue;
    const DeviceRecord* record = services_.hub.records().find(device->id);
    const auto names = split_names(record == nullptr ? std::string_view() : record->module_names);
    if (std::ranges::find(names, module) == names.end()) {
      without.add(*device, JsonObject());
    } else if (auto why = quarantine_of(*record, key)) {
      quarantined.add(*device, JsonObject{{"message", std::move(*why)}});
    }
    if (++targeted % read_in_a_turn == 0) co_await services_.log.yield();
  }
  co_return http::json_response(JsonObject{{"module", module},
                                           {"targeted", targeted},
                                           {"without", std::move(without.first)},
                                           {"without_count", without.count},
                                           {"quarantined", std::move(quarantined.first)},
                                           {"quarantined_count", quarantined.count},
                                           {"layers", layers_with(state, call.reach, key)}});
}

asio::awaitable<Reply> Modules::crashes(Call& call) {
  const auto limit = call.query_integer("limit", 1, 1000);
  if (!limit) co_return fail(limit);
  const auto counted = co_await tally(call);
  if (!counted) co_return fail(counted);
  const CrashKinds kinds = newest_first(*counted, call.query("module").value_or(""));
  const auto most = static_cast<std::size_t>(limit->value_or(100));
  JsonArray items;
  for (std::size_t i = 0; i < std::min(most, kinds.size()); ++i)
    items.push_back(shown(*kinds[i]));
  co_return http::json_response(JsonObject{{"items", std::move(items)}, {"count", kinds.size()}});
}

}  // namespace starling::hub
