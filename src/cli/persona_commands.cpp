#include "cli/persona_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/answer.hpp"
#include "cli/input.hpp"
#include "cli/printable.hpp"
#include "cli/setting_value.hpp"
#include "cli/table.hpp"
#include "cli/target.hpp"
#include "cli/write_outcome.hpp"

namespace starling::cli {
namespace {

class ListPersonas final : public Command {
 public:
  explicit ListPersonas(CLI::App&) {}

  Result<ExitCode> run(Session& session) override {
    const auto list = session.api.list("/api/v1/personas");
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    const auto fleet = session.api.get("/api/v1/fleet");
    const std::string active = fleet ? text_at(*fleet, {"persona"}) : std::string();
    Table table(
        {{"NAME"}, {"FLEET"}, {"VOICE", Table::Align::left, true}, {"SETTINGS", Table::Align::left, true}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& persona = as_object(item);
      const std::string name = text_at(persona, {"name"});
      std::string settings;
      for (const auto& [key, value] : object_at(persona, {"pi_config"})) {
        settings += (settings.empty() ? "" : ", ") + std::string(std::string_view(key));
      }
      table.add({name, name == active ? Cell("active", Colour::green) : Cell(""),
                 text_at(persona, {"voice_id"}), settings});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    if (table.empty()) session.console.note("no personas; 'starling persona import FILE' brings some");
    return ExitCode::done;
  }
};

class ShowPersona final : public Command {
 public:
  explicit ShowPersona(CLI::App& app) {
    app.add_option("NAME", name_, "Its name")->required()->type_name(" ");
  }

  Result<ExitCode> run(Session& session) override {
    const auto persona = session.api.get(path_of({"personas", name_}));
    if (!persona) return fail(persona);
    if (print_json(session, *persona)) return ExitCode::done;
    Facts facts;
    for (const auto& [key, value] : *persona) {
      if (key != "pi_config") facts.emplace_back(printable(std::string_view(key)), show_value(value));
    }
    session.console.raw(render_facts(facts, session.console.out_terminal()));
    Table settings({{"SETTING"}, {"VALUE", Table::Align::left, true}});
    for (const auto& [key, value] : object_at(*persona, {"pi_config"})) {
      settings.add({std::string(std::string_view(key)), show_value(value)});
    }
    if (!settings.empty()) session.console.raw("\n" + settings.render(session.console.out_terminal()));
    return ExitCode::done;
  }

 private:
  std::string name_;
};

// Writes with a free-form body take the reason as a query parameter.
Parameters with_reason(const std::string& reason) {
  return reason.empty() ? Parameters{} : Parameters{{"reason", reason}};
}

class ImportPersonas final : public Command {
 public:
  explicit ImportPersonas(CLI::App& app) {
    app.add_option("FILE", file_, "A personas.json: an object by name; - is the standard input")
        ->required()
        ->type_name(" ");
    app.add_option("--reason", reason_, "Why; kept in the change log");
    wait_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    const auto personas = read_json_object(session.console, file_);
    if (!personas) return fail(personas);
    auto answer =
        session.api.write(http::Method::post, "/api/v1/personas/import", *personas, with_reason(reason_));
    if (!answer) return fail(answer);
    const std::string what = "imported " + counted(static_cast<std::int64_t>(personas->size()), "persona");
    return finish_write(session, std::move(*answer), what, wait_);
  }

 private:
  std::string file_, reason_;
  WaitOptions wait_;
};

class PutPersona final : public Command {
 public:
  explicit PutPersona(CLI::App& app) {
    app.add_option("NAME", name_, "Its name")->required()->type_name(" ");
    app.add_option("FILE", file_, "Its fields and pi_config as a JSON object; - is the standard input")
        ->required()
        ->type_name(" ");
    app.add_option("--reason", reason_, "Why; kept in the change log");
    wait_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    auto persona = read_json_object(session.console, file_);
    if (!persona) return fail(persona);
    persona->erase("name");  // as 'persona show -o json' prints it
    auto answer =
        session.api.write(http::Method::put, path_of({"personas", name_}), *persona, with_reason(reason_));
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), "put persona " + name_, wait_);
  }

 private:
  std::string name_, file_, reason_;
  WaitOptions wait_;
};

class DeletePersona final : public Command {
 public:
  explicit DeletePersona(CLI::App& app) {
    app.add_option("NAME", name_, "Its name")->required()->type_name(" ");
    app.add_option("--reason", reason_, "Why; kept in the change log");
  }

  Result<ExitCode> run(Session& session) override {
    auto answer = session.api.write(http::Method::del, path_of({"personas", name_}), Json(nullptr),
                                    with_reason(reason_));
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), "deleted persona " + name_);
  }

 private:
  std::string name_, reason_;
};

class SwitchPersona final : public Command {
 public:
  explicit SwitchPersona(CLI::App& app) {
    app.add_option("NAME", name_, "Name of the persona; 'none' takes away what was chosen for the target")
        ->required()
        ->type_name(" ");
    target_.add_to(app, TargetOptions::With::persona);
    app.add_option("--reason", reason_, "Why; kept in the change log");
    wait_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    using For = TargetOptions::For;
    auto target = target_.target(session.api, name_ == "none" ? For::taking_away : For::something);
    if (!target) return fail(target);
    JsonObject body;
    if (!target->is_null()) body["target"] = *target;
    if (!reason_.empty()) body["reason"] = reason_;
    auto answer = session.api.write(http::Method::post, path_of({"personas", name_, "switch"}), body);
    if (!answer) return std::unexpected(with_suggestion(session, answer.error()));
    const std::string what = name_ == "none" ? fmt::format("cleared the persona of {}", target_.text())
                                             : fmt::format("switched {} to {}", target_.text(), name_);
    note_if_nobody(session, *answer);
    return finish_write(session, std::move(*answer), what, wait_, *target);
  }

 private:
  Error with_suggestion(Session& session, Error error) const {
    if (error.code != ErrorCode::not_found && error.code != ErrorCode::invalid_argument) return error;
    const auto personas = session.api.list("/api/v1/personas");
    if (!personas) return error;
    std::vector<std::string> names;
    for (const Json& persona : array_at(*personas, {"items"}))
      names.push_back(text_at(as_object(persona), {"name"}));
    const std::string meant = nearest(name_, names);
    if (!meant.empty() && meant != name_)
      error.message += fmt::format("\n  Did you mean '{}'?", printable(meant));
    return error;
  }

  std::string name_, reason_;
  TargetOptions target_;
  WaitOptions wait_;
};

}  // namespace

void add_persona_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("persona", "Personas");
  noun.require_subcommand(1);
  add_command<ListPersonas>(tree, noun, "list", "List personas");
  add_command<ShowPersona>(tree, noun, "show", "Show a persona's fields and settings");
  add_command<ImportPersonas>(tree, noun, "import", "Import a personas.json, all of it or nothing")
      .footer("Example:\n  starling persona import personas.json --wait");
  add_command<PutPersona>(tree, noun, "put", "Create or replace one persona");
  add_command<DeletePersona>(tree, noun, "delete", "Delete a persona that is active nowhere");
  add_command<SwitchPersona>(tree, noun, "switch",
                             "Make a persona the active one; without a target for the whole fleet")
      .footer(
          "Examples:\n"
          "  starling persona switch TARS --wait\n"
          "  starling persona switch TARS --on room=nursery\n"
          "  starling persona switch none --device bear-1");
}

}  // namespace starling::cli
