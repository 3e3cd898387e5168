#include "cli/fleet_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/answer.hpp"
#include "cli/device_view.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

// That a device is in sync says only that it has what it should have.
Cell problems_of(const JsonObject& fleet) {
  const std::int64_t count = number_at(fleet, {"devices", "with_problems"});
  if (count == 0) return {""};
  return {fmt::format("on {}: starling device list --problems", counted(count, "device")), Colour::red};
}

class FleetStatus final : public Command {
 public:
  explicit FleetStatus(CLI::App&) {}

  Result<ExitCode> run(Session& session) override {
    const auto fleet = session.api.get("/api/v1/fleet");
    if (!fleet) return fail(fleet);
    if (print_json(session, *fleet)) return ExitCode::done;
    const Terminal& terminal = session.console.out_terminal();
    const std::string persona = text_at(*fleet, {"persona"});
    const Facts facts{
        {"fleet", {text_at(*fleet, {"fleet"}), Colour::bold}},
        {"hub", fmt::format("{}, version {}", session.api.connection().hub, text_at(*fleet, {"version"}))},
        {"revision", std::to_string(number_at(*fleet, {"revision"}))},
        {"persona", persona.empty() ? "none" : persona},
        {"devices", fmt::format("{}, {} online", number_at(*fleet, {"devices", "total"}),
                                number_at(*fleet, {"devices", "online"}))},
        {"problems", problems_of(*fleet)}};
    session.console.raw(render_facts(facts, terminal));
    Table table({{"SYNC"}, {"DEVICES", Table::Align::right}});
    for (const auto& [status, count] : object_at(*fleet, {"devices", "by_sync"})) {
      const std::string name{std::string_view(status)};
      table.add({{name, colour_of_sync(name)}, show_value(count)});
    }
    if (!table.empty()) session.console.raw("\n" + table.render(terminal));
    return ExitCode::done;
  }
};

class ListFleets final : public Command {
 public:
  explicit ListFleets(CLI::App&) {}

  Result<ExitCode> run(Session& session) override {
    const auto list = session.api.list("/api/v1/fleets");
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    Table table({{"NAME"}, {"REVISION", Table::Align::right}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& fleet = as_object(item);
      const Json* revision = find(fleet, {"revision"});
      table.add({text_at(fleet, {"name"}), revision == nullptr ? std::string() : show_value(*revision)});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    return ExitCode::done;
  }
};

class CreateFleet final : public Command {
 public:
  explicit CreateFleet(CLI::App& app) {
    app.add_option("NAME", name_, "Its name")->required()->type_name(" ");
  }

  Result<ExitCode> run(Session& session) override {
    const auto answer = session.api.write(http::Method::post, "/api/v1/fleets", JsonObject{{"name", name_}});
    if (!answer) return fail(answer);
    if (!print_json(session, *answer)) session.console.line("created fleet " + name_);
    return ExitCode::done;
  }

 private:
  std::string name_;
};

}  // namespace

void add_fleet_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("fleet", "Fleets");
  noun.require_subcommand(1);
  add_command<FleetStatus>(tree, noun, "status", "The fleet at a glance");
  add_command<ListFleets>(tree, noun, "list", "List fleets");
  add_command<CreateFleet>(tree, noun, "create", "Create a fleet");
}

}  // namespace starling::cli
