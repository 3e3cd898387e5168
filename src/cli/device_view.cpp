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

std::string device_table(const JsonArray& devices, WallTime now, const Terminal& terminal, std::size_t rows) {
  Table table({{"NAME", Table::Align::left, true},
               {"STATUS"},
               {"SYNC"},
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
    table.add({text_at(device, {"device_name"}),
               {status, colour_of_status(status)},
               {sync, colour_of_sync(sync)},
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
  for (const auto& [key, value] : object_at(device, {"reported"})) {
    if (key == "modules") {
      facts.emplace_back("modules", states_of(as_object(value)));
      continue;
    }
    facts.emplace_back("reported " + printable(std::string_view(key)), show_value(value));
  }
  std::string out = render_facts(facts, terminal);
  Table errors({{"KEY"}, {"WHY IT IS NOT IN FORCE"}});
  for (const Path section : {Path{"sync", "errors"}, Path{"sync", "modules", "errors"}}) {
    for (const Json& error : array_at(device, section))
      errors.add({text_at(as_object(error), {"key"}), text_at(as_object(error), {"message"})});
  }
  return errors.empty() ? out : out + "\n" + errors.render(terminal);
}

}  // namespace starling::cli
