#include "cli/action_sender.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>

#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/printable.hpp"
#include "cli/software_view.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

constexpr Milliseconds poll_delay{200};

// A device of which nobody sees anything has not shown itself, though it has done what it could.
std::string outcome_on(const JsonObject& device, std::string_view action) {
  const std::string state = text_at(device, {"state"});
  const Json* result = find(device, {"result"});
  const bool in_vain = action == "identify" && state == "done" && result != nullptr &&
                       array_at(as_object(*result), {"modules"}).empty();
  return in_vain ? "failed" : state;
}

bool any_in(const JsonObject& action, std::string_view state) {
  const JsonArray& devices = array_at(action, {"devices"});
  return std::any_of(devices.begin(), devices.end(),
                     [state, name = text_at(action, {"action"})](const Json& device) {
                       return outcome_on(as_object(device), name) == state;
                     });
}

bool is_waited_for(const JsonObject& action, Absent absent) {
  const JsonArray& devices = array_at(action, {"devices"});
  return std::any_of(devices.begin(), devices.end(), [absent](const Json& device) {
    const bool is_here = text_at(as_object(device), {"status"}) != "offline";
    return text_at(as_object(device), {"state"}) == "waiting" && (is_here || absent == Absent::waited_for);
  });
}

// Only a hint: that it cannot be had is no reason to fail.
void note_offline(Session& session, const std::string& id, std::int64_t expires_seconds) {
  const auto action = session.api.get(path_of({"actions", id}));
  if (!action) return;
  std::vector<std::string> away;
  for (const Json& item : array_at(*action, {"devices"})) {
    const JsonObject& device = as_object(item);
    const std::string offline = offline_text(device, session.clock.wall());
    if (!offline.empty()) away.push_back(fmt::format("{} is {}", text_at(device, {"name"}), offline));
  }
  if (away.empty()) return;
  session.console.note(fmt::format("{}; done there only if back within {} s",
                                   first_names(away, static_cast<std::int64_t>(away.size())),
                                   expires_seconds));
}

// By which modules the device showed itself, and why others did not.
std::string identified_text(const JsonObject& result) {
  const std::string shown = joined(array_at(result, {"modules"}));
  std::string text = "shown by " + (shown.empty() ? "no module" : shown);
  for (const auto& [module, why] : object_at(result, {"failed"}))
    text += fmt::format("; {}: {}", std::string_view(module), show_value(why));
  return text;
}

std::string answer_of(const JsonObject& device, std::string_view action, WallTime now) {
  if (flag_at(device, {"omitted"})) return "long: see 'starling action show ID --device'";
  if (std::string message = text_at(device, {"message"}); !message.empty()) return message;
  const Json* result = find(device, {"result"});
  if (result == nullptr) return offline_text(device, now);
  if (action == "retry_settings") return "it has all of its settings";
  if (action == "check_updates") return software_text(as_object(*result));
  return action == "identify" ? identified_text(as_object(*result)) : show_value(*result);
}

}  // namespace

Result<JsonObject> start_action(Session& session, const WantedAction& wanted) {
  JsonObject body{{"action", wanted.name}, {"expires_in_seconds", wanted.expires_seconds}};
  if (!wanted.parameters.is_null()) body["parameters"] = wanted.parameters;
  if (!wanted.target.is_null()) body["target"] = wanted.target;
  auto answer = session.api.write(http::Method::post, "/api/v1/actions", body);
  if (answer) note_offline(session, text_at(*answer, {"id"}), wanted.expires_seconds);
  return answer;
}

Result<JsonObject> wait_for_action(Session& session, const std::string& id, Seconds timeout,
                                   const Parameters& query, Absent absent) {
  const SteadyTime start = session.clock.steady();
  while (true) {
    auto action = session.api.get(path_of({"actions", id}), query);
    if (!action) return action;
    if (!is_waited_for(*action, absent) || session.clock.steady() - start >= timeout) return action;
    session.api.pause(poll_delay);
  }
}

ExitCode outcome_of_action(const JsonObject& action) {
  if (any_in(action, "failed")) return ExitCode::refused;
  return any_in(action, "waiting") || any_in(action, "expired") ? ExitCode::unfinished : ExitCode::done;
}

void show_action(Session& session, const JsonObject& action) {
  if (print_json(session, action)) return;
  const std::string name = text_at(action, {"action"});
  Table table({{"DEVICE"}, {"STATE"}, {"ANSWER", Table::Align::left, true}});
  for (const Json& item : array_at(action, {"devices"})) {
    const JsonObject& device = as_object(item);
    const std::string state = outcome_on(device, name);
    const Colour colour = state == "done" ? Colour::green : state == "waiting" ? Colour::yellow : Colour::red;
    table.add({text_at(device, {"name"}), {state, colour}, answer_of(device, name, session.clock.wall())});
  }
  session.console.raw(table.render(session.console.out_terminal()));
  if (table.empty()) session.console.note("no device is concerned");
}

void ActionSender::add_to(CLI::App& app) {
  app.add_option("--expires", expires_seconds_, "Devices that hear of it later do nothing, in seconds")
      ->type_name("SECONDS")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  wait_.add_to(app);
}

Result<ExitCode> ActionSender::send(Session& session, std::string action, Json parameters, Json target,
                                    std::string_view what) const {
  const WantedAction wanted{std::move(action), std::move(parameters), std::move(target), expires_seconds_};
  const auto answer = start_action(session, wanted);
  if (!answer) return fail(answer);
  const std::string id = text_at(*answer, {"id"});
  if (!wait_.wanted()) {
    if (print_json(session, *answer)) return ExitCode::done;
    std::string words(what);
    if (words.empty()) std::ranges::replace_copy(wanted.name, std::back_inserter(words), '_', ' ');
    session.console.line(fmt::format("{} goes to {}; how it went: starling action show {}", words,
                                     counted(number_at(*answer, {"targeted"}), "device"), id));
    return ExitCode::done;
  }
  const auto state = wait_for_action(session, id, wait_.timeout());
  if (!state) return fail(state);
  show_action(session, *state);
  return outcome_of_action(*state);
}

}  // namespace starling::cli
