#include "hub/api/settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "hub/api/authentication.hpp"
#include "hub/api/listing.hpp"
#include "hub/api/setting_writes.hpp"
#include "hub/api/visibility.hpp"
#include "hub/device_link/reported_module.hpp"
#include "hub/device_link/running_release.hpp"
#include "protocol/modules_document.hpp"
#include "protocol/software_document.hpp"

namespace starling::hub {

namespace {

using protocol::LayerId;

std::map<std::string, Json> by_key(const JsonObject& object) {
  std::map<std::string, Json> values;
  for (const auto& [key, value] : object)
    values.emplace(std::string(key), value);
  return values;
}

Result<SettingsWrite> write_of(const JsonObject& body) {
  const JsonReader reader(body);
  SettingsWrite write;
  const auto values = reader.object("values");
  if (!values) return fail(values);
  write.values = by_key(**values);
  const auto expected = reader.optional_object("expected");
  if (!expected) return fail(expected);
  if (*expected != nullptr) write.expected = by_key(**expected);
  auto target = target_of(body);
  if (!target) return fail(target);
  write.target = std::move(*target);
  return write;
}

// By a device, of one setting.
struct Told {
  SyncStatus sync{};  // of its section, until more is known
  std::optional<Json> running;
  std::string why;  // it is refused
};

bool is_refusal(SyncStatus status) {
  return status == SyncStatus::refused || status == SyncStatus::reverted;
}

std::string reasons_in(const std::vector<protocol::KeyError>& errors, std::string_view key) {
  std::string reasons;
  for (const protocol::KeyError& error : errors) {
    if (!error.key.empty() && error.key != key) continue;
    reasons += fmt::format("{}{}", reasons.empty() ? "" : "; ", error.message);
  }
  return reasons;
}

// That others of its document are refused is no matter of one that is there.
void tell_of_setting(Told& told, const DeviceFacts& facts, const DesiredSection& wanted,
                     const std::string& key, const Json& effective) {
  if (wanted.holds_back(key)) {
    if (told.sync != SyncStatus::offline) told.sync = SyncStatus::refused;
    told.why = reasons_of(facts.quarantine, {key}).front().message;
  } else if (!is_refusal(told.sync)) {
    return;
  } else if (told.running && *told.running == effective) {
    told.sync = SyncStatus::in_sync;
  } else {
    told.why = reasons_in(facts.errors, key);
    const std::string persona(protocol::persona_active_key);
    if (told.why.empty() && wanted.holds_back(persona))
      told.why = "with the persona: " + reasons_of(facts.quarantine, {persona}).front().message;
  }
}

// Of one module it tells more: that another one of the section is refused, or tried, is no matter of this.
void tell_of_module(Told& told, const DeviceFacts& facts, const std::string& key, const Json& effective) {
  const JsonObject* module = reported_module(facts, protocol::module_of(key).value_or(""));
  const Json* enabled = module == nullptr ? nullptr : module->if_contains("enabled");
  if (enabled == nullptr) return;
  told.running = *enabled;
  const bool by_others = is_refusal(told.sync) || told.sync == SyncStatus::provisional;
  const bool is_refused = std::ranges::any_of(facts.module_errors, [&](const protocol::KeyError& error) {
    return error.key == key || !protocol::module_of(error.key);
  });
  const bool as_desired = effective.is_null() || *enabled == effective;
  if (by_others && !is_refused && as_desired && is_settled(*module)) told.sync = SyncStatus::in_sync;
  if (is_refused) told.why = reasons_in(facts.module_errors, key);
}

Reply shown_differences(const std::vector<Difference>& differences) {
  JsonArray items;
  for (const Difference& difference : differences) {
    items.push_back(JsonObject{{"key", difference.key},
                               {"left", difference.left},
                               {"right", difference.right},
                               {"left_layer", text_or_null(difference.left_layer)},
                               {"right_layer", text_or_null(difference.right_layer)}});
  }
  return http::json_response(JsonObject{{"items", std::move(items)}});
}

// The device that a query parameter names, by UUID or name.
Result<const Device*> queried_device(const Call& call, std::string_view parameter) {
  const auto name = call.query(parameter);
  if (!name) {
    return fail(ErrorCode::invalid_argument, fmt::format("the query parameter '{}' is missing", parameter));
  }
  auto device = find_device(*call.fleet, std::string(*name));
  if (device && !call.reach.covers(**device)) {
    return fail(ErrorCode::not_found, fmt::format("no device has the UUID or name '{}'", *name));
  }
  return device;
}

JsonObject history_entry(const Change& change, const Edit& edit, const SettingId& id) {
  return JsonObject{{"revision", change.revision},
                    {"at", to_rfc3339(WallTime(Milliseconds(change.at_ms)))},
                    {"by", change.principal_name.empty() ? change.principal : change.principal_name},
                    {"action", change.action},
                    {"reason", change.reason},
                    {"layer", id.layer.text()},
                    {"before", edit.before},
                    {"after", edit.after}};
}

}  // namespace

void Settings::add_to(Router& router) {
  const auto read = [&](const char* path, Access access, std::vector<std::string_view> query,
                        asio::awaitable<Reply> (Settings::*handler)(Call&)) {
    router.add({http::Method::get, path, access, std::move(query),
                [this, handler](Call& call) { return (this->*handler)(call); }, true, true});
  };
  read("/api/v1/settings", {Role::viewer}, {"layer", "limit", "after"}, &Settings::list);
  read("/api/v1/settings/explain", {Role::viewer, true}, {"device", "key"}, &Settings::explain_one);
  read("/api/v1/settings/diff", {Role::viewer}, {"device", "other", "from", "to"}, &Settings::diff);
  read("/api/v1/settings/history", {Role::viewer}, {"key", "layer", "limit", "after"}, &Settings::history);
  router.add({http::Method::put, "/api/v1/settings", {Role::guardian}, {}, [this](Call& call) {
                return put(call);
              }});
  router.add({http::Method::post, "/api/v1/settings/rollback", {Role::operator_}, {}, [this](Call& call) {
                return rollback(call);
              }});
}

asio::awaitable<Reply> Settings::list(Call& call) {
  const auto page = PageRequest::of(call);
  if (!page) co_return fail(page);
  std::optional<LayerId> only;
  if (const auto text = call.query("layer")) {
    auto layer = LayerId::parse(*text);
    if (!layer) co_return fail(layer, "query parameter 'layer'");
    only = std::move(*layer);
  }
  // Collected before anything is waited for: the state may move on meanwhile. The cursor is an entry's id.
  struct Entry {
    SettingId id;
    protocol::LayerEntry entry;
  };
  std::vector<Entry> entries;
  bool more = false;
  SettingId after;
  if (!page->after.empty()) {
    auto parsed = SettingId::parse(page->after);
    if (!parsed)
      co_return fail(ErrorCode::invalid_argument, "query parameter 'after' is no cursor of this list");
    after = std::move(*parsed);
  }
  const auto& layers = call.fleet->layers();
  auto at = only                  ? layers.find(*only)
            : page->after.empty() ? layers.begin()
                                  : layers.lower_bound(after.layer);
  for (; at != layers.end() && !more; ++at) {
    if (only && at->first != *only) break;
    if (!layer_visible(*call.fleet, call.reach, at->first)) continue;
    const auto& values = at->second.values;
    auto value =
        !page->after.empty() && at->first == after.layer ? values.upper_bound(after.key) : values.begin();
    for (; value != values.end(); ++value) {
      if (entries.size() == page->limit) {
        more = true;
        break;
      }
      entries.push_back({{at->first, value->first}, value->second});
    }
  }
  JsonArray items;
  for (const Entry& entry : entries) {
    const auto change = co_await services_.log.change(call.fleet_name, entry.entry.revision);
    if (!change) co_return fail(change);
    const Change& written = **change;
    items.push_back(
        JsonObject{{"layer", entry.id.layer.text()},
                   {"key", entry.id.key},
                   {"value", entry.entry.value},
                   {"revision", entry.entry.revision},
                   {"at", to_rfc3339(WallTime(Milliseconds(written.at_ms)))},
                   {"by", written.principal_name.empty() ? written.principal : written.principal_name}});
  }
  co_return page_response(std::move(items), more ? std::optional(entries.back().id.text()) : std::nullopt);
}

asio::awaitable<Reply> Settings::put(Call& call) {
  const auto body = call.object({"values", "target", "expected", "reason"});
  if (!body) co_return fail(body);
  const auto reason = call.reason(&*body);
  if (!reason) co_return fail(reason);
  auto write = write_of(*body);
  if (!write) co_return fail(write);
  Reach reach = call.reach;
  if (!write->target.policy) {
    // A guardian may write policy only.
    auto as_operator = Authentication::reach(call.principal, {Role::operator_}, call.fleet_name);
    if (!as_operator) co_return fail(as_operator);
    reach = std::move(*as_operator);
  }
  Writer::Write change{call.fleet_name, "settings.set", *reason,
                       setting_write_planner(std::move(*write), std::move(reach))};
  co_return co_await services_.writer.write(call, std::move(change));
}

// As the device reported it. It keeps a release that nobody wants any more.
std::optional<Json> Settings::running_value(const DeviceRecord* record, protocol::Section section,
                                            const std::string& key) const {
  if (record == nullptr) return std::nullopt;
  if (section == protocol::Section::software) {
    const std::string release = running_release(record);
    return release.empty() ? std::nullopt : std::optional<Json>(release);
  }
  const SharedSection running = services_.hub.documents().recent(record->section(section).running);
  const Json* value = running ? running->value(key) : nullptr;
  return value == nullptr ? std::nullopt : std::optional(*value);
}

asio::awaitable<Reply> Settings::explain_one(Call& call) {
  const auto device = queried_device(call, "device");
  if (!device) co_return fail(device);
  const auto key = call.query("key");
  if (!key) co_return fail(ErrorCode::invalid_argument, "the query parameter 'key' is missing");
  const auto explanation = explain(*call.fleet, **device, std::string(*key));
  if (!explanation) co_return fail(explanation);
  JsonObject answer{{"key", explanation->key},
                    {"alias", text_or_null(explanation->alias)},
                    {"effective", explanation->effective},
                    {"winner", explanation->winner.text()}};
  const auto section = protocol::is_module_key(explanation->key)            ? protocol::Section::modules
                       : explanation->key == protocol::software_release_key ? protocol::Section::software
                                                                            : protocol::Section::settings;
  const DeviceRecord* record = services_.hub.records().find((*device)->id);
  Told told{services_.hub.sessions().sync_statuses(**device).section(section),
            running_value(record, section, explanation->key), ""};
  if (record != nullptr) {
    const DeviceFacts facts = DeviceFacts::parse(record->facts).value_or(DeviceFacts{});
    const SharedSection settings = services_.description.desired(*call.fleet, **device).settings;
    if (section == protocol::Section::modules)
      tell_of_module(told, facts, explanation->key, explanation->effective);
    if (section == protocol::Section::settings)
      tell_of_setting(told, facts, *settings, explanation->key, explanation->effective);
  }
  answer["sync"] = to_string(told.sync);
  if (!told.why.empty()) answer["why"] = told.why;
  if (told.running) answer["running"] = *std::move(told.running);
  JsonArray stack;
  for (const StackedValue& stacked : explanation->stack) {
    JsonObject entry{{"layer", stacked.layer.text()},
                     {"value", stacked.value},
                     {"revision", stacked.revision},
                     {"at", nullptr},
                     {"by", nullptr},
                     {"reason", nullptr},
                     {"in_force", stacked.in_force}};
    if (!stacked.rollout.empty()) entry["rollout"] = stacked.rollout;
    if (stacked.revision > 0) {
      const auto change = co_await services_.log.change(call.fleet_name, stacked.revision);
      if (!change) co_return fail(change);
      const Change& written = **change;
      entry["at"] = to_rfc3339(WallTime(Milliseconds(written.at_ms)));
      entry["by"] = written.principal_name.empty() ? written.principal : written.principal_name;
      entry["reason"] = written.reason;
    }
    stack.push_back(std::move(entry));
  }
  answer["stack"] = std::move(stack);
  co_return http::json_response(answer);
}

asio::awaitable<Reply> Settings::diff(Call& call) {
  const auto from = call.query_integer("from", 0, INT64_MAX);
  if (!from) co_return fail(from);
  const auto to = call.query_integer("to", 0, INT64_MAX);
  if (!to) co_return fail(to);
  const bool moments = *from && *to;
  const bool other = call.query("other").has_value();
  if (moments == other || from->has_value() != to->has_value()) {
    co_return fail(ErrorCode::invalid_argument,
                   "compare two devices with 'device' and 'other', or two revisions with 'from' and 'to'");
  }
  std::string device_id;
  if (call.query("device") || other) {
    const auto device = queried_device(call, "device");
    if (!device) co_return fail(device);
    device_id = (*device)->id;
  }
  if (moments) co_return co_await diff_moments(call, **from, **to, device_id);
  const auto second = queried_device(call, "other");
  if (!second) co_return fail(second);
  const Device& first = *call.fleet->device(device_id);
  co_return shown_differences(
      diff_devices({*call.fleet, first, services_.description.declared(*call.fleet, first)},
                   {*call.fleet, **second, services_.description.declared(*call.fleet, **second)}));
}

asio::awaitable<Reply> Settings::diff_moments(Call& call, std::int64_t from, std::int64_t to,
                                              std::string device_id) {
  const auto left = co_await services_.log.state_at(call.fleet_name, from);
  if (!left) co_return fail(left);
  const auto right = co_await services_.log.state_at(call.fleet_name, to);
  if (!right) co_return fail(right);
  if (device_id.empty()) {
    auto differences = diff_layers(*left, *right);
    std::erase_if(differences, [&](const Difference& difference) {
      const auto layer =
          LayerId::parse(difference.left_layer.empty() ? difference.right_layer : difference.left_layer);
      return !layer || is_device_layer(*layer);
    });
    co_return shown_differences(differences);
  }
  const Device* before = left->device(device_id);
  const Device* after = right->device(device_id);
  if (before == nullptr || after == nullptr) {
    co_return fail(ErrorCode::not_found,
                   fmt::format("at revision {} there was no such device", before == nullptr ? from : to));
  }
  const Device* now = call.fleet->device(device_id);
  const Declared declared = services_.description.declared(*call.fleet, now == nullptr ? *after : *now);
  co_return shown_differences(diff_devices({*left, *before, declared}, {*right, *after, declared}));
}

asio::awaitable<Reply> Settings::history(Call& call) {
  // A page reads no more than this from the log, so that a rare key never holds up the others.
  constexpr std::size_t max_pages = 10;
  constexpr std::size_t page_size = 500;
  const auto page = PageRequest::of(call);
  if (!page) co_return fail(page);
  const auto name = call.query("key");
  if (!name) co_return fail(ErrorCode::invalid_argument, "the query parameter 'key' is missing");
  const auto* schema = call.fleet->catalog().find(*name);
  const std::string key = schema == nullptr ? std::string(*name) : schema->key;
  const std::string layer(call.query("layer").value_or(""));
  ChangeQuery query;
  query.fleet = call.fleet_name;
  query.limit = page_size;
  query.newest_first = true;
  query.kind = EntityKind::setting;
  if (!layer.empty()) query.id_prefix = layer + " " + key;
  const auto cursor = call.query_integer("after", 1, INT64_MAX);
  if (!cursor) co_return fail(cursor);
  if (*cursor) query.until = **cursor - 1;

  JsonArray items;
  std::optional<std::string> next;
  for (std::size_t pages = 0; pages < max_pages; ++pages) {
    const auto changes = co_await services_.log.read_changes(query);
    if (!changes) co_return fail(changes);
    for (const SharedChange& change : *changes) {
      for (const Edit& edit : change->edits) {
        const auto id = edit.kind == EntityKind::setting ? SettingId::parse(edit.id) : Result<SettingId>();
        if (edit.kind != EntityKind::setting || !id || id->key != key) continue;
        if (!layer.empty() && id->layer.text() != layer) continue;
        if (!layer_visible(*call.fleet, call.reach, id->layer)) continue;
        items.push_back(history_entry(*change, edit, *id));
      }
      query.until = change->revision - 1;
      if (items.size() >= page->limit) break;
    }
    const bool end = changes->size() < page_size && items.size() < page->limit;
    next = end || query.until < 1 ? std::nullopt : std::optional(std::to_string(query.until + 1));
    if (!next || items.size() >= page->limit) break;
  }
  co_return page_response(std::move(items), std::move(next));
}

}  // namespace starling::hub
