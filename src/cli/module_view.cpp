#include "cli/module_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/rfc3339.hpp"
#include "cli/answer.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"
#include "protocol/modules_document.hpp"

namespace starling::cli {
namespace {

Colour colour_of_state(std::string_view state) {
  if (state == "idle" || state == "recording") return Colour::green;
  if (state == "error" || state == "crashed") return Colour::red;
  return state == "disabled" ? Colour::dim : Colour::yellow;
}

std::string state_text(const JsonObject& module) {
  if (flag_at(module, {"on_device"})) return text_at(module, {"reported", "state"});
  return flag_at(module, {"reported", "unmanaged"}) ? "unmanaged" : "gone";  // started by somebody else
}

std::string enabled_text(const Json* enabled) {
  if (enabled == nullptr || !enabled->is_bool()) return {};
  return enabled->get_bool() ? "enabled" : "disabled";
}

std::string number_text(const JsonObject& object, Path path) {
  const Json* value = find(object, path);
  return value == nullptr ? std::string() : show_value(*value);
}

std::string memory_text(const JsonObject& module) {
  const Json* use = find(module, {"reported", "use", "memory_kb"});
  if (use == nullptr) return {};
  return fmt::format("{:.1f} MB",
                     static_cast<double>(number_at(module, {"reported", "use", "memory_kb"})) / 1024);
}

std::string cpu_text(const JsonObject& module) {
  const Json* use = find(module, {"reported", "use", "cpu_percent"});
  return use == nullptr ? std::string() : show_value(*use) + " %";
}

// Why it came into its state: what the device says in one word, for people.
std::string cause_text(const JsonObject& reported) {
  static constexpr std::pair<std::string_view, std::string_view> words[] = {
      {"boot", "the device has started"},
      {"recovery", "it ran when the device went down"},
      {"adopted", "it ran on without the agent"},
      {"retry", "tried again"},
      {"settings", "settings that it uses changed"},
      {"requirement", "a module that it requires went or came"},
      {"not_spawned", "could not be run"},
      {"start_timeout", "not ready in time"},
      {"watchdog", "it fell silent"},
      {"keeper_lost", "lost with its keeper"},
      {"finished", "its work is done"},
      {"enable_reverted", "could not be enabled"},
      {"shutdown", "the device's modules end"},
      {"removed", "its folder is gone"}};
  std::string cause = text_at(reported, {"cause"});
  const auto* const known =
      std::ranges::find(words, cause, &std::pair<std::string_view, std::string_view>::first);
  if (known != std::end(words)) return std::string(known->second);
  std::ranges::replace(cause, '_', ' ');
  return cause;
}

// What an operator looks for first: why it is not as it should be.
std::string why(const JsonObject& module) {
  const std::string state = text_at(module, {"reported", "state"});
  const bool runs = state == "idle" || state == "recording";  // since it was started, perhaps
  for (const std::string_view member :
       {"quarantine", "manifest_problem", "config_problem", "render_problem", "problem", "waits_for"}) {
    if (runs && member == "quarantine") continue;
    if (std::string text = text_at(module, {"reported", member}); !text.empty()) return text;
  }
  const std::string cause = cause_text(object_at(module, {"reported"}));
  const std::string detail = text_at(module, {"reported", "detail"});
  const std::string refused = text_at(module, {"reported", "edit_refused"});
  if (detail.empty() && !refused.empty()) return refused;
  if (cause == "none") return detail;
  return detail.empty() ? cause : cause + ": " + detail;
}

std::string when(const JsonObject& object, Path path, WallTime now) {
  const std::string time = text_at(object, path);
  return time.empty() ? std::string() : fmt::format("{} ({})", local_date(time), age(time, now));
}

// What the hub knows may be of before it.
std::string deadline_text(const JsonObject& reported, WallTime now) {
  const auto deadline = parse_rfc3339(text_at(reported, {"deadline"}));
  return deadline && *deadline > now ? when(reported, {"deadline"}, now) : std::string();
}

std::string desired_text(const JsonObject& module, DeviceNames& names) {
  const std::string enabled = enabled_text(find(module, {"desired", "enabled"}));
  if (enabled.empty()) return "nothing: it is as it shipped";
  return fmt::format("{} ({}, revision {})", enabled,
                     describe_layer(text_at(module, {"desired", "layer"}), names),
                     number_at(module, {"desired", "revision"}));
}

std::string error_at(const JsonObject& sync, std::string_view key) {
  for (const Json& error : array_at(sync, {"errors"})) {
    if (text_at(as_object(error), {"key"}) == key) return text_at(as_object(error), {"message"});
  }
  return {};
}

std::string refused_because(const JsonObject& module, const JsonObject& sync) {
  std::string why = error_at(sync, protocol::enabled_key(text_at(module, {"module"})));
  return why.empty() && flag_at(module, {"differs"}) ? section_refused_because(sync) : why;
}

std::string lines_of(const JsonArray& lines) {
  std::string out;
  for (const Json& line : lines)
    out += "  " + printable(show_value(line)) + "\n";
  return out;
}

std::string death_text(const JsonObject& death, const Terminal& terminal) {
  if (death.empty()) return {};
  std::string out = "\n" + render_facts({{"last death", {text_at(death, {"text"}), Colour::red}},
                                         {"class", text_at(death, {"class"})},
                                         {"confidence", text_at(death, {"confidence"})},
                                         {"fingerprint", text_at(death, {"fingerprint"})},
                                         {"release", text_at(death, {"release"})}},
                                        terminal);
  const JsonArray& evidence = array_at(death, {"evidence"});
  if (!evidence.empty()) out += "evidence\n" + lines_of(evidence);
  const JsonArray& last_lines = array_at(death, {"last_lines"});
  if (!last_lines.empty()) out += "its last lines\n" + lines_of(last_lines);
  return out;
}

}  // namespace

std::string section_refused_because(const JsonObject& sync) {
  return error_at(sync, "");
}

std::string module_overview(const JsonArray& modules, WallTime now, const Terminal& terminal) {
  Table table({{"MODULE"},
               {"DEVICES", Table::Align::right},
               {"ENABLED", Table::Align::right},
               {"IDLE", Table::Align::right},
               {"RECORDING", Table::Align::right},
               {"FAILING", Table::Align::right},
               {"DEATHS", Table::Align::right},
               {"NEWEST CAUSE", Table::Align::left, true}});
  for (const Json& item : modules) {
    const JsonObject& module = as_object(item);
    const auto count = [&module](Path path) { return std::to_string(number_at(module, path)); };
    const Colour failing = number_at(module, {"failing"}) > 0 ? Colour::red : Colour::plain;
    const JsonArray& crashes = array_at(module, {"crashes"});
    std::string newest;
    if (!protocol::valid_module_name(text_at(module, {"module"}))) {
      newest = "no module can be called so: rename its folder";
    } else if (!crashes.empty()) {
      const JsonObject& crash = as_object(crashes.front());
      newest = fmt::format("{} ({})", text_at(crash, {"text"}), age(text_at(crash, {"last_seen"}), now));
    }
    table.add({text_at(module, {"module"}),
               count({"devices"}),
               count({"enabled"}),
               count({"by_state", "idle"}),
               count({"by_state", "recording"}),
               {count({"failing"}), failing},
               count({"deaths"}),
               newest});
  }
  return table.render(terminal);
}

std::string module_table(const JsonArray& modules, WallTime now, const Terminal& terminal) {
  Table table({{"MODULE"},
               {"DESIRED"},
               {"STATE"},
               {"SINCE"},
               {"PID", Table::Align::right},
               {"RESTARTS", Table::Align::right},
               {"CPU", Table::Align::right},
               {"MEMORY", Table::Align::right},
               {"CAUSE", Table::Align::left, true}});
  for (const Json& item : modules) {
    const JsonObject& module = as_object(item);
    const std::string state = state_text(module);
    const Colour differs = flag_at(module, {"differs"}) ? Colour::yellow : Colour::plain;
    const std::string since = text_at(module, {"reported", "since"});
    table.add({text_at(module, {"module"}),
               {enabled_text(find(module, {"desired", "enabled"})), differs},
               {state, colour_of_state(state)},
               since.empty() ? since : age(since, now),
               number_text(module, {"reported", "pid"}),
               number_text(module, {"reported", "restarts"}),
               cpu_text(module),
               memory_text(module),
               why(module)});
  }
  return table.render(terminal);
}

std::string module_facts(const JsonObject& module, const JsonObject& sync, WallTime now, DeviceNames& names,
                         const Terminal& terminal) {
  const JsonObject& reported = object_at(module, {"reported"});
  const std::string name = text_at(module, {"module"});
  const std::string state = state_text(module);
  const auto text = [&reported](std::string_view member) { return text_at(reported, {member}); };
  const auto number = [&reported](std::string_view member) { return number_text(reported, {member}); };
  const std::string enabled = enabled_text(find(reported, {"enabled"}));
  const bool provisional = flag_at(reported, {"provisional"});
  const Facts facts{
      {"module", {name, Colour::bold}},
      {"desired", desired_text(module, names)},
      {"refused", {refused_because(module, sync), Colour::red}},
      {"reported", provisional ? enabled + " (provisional: it has not been ready yet)" : enabled},
      {"state", {state, colour_of_state(state)}},
      {"since", when(module, {"reported", "since"}, now)},
      {"cause", cause_text(reported)},
      {"detail", text("detail")},
      {"it says", text("status")},
      {"quarantine", {text("quarantine"), Colour::red}},
      {"edit refused", {text("edit_refused"), Colour::yellow}},
      {"waits for", text("waits_for")},
      {"problem", {text("problem"), Colour::red}},
      {"manifest problem", {text("manifest_problem"), Colour::red}},
      {"manifest pending", {text("manifest_pending"), Colour::yellow}},
      {"manifest note", {text("manifest_note"), Colour::yellow}},
      {"limits", {text("limits_note"), Colour::yellow}},
      {"config.txt problem", {text("config_problem"), Colour::red}},
      {"file problem", {text("render_problem"), Colour::red}},
      {"pid", number("pid")},
      {"attempt", number("attempt")},
      {"deadline", deadline_text(reported, now)},
      {"next retry", when(reported, {"next_retry"}, now)},
      {"pace", text("pace")},
      {"restarts", number("restarts")},
      {"deaths", number("deaths")},
      {"cpu", cpu_text(module)},
      {"memory", memory_text(module)},
      {"processes", number_text(reported, {"use", "processes"})},
      {"descriptors", number_text(reported, {"use", "descriptors"})}};
  return render_facts(facts, terminal) + death_text(object_at(reported, {"last_death"}), terminal);
}

std::string crash_table(const JsonArray& crashes, WallTime now, const Terminal& terminal) {
  Table table({{"MODULE"},
               {"CAUSE", Table::Align::left, true},
               {"DEVICES", Table::Align::right},
               {"DEATHS", Table::Align::right},
               {"SINCE RELEASE"},
               {"RELEASES (DEVICES)", Table::Align::left, true},
               {"FIRST SEEN"},
               {"LAST SEEN"},
               {"FINGERPRINT"}});
  for (const Json& item : crashes) {
    const JsonObject& crash = as_object(item);
    std::string releases;
    for (const Json& release : array_at(crash, {"releases"})) {
      releases +=
          fmt::format("{}{} ({})", releases.empty() ? "" : ", ", text_at(as_object(release), {"version"}),
                      number_at(as_object(release), {"devices"}));
    }
    table.add({text_at(crash, {"module"}),
               text_at(crash, {"text"}),
               std::to_string(number_at(crash, {"devices"})),
               std::to_string(number_at(crash, {"deaths"})),
               text_at(crash, {"first_release"}),
               releases,
               age(text_at(crash, {"first_seen"}), now),
               age(text_at(crash, {"last_seen"}), now),
               {text_at(crash, {"fingerprint"}), Colour::dim}});
  }
  return table.render(terminal);
}

}  // namespace starling::cli
