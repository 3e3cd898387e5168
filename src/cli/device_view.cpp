#include "cli/device_view.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"

namespace starling::cli {
namespace {

std::string when(const JsonObject& object, std::string_view member, WallTime now) {
  const std::string time = text_at(object, {member});
  return time.empty() ? std::string() : fmt::format("{} ({})", local_date(time), age(time, now));
}

std::string revision_of(const JsonObject& device, std::string_view which) {
  const Json* revision = find(device, {"sync", which});
  return revision == nullptr ? std::string("none") : show_value(*revision);
}

// "player=crashed, recorder=idle"; the rest is told by `module list`.
std::string states_of(const JsonObject& modules) {
  JsonObject states;
  for (const auto& [name, module] : modules)
    states[name] = text_at(as_object(module), {"state"});
  return joined_pairs(states, ", ");
}

// Made on the device.
std::string pending_edits(const JsonObject& device) {
  const std::int64_t count = number_at(device, {"pending_edits"});
  return count > 0 ? std::to_string(count) : std::string();
}

// What happened there: each with its reason, and when.
void add_each(Facts& facts, std::string_view title, const Json& happened, Colour colour, WallTime now) {
  const JsonArray all = happened.is_array() ? happened.get_array() : JsonArray{happened};
  for (const Json& each : all) {
    const JsonObject& one = as_object(each);
    std::string text = text_at(one, {"message"});
    if (text.empty()) text = text_at(one, {"text"});
    if (text.empty()) text = show_value(each);
    if (find(one, {"at_ms"}) != nullptr)
      text += fmt::format(" ({})", age(WallTime(Milliseconds(number_at(one, {"at_ms"}))), now));
    facts.emplace_back(title, Cell(std::move(text), colour));
  }
}

// "61.5 °C, 0.2 of 0.4 GB of memory and 3.1 of 14.5 GB of disk are free"
void add_board(Facts& facts, const JsonObject& board) {
  const auto gigabytes = [&board](std::string_view member) {
    constexpr double kb_in_gb = 1024.0 * 1024.0;
    return static_cast<double>(number_at(board, {member})) / kb_in_gb;
  };
  std::string text;
  if (const Json* temperature = find(board, {"temperature_c"})) text = show_value(*temperature) + " °C, ";
  text += fmt::format("{:.1f} of {:.1f} GB of memory and {:.1f} of {:.1f} GB of disk are free",
                      gigabytes("memory_available_kb"), gigabytes("memory_total_kb"),
                      gigabytes("disk_free_kb"), gigabytes("disk_total_kb"));
  if (find(board, {"memory_total_kb"}) == nullptr) text = show_value(Json(board));
  facts.emplace_back("board", text);
  facts.emplace_back("board alerts", Cell(joined(array_at(board, {"alerts"})), Colour::red));
  if (flag_at(board, {"was_under_voltage"}))
    facts.emplace_back("", "its supply was too weak since it booted");
  if (flag_at(board, {"was_throttled"})) facts.emplace_back("", "it was throttled since it booted");
}

void add_reported(Facts& facts, std::string_view key, const Json& value, WallTime now) {
  if (key == "modules") {
    facts.emplace_back("modules", states_of(as_object(value)));
  } else if (key == "drift") {
    add_each(facts, "drift", value, Colour::red, now);
  } else if (key == "put_right") {
    add_each(facts, "put right", value, Colour::plain, now);
  } else if (key == "alerts") {
    add_each(facts, "alert", value, Colour::yellow, now);
  } else if (key == "board" && value.is_object()) {
    add_board(facts, value.get_object());
  } else {
    facts.emplace_back("reported " + printable(key), show_value(value));
  }
}

}  // namespace

Colour colour_of_status(std::string_view status) {
  if (status == "online") return Colour::green;
  return status == "updating" ? Colour::yellow : Colour::dim;
}

Colour colour_of_sync(std::string_view sync) {
  if (sync == "in_sync") return Colour::green;
  if (sync == "offline") return Colour::dim;
  if (sync == "refused" || sync == "reverted" || sync == "drifted") return Colour::red;
  return Colour::yellow;
}

std::string persona_of(const JsonObject& device) {
  const std::string desired = text_at(device, {"persona", "desired"});
  const std::string running = text_at(device, {"persona", "running"});
  if (running == desired || running.empty()) return desired;
  return running + " → " + (desired.empty() ? "none" : desired);
}

std::string release_of(const JsonObject& device) {
  const std::string desired = text_at(device, {"release", "desired"});
  const std::string running = text_at(device, {"release", "running"});
  if (desired.empty() || running == desired) return running;
  return (running.empty() ? "none" : running) + " → " + desired;
}

std::string device_table(const JsonArray& devices, WallTime now, const Terminal& terminal, std::size_t rows) {
  Table table({{"NAME", Table::Align::left, true},
               {"STATUS"},
               {"SYNC"},
               {"RELEASE"},
               {"PERSONA", Table::Align::left, true},
               {"LABELS", Table::Align::left, true},
               {"LAST SEEN"},
               {"VERSION", Table::Align::left, true},
               {"ID"}});
  const std::vector<std::string> ids = short_ids(devices);
  const std::size_t shown = rows == 0 ? devices.size() : std::min(rows, devices.size());
  for (std::size_t i = 0; i < shown; ++i) {
    const JsonObject& device = as_object(devices[i]);
    const std::string status = text_at(device, {"status"});
    const std::string sync = text_at(device, {"sync", "status"});
    const std::string release = release_of(device);
    table.add({text_at(device, {"device_name"}),
               {status, colour_of_status(status)},
               {sync, colour_of_sync(sync)},
               {release, release == text_at(device, {"release", "running"}) ? Colour::plain : Colour::yellow},
               persona_of(device),
               joined_pairs(object_at(device, {"labels"})),
               age(text_at(device, {"last_seen"}), now),
               text_at(device, {"current_version"}),
               {ids[i], Colour::dim}});
  }
  std::string out = table.render(terminal);
  if (shown < devices.size()) out += fmt::format("... and {} more\n", devices.size() - shown);
  return out;
}

std::string device_facts(const JsonObject& device, WallTime now, const Terminal& terminal) {
  const std::string status = text_at(device, {"status"});
  const std::string sync = text_at(device, {"sync", "status"});
  const auto text = [&device](std::string_view member) { return text_at(device, {member}); };
  Facts facts{{"name", {text("device_name"), Colour::bold}},
              {"id", text("device_uuid")},
              {"status", {status, colour_of_status(status)}},
              {"last seen", when(device, "last_seen", now)},
              {"sync", {sync, colour_of_sync(sync)}},
              {"revision desired", revision_of(device, "desired_revision")},
              {"revision running", revision_of(device, "running_revision")},
              {"release desired", text_at(device, {"release", "desired"})},
              {"release running", text_at(device, {"release", "running"})},
              {"persona desired", text_at(device, {"persona", "desired"})},
              {"persona running", text_at(device, {"persona", "running"})},
              {"pending edits", pending_edits(device)},
              {"labels", joined_pairs(object_at(device, {"labels"}))},
              {"groups", joined(array_at(device, {"groups"}))},
              {"version", text("current_version")},
              {"device type", text("device_type")},
              {"timezone", text("timezone")},
              {"registered", when(device, "registered_at", now)},
              {"serial", text("serial")},
              {"clone of", text("clone_of")}};
  for (const auto& [key, value] : object_at(device, {"metadata"})) {
    facts.emplace_back("metadata " + printable(std::string_view(key)), show_value(value));
  }
  for (const auto& [key, value] : object_at(device, {"reported"}))
    add_reported(facts, key, value, now);
  std::string out = render_facts(facts, terminal);
  Table errors({{"KEY"}, {"WHY IT IS NOT IN FORCE"}});
  for (const Path section :
       {Path{"sync", "errors"}, Path{"sync", "modules", "errors"}, Path{"sync", "software", "errors"}}) {
    for (const Json& error : array_at(device, section))
      errors.add({text_at(as_object(error), {"key"}), text_at(as_object(error), {"message"})});
  }
  return errors.empty() ? out : out + "\n" + errors.render(terminal);
}

}  // namespace starling::cli
