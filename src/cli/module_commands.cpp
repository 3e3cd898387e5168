#include "cli/module_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/action_sender.hpp"
#include "cli/assignment.hpp"
#include "cli/module_follow_up.hpp"
#include "cli/module_logs.hpp"
#include "cli/module_lookup.hpp"
#include "cli/module_queries.hpp"
#include "cli/setting_value.hpp"
#include "cli/settings_write.hpp"
#include "cli/target.hpp"
#include "protocol/modules_document.hpp"

namespace starling::cli {
namespace {

void add_name(CLI::App& app, std::string& name) {
  app.add_option("NAME", name, "The module")->required()->type_name(" ");
}

// Another word for `settings set modules.NAME.enabled=true` or `=false`.
class ToggleModule : public Command {
 public:
  ToggleModule(CLI::App& app, bool enabled) : enabled_(enabled) {
    add_name(app, name_);
    write_.add_to(app);
  }

  Result<ExitCode> run(Session& session) final {
    auto target = write_.target(session.api);
    if (!target) return fail(target);
    const auto where = find_to_set(session, *target, name_);
    if (!where) return fail(where);
    const std::string key = protocol::enabled_key(name_);
    const Meanwhile reconcile = [&](JsonObject& answer) {
      return follow_up(session, name_, enabled_, *target, *where, write_.wait(), answer);
    };
    return write_.send(session, *target, JsonObject{{key, enabled_}}, {},
                       (enabled_ ? "enabled " : "disabled ") + name_, reconcile);
  }

 private:
  bool enabled_;
  std::string name_;
  SettingsWrite write_;
};

class EnableModule final : public ToggleModule {
 public:
  explicit EnableModule(CLI::App& app) : ToggleModule(app, true) {}
};

class DisableModule final : public ToggleModule {
 public:
  explicit DisableModule(CLI::App& app) : ToggleModule(app, false) {}
};

// start, stop and restart.
class CommandModule final : public Command {
 public:
  explicit CommandModule(CLI::App& app) : command_(app.get_name()) {
    add_name(app, name_);
    target_.add_to(app, TargetOptions::With::one_needed);
    sender_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    auto target = target_.target(session.api);
    if (!target) return fail(target);
    if (const auto known = find_to_ask(session, *target, name_); !known) return fail(known);
    return sender_.send(session, "module", JsonObject{{"module", name_}, {"command", command_}},
                        std::move(*target), fmt::format("{} of {}", command_, name_));
  }

 private:
  std::string command_, name_;
  TargetOptions target_;
  ActionSender sender_;
};

class ActModule final : public Command {
 public:
  explicit ActModule(CLI::App& app) {
    add_name(app, name_);
    app.add_option("ACTION", action_, "What the module calls it")->required()->type_name(" ");
    app.add_option("PARAMETERS", parameters_, "PARAM=VALUE; a value is JSON, or else the text itself")
        ->type_name(" ")
        ->check(assignment());
    target_.add_to(app, TargetOptions::With::one_needed);
    sender_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    JsonObject parameters;
    for (const std::string& text : parameters_) {
      const auto assigned = parse_assignment(text);
      if (!assigned) return fail(assigned);
      auto value = parse_json(assigned->text);
      parameters[assigned->key] = value ? std::move(*value) : Json(JsonString(assigned->text));
    }
    auto target = target_.target(session.api);
    if (!target) return fail(target);
    if (const auto known = find_to_ask(session, *target, name_); !known) return fail(known);
    JsonObject wanted{{"module", name_}, {"action", action_}};
    if (!parameters.empty()) wanted["parameters"] = std::move(parameters);
    return sender_.send(session, "module_action", std::move(wanted), std::move(*target),
                        fmt::format("{} of {}", action_, name_));
  }

 private:
  std::string name_, action_;
  std::vector<std::string> parameters_;
  TargetOptions target_;
  ActionSender sender_;
};

}  // namespace

void add_module_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("module", "Modules");
  noun.require_subcommand(1);
  add_module_queries(tree, noun);
  add_command<EnableModule>(
      tree, noun, "enable",
      "Keep a module running from now on; without a target wherever no layer says otherwise")
      .footer(
          "It is provisional on each device until the module has been ready; where it cannot be enabled it "
          "is\n"
          "disabled again there, and --wait says why. Enabling it once more tries again on those devices,\n"
          "and starts it where a command has stopped it.\n"
          "\n"
          "Example:\n"
          "  starling module enable recorder --on room=lab --reason 'week 31' --wait");
  add_command<DisableModule>(tree, noun, "disable",
                             "Stop a module, also where a command has started it, and keep it stopped");
  add_command<CommandModule>(
      tree, noun, "start",
      "Start a module now, enabled or not, until it is stopped; a new attempt if it waits for one");
  add_command<CommandModule>(
      tree, noun, "stop", "Stop a module until it is started, or the device is shut down and started again");
  add_command<CommandModule>(tree, noun, "restart", "Stop a module, and start it again");
  add_command<ActModule>(tree, noun, "act", "Let a module do something that it knows to do, once")
      .footer(
          "A recorder knows start, stop and pause.\n"
          "\n"
          "Example:\n"
          "  starling module act recorder start --device bear-1 --wait");
  add_module_logs(tree, noun);
}

}  // namespace starling::cli
