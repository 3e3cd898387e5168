#include "cli/action_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/local_time.hpp"
#include "cli/printable.hpp"
#include "cli/progress.hpp"
#include "cli/table.hpp"
#include "cli/target.hpp"

namespace starling::cli {
namespace {

constexpr Milliseconds poll_delay{200};

void show_action(Session& session, const JsonObject& action) {
  if (print_json(session, action)) return;
  Table table({{"DEVICE"}, {"STATE"}, {"ANSWER", Table::Align::left, true}});
  for (const Json& item : array_at(action, {"devices"})) {
    const JsonObject& device = as_object(item);
    const std::string state = text_at(device, {"state"});
    const Colour colour = state == "done" ? Colour::green : state == "waiting" ? Colour::yellow : Colour::red;
    const std::string message = text_at(device, {"message"});
    const Json* result = find(device, {"result"});
    table.add({text_at(device, {"name"}),
               {state, colour},
               !message.empty()    ? message
               : result != nullptr ? show_value(*result)
                                   : std::string()});
  }
  session.console.raw(table.render(session.console.out_terminal()));
  if (table.empty()) session.console.note("no device is concerned");
}

bool any_in(const JsonObject& action, std::string_view state) {
  const JsonArray& devices = array_at(action, {"devices"});
  return std::any_of(devices.begin(), devices.end(),
                     [state](const Json& device) { return text_at(as_object(device), {"state"}) == state; });
}

ExitCode outcome_of_action(const JsonObject& action) {
  if (any_in(action, "failed")) return ExitCode::refused;
  return any_in(action, "waiting") || any_in(action, "expired") ? ExitCode::unfinished : ExitCode::done;
}

Result<JsonObject> wait_for_action(Session& session, const std::string& id, Seconds timeout) {
  const SteadyTime start = session.clock.steady();
  while (true) {
    auto action = session.api.get(path_of({"actions", id}));
    if (!action) return action;
    if (!any_in(*action, "waiting") || session.clock.steady() - start >= timeout) return action;
    session.api.pause(poll_delay);
  }
}

// Sends an action and, if wanted, waits for each device's answer.
class ActionSender {
 public:
  void add_to(CLI::App& app) {
    app.add_option("--expires", expires_seconds_, "Devices that hear of it later do nothing, in seconds")
        ->type_name("SECONDS")
        ->check(CLI::Range(1, 86'400))
        ->capture_default_str();
    wait_.add_to(app);
  }

  Result<ExitCode> send(Session& session, const std::string& action, Json parameters, Json target) const {
    JsonObject body{{"action", action}, {"expires_in_seconds", expires_seconds_}};
    if (!parameters.is_null()) body["parameters"] = std::move(parameters);
    if (!target.is_null()) body["target"] = std::move(target);
    const auto answer = session.api.write(http::Method::post, "/api/v1/actions", body);
    if (!answer) return fail(answer);
    const std::string id = text_at(*answer, {"id"});
    if (!wait_.wanted()) {
      if (print_json(session, *answer)) return ExitCode::done;
      session.console.line(fmt::format("{} goes to {}; how it went: starling action show {}", action,
                                       counted(number_at(*answer, {"targeted"}), "device"), id));
      return ExitCode::done;
    }
    const auto state = wait_for_action(session, id, wait_.timeout());
    if (!state) return fail(state);
    show_action(session, *state);
    return outcome_of_action(*state);
  }

 private:
  WaitOptions wait_;
  std::int64_t expires_seconds_ = 60;
};

class IdentifyDevice final : public Command {
 public:
  explicit IdentifyDevice(CLI::App& app) {
    auto* device = app.add_option("DEVICE", device_, "UUID, unique prefix of it, or name")->type_name(" ");
    app.add_option("--on", selector_, "All devices whose labels match")
        ->type_name("SELECTOR")
        ->excludes(device);
    app.parse_complete_callback([this] {
      if (device_.empty() && selector_.empty()) {
        throw CLI::ValidationError("device identify", "name a device, or give --on SELECTOR");
      }
    });
    sender_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    JsonObject target;
    if (selector_.empty()) {
      const auto id = find_device(session.api, device_);
      if (!id) return fail(id);
      target["device"] = *id;
    } else {
      target["selector"] = selector_;
    }
    return sender_.send(session, "identify", Json(nullptr), std::move(target));
  }

 private:
  std::string device_, selector_;
  ActionSender sender_;
};

class StartAction final : public Command {
 public:
  explicit StartAction(CLI::App& app) {
    app.add_option("ACTION", action_, "identify or echo")->required()->type_name(" ");
    target_.add_to(app, TargetOptions::With::device_and_selector);
    app.add_option("--parameters", parameters_, "A JSON object for the action")->type_name("JSON");
    sender_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    Json parameters;
    if (!parameters_.empty()) {
      auto parsed = parse_json(parameters_);
      if (!parsed) return fail(parsed, "--parameters");
      parameters = std::move(*parsed);
    }
    auto target = target_.target(session.api);
    if (!target) return fail(target);
    return sender_.send(session, action_, std::move(parameters), std::move(*target));
  }

 private:
  std::string action_, parameters_;
  TargetOptions target_;
  ActionSender sender_;
};

class ShowAction final : public Command {
 public:
  explicit ShowAction(CLI::App& app) {
    app.add_option("ID", id_, "The action's id")->required()->type_name(" ");
  }

  Result<ExitCode> run(Session& session) override {
    const auto action = session.api.get(path_of({"actions", id_}));
    if (!action) return fail(action);
    if (!session.json()) {
      session.console.line(fmt::format("{}, expires {}", text_at(*action, {"action"}),
                                       age(text_at(*action, {"expires_at"}), session.clock.wall())));
    }
    show_action(session, *action);
    return ExitCode::done;
  }

 private:
  std::string id_;
};

}  // namespace

void add_action_commands(CommandTree& tree) {
  add_command<IdentifyDevice>(tree, *tree.root().get_subcommand("device"), "identify",
                              "Make devices show themselves, once");
  CLI::App& noun =
      *tree.root().add_subcommand("action", "Actions, which devices carry out at most once: start, show");
  noun.require_subcommand(1);
  add_command<StartAction>(tree, noun, "start",
                           "Let devices do something once; without a target the whole fleet")
      .footer(
          "Example:\n  starling action start echo --device bear-1 --parameters '{\"text\": \"hello\"}' "
          "--wait");
  add_command<ShowAction>(tree, noun, "show", "How an action went on each device");
}

}  // namespace starling::cli
