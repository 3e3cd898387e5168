#include "cli/application.hpp"

#include <sstream>

#include "base/key_file.hpp"
#include "base/usage_error.hpp"
#include "cli/action_commands.hpp"
#include "cli/asset_commands.hpp"
#include "cli/changes_commands.hpp"
#include "cli/command.hpp"
#include "cli/completion_commands.hpp"
#include "cli/component_commands.hpp"
#include "cli/device_commands.hpp"
#include "cli/fleet_commands.hpp"
#include "cli/group_commands.hpp"
#include "cli/help_formatter.hpp"
#include "cli/key_commands.hpp"
#include "cli/keys_commands.hpp"
#include "cli/module_commands.hpp"
#include "cli/persona_commands.hpp"
#include "cli/printable.hpp"
#include "cli/release_commands.hpp"
#include "cli/rollout_commands.hpp"
#include "cli/settings_commands.hpp"

namespace starling::cli {
namespace {

constexpr auto footer =
    "Environment:\n"
    "  STARLING_HUB       address of the hub, http://127.0.0.1:8000 if absent\n"
    "  STARLING_KEY       API key; the hub's first start wrote one to admin.key in its data folder\n"
    "  STARLING_KEY_FILE  file that holds the key, if STARLING_KEY is absent\n"
    "  STARLING_PIN       pin of the hub's TLS key (\"sha256/...\"), several separated by commas\n"
    "  STARLING_FLEET     name of the fleet, if it is not the key's own\n"
    "  NO_COLOR           no colours\n"
    "\n"
    "Exit codes:\n"
    "  0  done; with --wait: applied by every device that can say so\n"
    "  1  failed: the message says why and what to do\n"
    "  2  wrong usage\n"
    "  3  some devices refused the change\n"
    "  4  some devices are offline or have not answered in time; they get it when they are back\n"
    "\n"
    "Try: starling device list --watch";

// The parser's tree, and the command that was chosen in it.
class ParsedTree final : public CommandTree {
 public:
  ParsedTree() : root_("Looks after fleets of voice devices, through a Starling hub.", "starling") {
    root_.require_subcommand(1);
    root_.fallthrough();  // before subcommands are made: they inherit it
    root_.set_version_flag("--version", "starling " STARLING_VERSION, "Print the version");
    root_.set_help_flag("-h,--help", "Say what it does");
    root_.formatter(std::make_shared<HelpFormatter>());
    root_.add_option("--hub", hub_, "Address of the hub")->type_name("URL");
    root_.add_option("--key-file", key_file_, "File that holds the API key")->type_name("FILE");
    root_.add_option("--pin", pins_, "Pin of the hub's TLS key, sha256/...; repeatable")
        ->type_name("PIN")
        ->allow_extra_args(false);
    root_.add_option("--fleet", fleet_, "Name of the fleet")->type_name("NAME");
    root_.add_option("-o,--output", output_, "How to print: for people, or the API's own JSON")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
    root_.footer(footer);
  }

  CLI::App& root() override { return root_; }

  void attach(CLI::App& app, std::unique_ptr<Command> command) override {
    Command* attached = command.get();
    commands_.push_back(std::move(command));
    // Callbacks of children run before those of their parents: the first one is the deepest.
    app.final_callback([this, attached] {
      if (chosen_ == nullptr) chosen_ = attached;
    });
  }

  Command* chosen() const { return chosen_; }
  Output output() const { return output_ == "json" ? Output::json : Output::table; }

  Result<Connection> connection(const Environment& environment, Console& console) const {
    const auto variable = [&environment](const char* name) {
      return environment(name).value_or(std::string());
    };
    const auto or_variable = [&variable](const std::string& option, const char* name) {
      return option.empty() ? variable(name) : option;
    };
    Connection out;
    if (const std::string hub = or_variable(hub_, "STARLING_HUB"); !hub.empty()) out.hub = hub;
    while (out.hub.ends_with('/'))
      out.hub.pop_back();
    out.fleet = or_variable(fleet_, "STARLING_FLEET");
    out.pins = pins_.empty() ? CLI::detail::split(variable("STARLING_PIN"), ',') : pins_;
    std::erase(out.pins, "");
    out.key = key_file_.empty() ? variable("STARLING_KEY") : std::string();
    if (!out.key.empty()) return out;
    const std::string file = or_variable(key_file_, "STARLING_KEY_FILE");
    if (file.empty()) return out;
    auto key_file = read_key_file(file);
    if (!key_file) return fail(key_file);
    if (!key_file->warning.empty()) console.note(key_file->warning);
    out.key = std::move(key_file->key);
    return out;
  }

 private:
  CLI::App root_;
  std::vector<std::unique_ptr<Command>> commands_;
  Command* chosen_ = nullptr;
  std::string hub_, key_file_, fleet_;
  std::string output_ = "table";
  std::vector<std::string> pins_;
};

void add_commands(CommandTree& tree) {
  add_fleet_commands(tree);
  add_device_commands(tree);
  add_module_commands(tree);
  add_persona_commands(tree);
  add_asset_commands(tree);
  add_settings_commands(tree);
  add_group_commands(tree);
  add_component_commands(tree);
  add_changes_commands(tree);
  add_action_commands(tree);
  add_release_commands(tree);
  add_rollout_commands(tree);
  add_keys_commands(tree);
  add_key_commands(tree);
  add_completion_commands(tree);
}

int explain_usage(const CLI::ParseError& error, const CLI::App& root, Console& console) {
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success)) {  // --help, --version
    std::ostringstream out;
    std::ostringstream err;
    root.exit(error, out, err);
    console.raw(out.str());
    return static_cast<int>(ExitCode::done);
  }
  console.error(usage_error(error, root));
  return static_cast<int>(ExitCode::usage);
}

Result<ExitCode> run_command(const ParsedTree& tree, const Environment& environment, Console& console,
                             const Clock& clock) {
  auto connection = tree.connection(environment, console);
  if (!connection) return fail(connection);
  const auto api = ApiClient::open(std::move(*connection), clock);
  if (!api) return fail(api);
  if ((*api)->exposes_key()) {
    console.note("the key goes to " + (*api)->connection().hub + " in the clear; https:// protects it");
  }
  Session session{**api, console, clock, tree.output()};
  return tree.chosen()->run(session);
}

}  // namespace

bool print_json(Session& session, const JsonObject& answer) {
  if (!session.json()) return false;
  session.console.raw(pretty_json(answer) + "\n");
  return true;
}

int run_application(const std::vector<std::string>& arguments, const Environment& environment,
                    Console& console, const Clock& clock) {
  ParsedTree tree;
  add_commands(tree);
  try {
    tree.root().parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return explain_usage(error, tree.root(), console);
  }
  const auto code = run_command(tree, environment, console, clock);
  if (code) return static_cast<int>(*code);
  console.error(code.error().message);
  return static_cast<int>(ExitCode::failed);
}

}  // namespace starling::cli
