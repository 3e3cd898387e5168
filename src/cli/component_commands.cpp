#include "cli/component_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/answer.hpp"
#include "cli/printable.hpp"
#include "cli/table.hpp"

namespace starling::cli {
namespace {

class ListComponents final : public Command {
 public:
  explicit ListComponents(CLI::App&) {}

  Result<ExitCode> run(Session& session) override {
    const auto list = session.api.list("/api/v1/components");
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    Table table({{"NAME"}, {"SETTINGS", Table::Align::right}, {"WHAT IT IS", Table::Align::left, true}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& component = as_object(item);
      const std::string description = text_at(component, {"description"});
      table.add({text_at(component, {"x-component"}),
                 std::to_string(object_at(component, {"properties"}).size()),
                 description.empty() ? text_at(component, {"title"}) : description});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    return ExitCode::done;
  }
};

// "number, 0 to 1", "one of DEBUG, INFO", "list of string".
std::string type_text(const JsonObject& schema) {
  if (const JsonArray& values = array_at(schema, {"enum"}); !values.empty())
    return "one of " + joined(values);
  const Json* type = find(schema, {"type"});
  std::string out = type == nullptr    ? std::string("any")
                    : type->is_array() ? joined(type->get_array(), "|")
                                       : text_at(schema, {"type"});
  if (out == "array") {
    const std::string item = text_at(schema, {"items", "type"});
    out = item.empty() ? "list" : "list of " + item;
  }
  const Json* least = find(schema, {"minimum"});
  const Json* most = find(schema, {"maximum"});
  if (least != nullptr && most != nullptr)
    return fmt::format("{}, {} to {}", out, show_value(*least), show_value(*most));
  if (least != nullptr) return fmt::format("{}, from {}", out, show_value(*least));
  if (most != nullptr) return fmt::format("{}, up to {}", out, show_value(*most));
  return out;
}

class ShowComponent final : public Command {
 public:
  explicit ShowComponent(CLI::App& app) {
    app.add_option("NAME", name_, "Its name")->required()->type_name(" ");
  }

  Result<ExitCode> run(Session& session) override {
    const auto component = session.api.get(path_of({"components", name_}));
    if (!component) return fail(component);
    if (print_json(session, *component)) return ExitCode::done;
    const std::string description = text_at(*component, {"description"});
    session.console.line(description.empty() ? text_at(*component, {"title"}) : description);
    Table table({{"SETTING"},
                 {"ALIAS"},
                 {"TYPE", Table::Align::left, true},
                 {"UNIT"},
                 {"DEFAULT", Table::Align::left, true},
                 {"WHAT IT DOES", Table::Align::left, true}});
    for (const auto& [property, item] : object_at(*component, {"properties"})) {
      const JsonObject& schema = as_object(item);
      const Json* value = find(schema, {"default"});
      table.add({name_ + "." + std::string(std::string_view(property)), text_at(schema, {"x-alias"}),
                 type_text(schema), text_at(schema, {"x-unit"}),
                 value == nullptr ? std::string() : show_value(*value), text_at(schema, {"description"})});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    return ExitCode::done;
  }

 private:
  std::string name_;
};

}  // namespace

void add_component_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("component", "Components, which declare the settings");
  noun.require_subcommand(1);
  add_command<ListComponents>(tree, noun, "list", "List components");
  add_command<ShowComponent>(tree, noun, "show", "The settings of a component: type, unit, default, meaning");
}

}  // namespace starling::cli
