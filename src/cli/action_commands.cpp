#include "cli/action_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/action_sender.hpp"
#include "cli/answer.hpp"
#include "cli/device_lookup.hpp"
#include "cli/local_time.hpp"
#include "cli/selector_check.hpp"
#include "cli/table.hpp"
#include "cli/target.hpp"

namespace starling::cli {
namespace {

// An action without parameters, of one device or of some.
class DeviceAction : public Command {
 public:
  DeviceAction(CLI::App& app, std::string action)
      : action_(std::move(action)),
        of_device_(fmt::format("starling {} {} ", app.get_parent()->get_name(), app.get_name())) {
    auto* device = app.add_option("DEVICE", device_, "UUID, unique prefix of it, or name")->type_name(" ");
    app.add_option("--on", selector_, "All devices whose labels match")
        ->type_name("SELECTOR")
        ->excludes(device);
    app.parse_complete_callback([this, name = app.get_parent()->get_name() + " " + app.get_name()] {
      if (device_.empty() && selector_.empty()) {
        throw CLI::ValidationError(name, "name a device, or give --on SELECTOR");
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
      const auto some = check_some_match(session.api, selector_, of_device_);
      if (!some) return fail(some);
      target["selector"] = selector_;
    }
    return sender_.send(session, action_, Json(nullptr), std::move(target));
  }

 private:
  std::string action_, of_device_, device_, selector_;
  ActionSender sender_;
};

class IdentifyDevice final : public DeviceAction {
 public:
  explicit IdentifyDevice(CLI::App& app) : DeviceAction(app, "identify") {}
};

class CheckUpdates final : public DeviceAction {
 public:
  explicit CheckUpdates(CLI::App& app) : DeviceAction(app, "check_updates") {}
};

class RetrySettings final : public DeviceAction {
 public:
  explicit RetrySettings(CLI::App& app) : DeviceAction(app, "retry_settings") {}
};

class ResetDevice final : public Command {
 public:
  explicit ResetDevice(CLI::App& app) {
    app.add_option("DEVICE", device_, "UUID, unique prefix of it, or name")->required()->type_name(" ");
    app.add_flag("--clear-settings", clear_settings_,
                 "Take away first what the hub's layer of this device says, in one change");
    app.add_flag("--yes,-y", yes_, "Do not ask");
    sender_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    const auto id = find_device(session.api, device_);
    if (!id) return fail(id);
    const auto keys = own_keys(session, *id);
    if (!keys) return fail(keys);
    const std::string named = first_names(*keys, static_cast<std::int64_t>(keys->size()));
    if (!keys->empty() && !clear_settings_) {
      session.console.note(
          fmt::format("what is written at the hub for this device alone comes back: {}; --clear-settings "
                      "takes it away, 'starling settings unset' does so later",
                      named));
    }
    const std::string question = fmt::format(
        "Erase settings, tokens, logs and conversations on {} ({}){}? What the hub desires of it comes back.",
        device_, *id, clear_settings_ && !keys->empty() ? ", and at the hub its " + named : std::string());
    if (!yes_ && !session.console.confirm_erasing(question))
      return fail(ErrorCode::failed_precondition, "nothing was erased");
    if (clear_settings_ && !keys->empty()) {
      if (const auto there = check_online(session, *id); !there) return fail(there);
      if (const auto cleared = clear(session, *id, *keys); !cleared) return fail(cleared);
    }
    return sender_.send(session, "factory_reset", Json(nullptr), JsonObject{{"device", *id}});
  }

 private:
  // What the device's layer has. Where it is not to be cleared it is only named: that it cannot be had is no
  // reason to fail.
  Result<std::vector<std::string>> own_keys(Session& session, const std::string& id) const {
    const auto written = session.api.list("/api/v1/settings", {{"layer", "device:" + id}});
    if (!written && clear_settings_) return fail(written);
    std::vector<std::string> keys;
    if (!written) return keys;
    for (const Json& entry : array_at(*written, {"items"}))
      keys.push_back(text_at(as_object(entry), {"key"}));
    return keys;
  }

  // The reset of a device that is away expires; its settings would be gone all the same.
  Result<void> check_online(Session& session, const std::string& id) const {
    const auto device = session.api.get(path_of({"devices", id}));
    if (!device) return fail(device);
    const std::string away = offline_text(*device, session.clock.wall());
    if (away.empty()) return {};
    return fail(ErrorCode::failed_precondition,
                fmt::format("{} is {}: nothing was taken away and nothing erased; try again when it is back",
                            device_, away));
  }

  Result<void> clear(Session& session, const std::string& id, const std::vector<std::string>& keys) const {
    JsonObject nothing;
    for (const std::string& key : keys)
      nothing[key] = nullptr;
    const JsonObject body{
        {"values", std::move(nothing)}, {"target", JsonObject{{"device", id}}}, {"reason", "factory reset"}};
    const auto answer = session.api.write(http::Method::put, "/api/v1/settings", body);
    if (!answer) return fail(answer);
    if (session.json()) return {};
    session.console.line(fmt::format("revision {}: took {} away from the layer of {}",
                                     number_at(*answer, {"revision"}),
                                     counted(static_cast<std::int64_t>(keys.size()), "setting"), device_));
    return {};
  }

  std::string device_;
  bool clear_settings_ = false;
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
  add_command<CheckUpdates>(tree, device, "check-updates",
                            "Let devices look for their release now, and try again what they refused")
      .footer(
          "A release that a device refused or took back is not tried again while it is wanted. Once its "
          "cause is "
          "gone:\n"
          "  starling device check-updates --on room=lab --wait");
  add_command<ResetDevice>(tree, device, "reset",
                           "Factory reset: the device forgets everything but who it is")
      .footer(
          "What the layers of the hub say of the device comes back when it connects. For a new owner:\n"
          "  starling device reset bear-1 --clear-settings");
  add_command<RetrySettings>(tree, *tree.root().get_subcommand("settings"), "retry",
                             "Offer devices once more what they refused of their settings")
      .footer(
          "A device keeps its former value of a setting that it refused, until another change decides over "
          "it. Once the cause is gone:\n"
          "  starling settings retry bear-1 --wait");
  CLI::App& noun = *tree.root().add_subcommand("action", "Actions, which devices carry out at most once");
  noun.require_subcommand(1);
  add_command<StartAction>(tree, noun, "start",
                           "Let devices do something once; without a target the whole fleet")
      .footer(
          "Example:\n  starling action start echo --device bear-1 --parameters '{\"text\": \"hello\"}' "
          "--wait");
  add_command<ShowAction>(tree, noun, "show", "How an action went on each device");
}

}  // namespace starling::cli
