#include "cli/device_watch.hpp"

#include <fmt/format.h>

#include "cli/answer.hpp"
#include "cli/device_view.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

constexpr std::size_t lines_around_table = 3;
constexpr Seconds redraw_interval{5};
constexpr Seconds reload_interval{1};

std::string state_of(const JsonObject& device) {
  const std::int64_t problems = problem_count(device);
  return text_at(device, {"status"}) + ", " + text_at(device, {"sync", "status"}) +
         (problems > 0 ? ", " + counted(problems, "problem") : "");
}

}  // namespace

Result<void> DeviceWatch::load() {
  auto list = lookups_->list("/api/v1/devices", query_);
  if (!list) return fail(list);
  devices_ = array_at(*list, {"items"});
  index_.clear();
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    index_.emplace(text_at(as_object(devices_[i]), {"device_uuid"}), i);
  }
  loaded_at_ = session_.clock.steady();
  stale_ = false;
  drawn_ = false;
  return {};
}

bool DeviceWatch::on_event(const StreamEvent& event) {
  const auto data = parse_json(event.data, JsonLimits{16u << 20, 64});
  if (!data || !data->is_object()) return true;
  if (event.name == "reported") take_reported(data->get_object());
  if (event.name == "change") take_change(data->get_object());
  return true;
}

void DeviceWatch::take_reported(const JsonObject& reported) {
  const auto place = index_.find(text_at(reported, {"device"}));
  if (place == index_.end()) return;
  JsonObject& device = devices_[place->second].as_object();
  const std::string before = state_of(device);
  for (const auto& [key, value] : reported) {
    if (key == "device") continue;
    const bool status_alone = key == "sync" && value.is_string();
    if (status_alone && device["sync"].is_object()) {
      device["sync"].as_object()["status"] = value;
    } else if (status_alone) {
      device["sync"] = JsonObject{{"status", value}};
    } else {
      device[key] = value;
    }
  }
  drawn_ = false;
  stale_ = stale_ || awaits_persona(device);
  if (session_.json()) {
    session_.console.raw(compact_json(reported) + "\n");
  } else if (!session_.console.out_terminal().interactive && state_of(device) != before) {
    session_.console.line(fmt::format("{}  {}: {}", local_date(session_.clock.wall()),
                                      text_at(device, {"device_name"}), state_of(device)));
  }
}

void DeviceWatch::take_change(const JsonObject& change) {
  for (const Json& item : array_at(change, {"edits"})) {
    const JsonObject& edit = as_object(item);
    const std::string kind = text_at(edit, {"kind"});
    const bool listed = kind == "device" || kind == "group" || kind == "rollout" ||
                        text_at(edit, {"id"}).ends_with(" persona.active") ||
                        text_at(edit, {"id"}).ends_with(" software.release");
    stale_ = stale_ || listed;
  }
}

// The stream does not say which persona a device runs: the list does, once the device has reported.
bool DeviceWatch::awaits_persona(const JsonObject& device) const {
  return text_at(device, {"persona", "desired"}) != text_at(device, {"persona", "running"}) &&
         text_at(device, {"status"}) != "offline";
}

bool DeviceWatch::on_tick() {
  const SteadyTime now = session_.clock.steady();
  // A list that could not be read is tried again later; the stream's own loss is told elsewhere.
  if (stale_ && now - loaded_at_ >= reload_interval && !load()) loaded_at_ = now;
  if (now - drawn_at_ >= redraw_interval) drawn_ = false;
  draw();
  return true;
}

void DeviceWatch::draw() {
  const Terminal& terminal = session_.console.out_terminal();
  if (drawn_ || session_.json() || !terminal.interactive) return;
  const std::size_t rows = terminal.height > lines_around_table ? terminal.height - lines_around_table : 0;
  std::string text(clear_screen);
  text += device_table(devices_, session_.clock.wall(), terminal, rows);
  if (devices_.empty()) text += "no devices\n";
  session_.console.raw(text);
  drawn_ = true;
  drawn_at_ = session_.clock.steady();
}

}  // namespace starling::cli
