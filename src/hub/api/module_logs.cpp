#include "hub/api/module_logs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_text.hpp"
#include "hub/settings/wanted_modules.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_queued_bytes = 512 * 1024;
constexpr Seconds ping_interval{15};

JsonArray shown(const std::vector<protocol::LogLine>& lines) {
  JsonArray array;
  for (const protocol::LogLine& line : lines) {
    array.push_back(JsonObject{{"at", shown_time(line.at_ms)}, {"stream", line.stream}, {"text", line.text}});
  }
  return array;
}

}  // namespace

struct ModuleLogs::Reader {
  Principal principal;
  Reach reach;
  std::string fleet;
  std::string device_id;
  protocol::LogFollow request;
  std::shared_ptr<http::EventStream> events;
};

ModuleLogs::~ModuleLogs() {
  *alive_ = false;
}

void ModuleLogs::add_to(Router& router) {
  router.add({http::Method::get,
              "/api/v1/devices/{uuid}/modules/{module}/logs",
              {Role::operator_},
              {"lines", "follow"},
              [this](const Call& call) { return open(call); }});
}

Reply ModuleLogs::open(const Call& call) {
  const auto device = call.device();
  if (!device) return fail(device);
  const auto lines = call.query_integer("lines", 0, protocol::max_log_lines);
  if (!lines) return fail(lines);
  const auto follow = call.query_boolean("follow");
  if (!follow) return fail(follow);
  const std::string& module = call.value("module");
  const DeviceRecord* record = services_.hub.records().find((*device)->id);
  const std::string_view names = record == nullptr ? std::string_view() : record->module_names;
  const std::vector<std::string_view> modules = split_names(names);
  if (std::ranges::find(modules, module) == modules.end()) {
    return fail(ErrorCode::not_found, fmt::format("this device has no module '{}'", module));
  }
  if (!services_.hub.sessions().has_handshaken((*device)->id)) {
    return fail(ErrorCode::unavailable, "the device is offline: its logs are read through its link");
  }
  auto reader = std::make_shared<Reader>();
  reader->principal = call.principal;
  reader->reach = call.reach;
  reader->fleet = call.fleet_name;
  reader->device_id = (*device)->id;
  reader->request = {{}, module, lines->value_or(100), follow->value_or(false)};
  http::Response response;
  response.stream = [this, alive = alive_, reader](std::shared_ptr<http::EventStream> events) {
    if (!*alive) return events->close();
    reader->events = std::move(events);
    start(reader);
  };
  return response;
}

void ModuleLogs::start(const SharedReader& reader) {
  auto follow = services_.hub.sessions().follow_log(
      reader->device_id, reader->request,
      [this, alive = alive_, weak = std::weak_ptr(reader)](const protocol::LogLines& lines, bool link_lost) {
        const SharedReader waiting = weak.lock();
        if (*alive && waiting) read(waiting, lines, link_lost);
      });
  if (!follow) return end(*reader, follow.error().message, follow.error().code == ErrorCode::unavailable);
  reader->request.id = std::move(*follow);
  readers_.push_back(reader);
}

void ModuleLogs::read(const SharedReader& reader, const protocol::LogLines& lines, bool link_lost) {
  if (reader->events->closed()) return;
  if (!lines.lines.empty()) {
    reader->events->send("log", {}, json_text(JsonObject{{"lines", shown(lines.lines)}}));
  }
  if (lines.ended) return end(*reader, lines.message, link_lost);
  if (reader->events->queued_bytes() <= max_queued_bytes) return;
  services_.hub.sessions().stop_log(reader->device_id, reader->request.id);
  end(*reader, "you read more slowly than the module writes: lines would be missing from here on");
}

// Taken out of the readers by the next tick.
void ModuleLogs::end(Reader& reader, std::string_view why, bool link_lost) {
  reader.events->send("end", {}, json_text(JsonObject{{"message", why}, {"link_lost", link_lost}}));
  reader.events->close();
}

// As when the log was opened: the key is the same, and the device in its reach.
bool ModuleLogs::may_read(const Reader& reader) const {
  const FleetState* fleet = services_.log.log().published(reader.fleet);
  const Device* device = fleet == nullptr ? nullptr : fleet->device(reader.device_id);
  if (device == nullptr || !reader.reach.covers(*device)) return false;
  const auto& opened_with = reader.principal.key;
  if (!opened_with) return true;
  const FleetState* home = services_.log.log().published(reader.principal.home_fleet);
  if (home == nullptr) return false;
  const auto key = home->keys().find(opened_with->id);
  if (key == home->keys().end() || key->second != opened_with) return false;
  return opened_with->expires_at_ms == 0 || opened_with->expires_at_ms > services_.now_ms();
}

void ModuleLogs::tick() {
  for (const SharedReader& reader : readers_) {
    if (!reader->events->closed() && !may_read(*reader)) end(*reader, "you may not read this any more");
    if (reader->events->closed()) services_.hub.sessions().stop_log(reader->device_id, reader->request.id);
  }
  std::erase_if(readers_, [](const SharedReader& reader) { return reader->events->closed(); });
  const SteadyTime now = services_.clock.steady();
  if (now < next_ping_) return;
  next_ping_ = now + ping_interval;
  for (const SharedReader& reader : readers_)
    reader->events->send_comment("ping");
}

void ModuleLogs::stop() {
  for (const SharedReader& reader : readers_)
    reader->events->close();
  readers_.clear();
}

}  // namespace starling::hub
