#include "cli/group_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/answer.hpp"
#include "cli/table.hpp"
#include "cli/write_outcome.hpp"

namespace starling::cli {
namespace {

class ListGroups final : public Command {
 public:
  explicit ListGroups(CLI::App&) {}

  Result<ExitCode> run(Session& session) override {
    const auto list = session.api.list("/api/v1/groups");
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    Table table({{"NAME", Table::Align::left, true},
                 {"SELECTOR", Table::Align::left, true},
                 {"PRIORITY", Table::Align::right},
                 {"DEVICES", Table::Align::right}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& group = as_object(item);
      const bool counts = find(group, {"devices"}) != nullptr;
      table.add({text_at(group, {"name"}), text_at(group, {"selector"}),
                 std::to_string(number_at(group, {"priority"})),
                 counts ? std::to_string(number_at(group, {"devices"})) : std::string()});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    if (table.empty())
      session.console.note("no groups; --on SELECTOR makes one when something is written to it");
    return ExitCode::done;
  }
};

class SetGroup final : public Command {
 public:
  explicit SetGroup(CLI::App& app) {
    app.add_option("NAME", name_, "Its name")->required()->type_name(" ");
    app.add_option("SELECTOR", selector_, "Which devices are in it, e.g. 'room=nursery,kind!=lab'")
        ->required()
        ->type_name(" ");
    app.add_option("--priority", priority_, "Where a device is in several groups, the higher one wins")
        ->capture_default_str();
    app.add_option("--reason", reason_, "Why; kept in the change log");
    wait_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    JsonObject body{{"selector", selector_}, {"priority", priority_}};
    if (!reason_.empty()) body["reason"] = reason_;
    auto answer = session.api.write(http::Method::put, path_of({"groups", name_}), body);
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), fmt::format("group {} is {}", name_, selector_), wait_);
  }

 private:
  std::string name_, selector_, reason_;
  std::int64_t priority_ = 0;
  WaitOptions wait_;
};

class DeleteGroup final : public Command {
 public:
  explicit DeleteGroup(CLI::App& app) {
    app.add_option("NAME", name_, "Its name")->required()->type_name(" ");
    app.add_option("--reason", reason_, "Why; kept in the change log");
    wait_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    Parameters query;
    if (!reason_.empty()) query.emplace_back("reason", reason_);
    auto answer = session.api.write(http::Method::del, path_of({"groups", name_}), Json(nullptr), query);
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), "deleted group " + name_ + " and its layer", wait_);
  }

 private:
  std::string name_, reason_;
  WaitOptions wait_;
};

}  // namespace

void add_group_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("group", "Groups, which are named label selectors");
  noun.require_subcommand(1);
  add_command<ListGroups>(tree, noun, "list", "List groups");
  add_command<SetGroup>(tree, noun, "set", "Create or replace a group")
      .footer("Example:\n  starling group set night-lights room=nursery --priority 10");
  add_command<DeleteGroup>(tree, noun, "delete", "Delete a group and what was written for it");
}

}  // namespace starling::cli
