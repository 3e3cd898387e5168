#include "cli/device_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/rfc3339.hpp"
#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/software_view.hpp"

namespace starling::cli {
namespace {

std::string when(const JsonObject& object, std::string_view member, WallTime now) {
  const std::string time = text_at(object, {member});
  return time.empty() ? std::string() : fmt::format("{} ({})", local_date(time), age(time, now));
}

// A device with a link gives a sign of life more often than once a minute.
std::string last_seen(const JsonObject& device, WallTime now) {
  const std::string time = text_at(device, {"last_seen"});
  const auto at = parse_rfc3339(time);
  const bool there = text_at(device, {"status"}) != "offline" && at && now - *at < std::chrono::minutes(1);
  return there ? "now" : age(time, now);
}

// "in_sync, revision 13", or "pending, revision 12 → 13" while another is in force than what is desired.
Cell section_cell(const JsonObject& section, const std::string& status) {
  if (status.empty()) return {""};
  const auto revision = [&section](std::string_view which) {
    const Json* number = find(section, {which});
    return number == nullptr || *number == Json(0) ? std::string("none") : show_value(*number);
  };
  const std::string desired = revision("desired_revision");
  const bool in_force = text_at(section, {"running_hash"}) == text_at(section, {"desired_hash"});
  return {
      fmt::format("{}, revision {}{}", status, in_force ? "" : revision("running_revision") + " → ", desired),
      colour_of_sync(status)};
}

// How each part of the document stands; together they are the sync status.
void add_sections(Facts& facts, const JsonObject& sync) {
  const std::string settings = text_at(sync, {"settings_status"});
  facts.emplace_back("sync of settings",
                     section_cell(sync, settings.empty() ? text_at(sync, {"status"}) : settings));
  for (const char* section : {"modules", "software"}) {
    facts.emplace_back(fmt::format("sync of {}", section),
                       section_cell(object_at(sync, {section}), text_at(sync, {section, "status"})));
  }
}

// Of one that is wanted still the sync status tells: " (v1.1.0 reverted)".
std::string failed_release(const JsonObject& device) {
  const JsonObject& failed = object_at(device, {"reported", "software", "last_failed"});
  const std::string release = text_at(failed, {"release"});
  if (release.empty() || release == text_at(device, {"release", "desired"})) return {};
  return fmt::format(" ({} {})", release, text_at(failed, {"became"}));
}

// Whom to look at first.
bool is_troubled(const JsonObject& device) {
  return problem_count(device) > 0 || colour_of_sync(text_at(device, {"sync", "status"})) == Colour::red;
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

// "0.2 of 0.4 GB", "12 of 63 MB"
std::string part_of(std::int64_t part_kb, std::int64_t whole_kb) {
  constexpr double kb_in_mb = 1024, least_in_gb = 200;
  const double part = static_cast<double>(part_kb) / kb_in_mb;
  const double whole = static_cast<double>(whole_kb) / kb_in_mb;
  return whole < least_in_gb ? fmt::format("{:.0f} of {:.0f} MB", part, whole)
                             : fmt::format("{:.1f} of {:.1f} GB", part / kb_in_mb, whole / kb_in_mb);
}

// "61.5 °C, 0.2 of 0.4 GB of memory and 3.1 of 14.5 GB of disk are free"
void add_board(Facts& facts, const JsonObject& board) {
  const auto free = [&board](std::string_view part, std::string_view whole) {
    return part_of(number_at(board, {part}), number_at(board, {whole}));
  };
  std::string text;
  if (const Json* temperature = find(board, {"temperature_c"})) text = show_value(*temperature) + " °C, ";
  text += fmt::format("{} of memory and {} of disk are free", free("memory_available_kb", "memory_total_kb"),
                      free("disk_free_kb", "disk_total_kb"));
  if (find(board, {"memory_total_kb"}) == nullptr) text = show_value(Json(board));
  facts.emplace_back("board", text);
  facts.emplace_back("board alerts", Cell(joined(array_at(board, {"alerts"})), Colour::red));
  if (flag_at(board, {"was_under_voltage"}))
    facts.emplace_back("", "its supply was too weak since it booted");
  if (flag_at(board, {"was_throttled"})) facts.emplace_back("", "it was throttled since it booted");
}

// By one of its problems.
bool is_told(const JsonObject& device, const std::string& why) {
  return std::ranges::any_of(array_at(device, {"problems"}), [&why](const Json& problem) {
    return !why.empty() && show_value(problem).find(why) != std::string::npos;
  });
}

void add_software(Facts& facts, const JsonObject& device, const JsonObject& software, WallTime now) {
  const std::string why = failure_text(software);
  facts.emplace_back("software",
                     Cell(is_told(device, why) ? software_state_text(software) : software_text(software),
                          why.empty() ? Colour::plain : Colour::red));
  facts.emplace_back("last failed", Cell(last_failed_text(software, now), Colour::yellow));
  facts.emplace_back("packages", Cell(packages_text(software), Colour::yellow));
  facts.emplace_back("damage", Cell(text_at(software, {"damage"}), Colour::red));
}

void add_reported(Facts& facts, const JsonObject& device, std::string_view key, const Json& value,
                  WallTime now) {
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
  } else if (key == "software" && !text_at(as_object(value), {"state"}).empty()) {
    add_software(facts, device, value.get_object(), now);
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

std::int64_t problem_count(const JsonObject& device) {
  return static_cast<std::int64_t>(array_at(device, {"problems"}).size());
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
               {"PROBLEMS", Table::Align::right},
               {"RELEASE"},
               {"PERSONA", Table::Align::left, true},
               {"LABELS", Table::Align::left, true},
               {"LAST SEEN"},
               {"VERSION", Table::Align::left, true},
               {"ID"}});
  const std::vector<std::string> ids = short_ids(devices);
  std::vector<std::size_t> order(devices.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_partition(order, [&](std::size_t i) { return is_troubled(as_object(devices[i])); });
  const std::size_t shown = rows == 0 ? devices.size() : std::min(rows, devices.size());
  order.resize(shown);
  for (const std::size_t i : order) {
    const JsonObject& device = as_object(devices[i]);
    const std::int64_t problems = problem_count(device);
    const std::string status = text_at(device, {"status"});
    const std::string sync = text_at(device, {"sync", "status"});
    const std::string release = release_of(device) + failed_release(device);
    table.add({text_at(device, {"device_name"}),
               {status, colour_of_status(status)},
               {sync, colour_of_sync(sync)},
               {problems > 0 ? std::to_string(problems) : "", Colour::red},
               {release, release == text_at(device, {"release", "running"}) ? Colour::plain : Colour::yellow},
               persona_of(device),
               joined_pairs(object_at(device, {"labels"})),
               last_seen(device, now),
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
  const std::string seen = text("last_seen");
  Facts facts{
      {"name", {text("device_name"), Colour::bold}},
      {"id", text("device_uuid")},
      {"status", {status, colour_of_status(status)}},
      {"last seen", seen.empty() ? seen : fmt::format("{} ({})", local_date(seen), last_seen(device, now))},
      {"sync", {sync, colour_of_sync(sync)}}};
  for (const Json& problem : array_at(device, {"problems"}))
    facts.emplace_back("problem", Cell(show_value(problem), Colour::red));
  add_sections(facts, object_at(device, {"sync"}));
  const Facts more{{"release desired", text_at(device, {"release", "desired"})},
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
  facts.insert(facts.end(), more.begin(), more.end());
  for (const auto& [key, value] : object_at(device, {"metadata"})) {
    facts.emplace_back("metadata " + printable(std::string_view(key)), show_value(value));
  }
  for (const auto& [key, value] : object_at(device, {"reported"}))
    add_reported(facts, device, key, value, now);
  std::string out = render_facts(facts, terminal);
  Table errors({{"KEY"}, {"WHY IT IS NOT IN FORCE"}});
  for (const Path section :
       {Path{"sync", "errors"}, Path{"sync", "modules", "errors"}, Path{"sync", "software", "errors"}}) {
    for (const Json& error : array_at(device, section)) {
      const std::string key = text_at(as_object(error), {"key"}),
                        why = text_at(as_object(error), {"message"});
      if (key != "software.release" || !is_told(device, why)) errors.add({key, why});
    }
  }
  return errors.empty() ? out : out + "\n" + errors.render(terminal);
}

}  // namespace starling::cli
