#include "cli/action_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/action_sender.hpp"
#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/local_time.hpp"
#include "cli/target.hpp"

namespace starling::cli {
namespace {

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

class ResetDevice final : public Command {
 public:
  explicit ResetDevice(CLI::App& app) {
    app.add_option("DEVICE", device_, "UUID, unique prefix of it, or name")->required()->type_name(" ");
    app.add_flag("--yes,-y", yes_, "Do not ask");
    sender_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    const auto id = find_device(session.api, device_);
    if (!id) return fail(id);
    const std::string question = fmt::format(
        "Erase settings, tokens, logs and conversations on {} ({})? What the hub desires of it comes back.",
        device_, *id);
    if (!yes_ && !session.console.confirm(question))
      return fail(ErrorCode::failed_precondition, "nothing was erased");
    return sender_.send(session, "factory_reset", Json(nullptr), JsonObject{{"device", *id}});
  }

 private:
  std::string device_;
  bool yes_ = false;
  ActionSender sender_;
};

class StartAction final : public Command {
 public:
  explicit StartAction(CLI::App& app) {
    app.add_option("ACTION", action_, "identify, echo, module, ...")->required()->type_name(" ");
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
    app.add_option("--device", device_, "That device's answer alone, however long")->type_name("DEVICE");
  }

  Result<ExitCode> run(Session& session) override {
    Parameters query;
    if (!device_.empty()) {
      const auto device = find_device(session.api, device_);
      if (!device) return fail(device);
      query.emplace_back("device", *device);
    }
    const auto action = session.api.get(path_of({"actions", id_}), query);
    if (!action) return fail(action);
    if (!session.json()) {
      session.console.line(fmt::format("{}, expires {}", text_at(*action, {"action"}),
                                       age(text_at(*action, {"expires_at"}), session.clock.wall())));
    }
    show_action(session, *action);
    return ExitCode::done;
  }

 private:
  std::string id_, device_;
};

}  // namespace

void add_action_commands(CommandTree& tree) {
  CLI::App& device = *tree.root().get_subcommand("device");
  add_command<IdentifyDevice>(tree, device, "identify", "Make devices show themselves, once");
  add_command<ResetDevice>(tree, device, "reset",
                           "Factory reset: the device forgets everything but who it is");
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
