#include "cli/settings_queries.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "cli/answer.hpp"
#include "cli/change_text.hpp"
#include "cli/device_lookup.hpp"
#include "cli/device_view.hpp"
#include "cli/local_time.hpp"
#include "cli/module_lookup.hpp"
#include "cli/printable.hpp"
#include "cli/setting_value.hpp"
#include "cli/table.hpp"
#include "cli/whole_number.hpp"
#include "protocol/modules_document.hpp"
#include "protocol/software_document.hpp"

namespace starling::cli {
namespace {

constexpr auto key_help = "Full key or alias of a setting";

std::string value_at(const JsonObject& object, std::string_view member) {
  const Json* value = object.if_contains(member);
  return value == nullptr || value->is_null() ? std::string() : show_value(*value);
}

std::string revision_at(const JsonObject& object, std::string_view member) {
  const std::int64_t revision = number_at(object, {member});
  return revision == 0 ? std::string() : std::to_string(revision);
}

// A module of which no layer says anything is as its maker wanted it.
std::string effective_text(const JsonObject& explained) {
  const Json* effective = explained.if_contains("effective");
  if (effective != nullptr && !effective->is_null()) return show_value(*effective);
  return protocol::module_of(text_at(explained, {"key"})) ? "as it shipped" : "nothing";
}

class GetSettings final : public Command {
 public:
  explicit GetSettings(CLI::App& app) {
    app.add_option("DEVICE", device_, device_help)->required()->type_name(" ");
    app.add_option("KEY", key_, "Only this setting (full key or alias): prints its value alone")
        ->type_name(" ");
    app.add_option("--at", revision_, "As it was at that revision")->type_name("REVISION");
  }

  Result<ExitCode> run(Session& session) override {
    const auto device = find_device(session.api, device_);
    if (!device) return fail(device);
    Parameters query;
    if (!revision_.empty()) query.emplace_back("at", revision_);
    const auto answer = session.api.get(path_of({"devices", *device, "settings"}), query);
    if (!answer) return fail(answer);
    if (!key_.empty()) return show_one(session, *answer);
    if (!print_json(session, *answer)) show_all(session, *answer);
    return ExitCode::done;
  }

 private:
  Result<ExitCode> show_one(Session& session, const JsonObject& answer) const {
    std::vector<std::string> names;
    for (const auto& [name, item] : object_at(answer, {"settings"})) {
      const JsonObject& setting = as_object(item);
      const std::string alias = text_at(setting, {"alias"});
      names.emplace_back(std::string_view(name));
      if (!alias.empty()) names.push_back(alias);
      if (name != key_ && alias != key_) continue;
      if (!print_json(session, setting)) session.console.raw(value_at(setting, "value") + "\n");
      return ExitCode::done;
    }
    if (const auto module = protocol::module_of(key_)) {
      return fail(ErrorCode::not_found,
                  fmt::format("no layer says of '{}' on {} whether it is enabled: it is as it shipped (see: "
                              "starling module show {} --device {})",
                              *module, printable(device_), *module, printable(device_)));
    }
    const std::string meant = nearest(key_, names);
    return fail(
        ErrorCode::not_found,
        fmt::format("{} has no setting '{}'{}", printable(device_), printable(key_),
                    meant.empty() ? std::string() : fmt::format("; did you mean '{}'?", printable(meant))));
  }

  static void show_all(Session& session, const JsonObject& answer) {
    DeviceNames names(session.api.connection(), session.clock);
    const Terminal& terminal = session.console.out_terminal();
    Table table({{"KEY"},
                 {"VALUE", Table::Align::left, true},
                 {"UNIT"},
                 {"FROM", Table::Align::left, true},
                 {"REVISION", Table::Align::right}});
    for (const auto& [key, item] : object_at(answer, {"settings"})) {
      const JsonObject& setting = as_object(item);
      table.add({std::string(std::string_view(key)), value_at(setting, "value"), text_at(setting, {"unit"}),
                 describe_layer(text_at(setting, {"layer"}), names), revision_at(setting, "revision")});
    }
    const std::string persona = text_at(answer, {"persona"});
    session.console.line(fmt::format("desired at revision {}, persona {}", number_at(answer, {"revision"}),
                                     persona.empty() ? "none" : persona));
    session.console.raw(table.render(terminal));
    for (const auto& [key, item] : object_at(answer, {"settings"})) {
      if (const std::string why = text_at(as_object(item), {"refused"}); !why.empty())
        session.console.note(fmt::format("{} is refused there: {}", std::string_view(key), why));
    }
  }

  std::string device_, key_, revision_;
};

class ListSettings final : public Command {
 public:
  explicit ListSettings(CLI::App& app) {
    app.add_option("--layer", layer_,
                   "Only that layer: fleet, persona:TARS, group:room=lab, device:bear-1, policy, ...");
  }

  Result<ExitCode> run(Session& session) override {
    Parameters query;
    if (!layer_.empty()) {
      const auto layer = resolve_layer(session.api, layer_);
      if (!layer) return fail(layer);
      query.emplace_back("layer", *layer);
    }
    const auto list = session.api.list("/api/v1/settings", query);
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    DeviceNames names(session.api.connection(), session.clock);
    Table table({{"ON", Table::Align::left, true},
                 {"KEY"},
                 {"VALUE", Table::Align::left, true},
                 {"REVISION", Table::Align::right},
                 {"WHEN"},
                 {"BY"}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& entry = as_object(item);
      table.add({describe_layer(text_at(entry, {"layer"}), names), text_at(entry, {"key"}),
                 value_at(entry, "value"), revision_at(entry, "revision"),
                 age(text_at(entry, {"at"}), session.clock.wall()), text_at(entry, {"by"})});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    if (table.empty()) session.console.note("nothing is written there: the layers below decide");
    return ExitCode::done;
  }

 private:
  std::string layer_;
};

class ExplainSetting final : public Command {
 public:
  explicit ExplainSetting(CLI::App& app) {
    app.add_option("DEVICE", device_, device_help)->required()->type_name(" ");
    app.add_option("KEY", key_, key_help)->required()->type_name(" ");
  }

  Result<ExitCode> run(Session& session) override {
    const auto device = find_device(session.api, device_);
    if (!device) return fail(device);
    const auto answer = session.api.get("/api/v1/settings/explain", {{"device", *device}, {"key", key_}});
    if (!answer) return fail(answer);
    std::string lacks;
    const std::string key = text_at(*answer, {"key"});
    if (const auto module = protocol::module_of(key)) {
      const auto modules = modules_of(session.api, *device);
      if (!modules) return fail(modules);
      const auto found = pick_module(*modules, *module, device_ + " has");
      if (!found && array_at(*answer, {"stack"}).empty()) return fail(found);
      if (!found) lacks = fmt::format("{} has no module '{}'", device_, *module);
    }
    if (print_json(session, *answer)) return ExitCode::done;
    show(session, *answer);
    if (!lacks.empty()) session.console.note(lacks);
    return ExitCode::done;
  }

 private:
  void show(Session& session, const JsonObject& answer) const {
    DeviceNames names(session.api.connection(), session.clock);
    const Terminal& terminal = session.console.out_terminal();
    const std::string alias = text_at(answer, {"alias"});
    session.console.line(fmt::format("{}{} on {}: {}", text_at(answer, {"key"}),
                                     alias.empty() ? "" : " (" + alias + ")", device_,
                                     effective_text(answer)));
    Table table({{" "},
                 {"LAYER", Table::Align::left, true},
                 {"VALUE", Table::Align::left, true},
                 {"REVISION", Table::Align::right},
                 {"WHEN"},
                 {"BY"},
                 {"WHY", Table::Align::left, true}});
    for (const Json& item : array_at(answer, {"stack"})) {
      const JsonObject& entry = as_object(item);
      const bool wins = flag_at(entry, {"in_force"});
      const Colour colour = wins ? Colour::green : Colour::dim;
      const std::string rollout = text_at(entry, {"rollout"});
      table.add({wins ? ">" : " ",
                 {describe_layer(text_at(entry, {"layer"}), names) +
                      (rollout.empty() ? "" : ", by rollout " + rollout),
                  colour},
                 {value_at(entry, "value"), colour},
                 revision_at(entry, "revision"),
                 age(text_at(entry, {"at"}), session.clock.wall()),
                 text_at(entry, {"by"}),
                 text_at(entry, {"reason"})});
    }
    session.console.raw(table.render(terminal));
    const bool keeps = !protocol::module_of(text_at(answer, {"key"}));  // modules are taken back
    if (table.empty() && keeps)
      session.console.note("no layer says anything of it: the device keeps what it has");
    const std::string running = value_at(answer, "running");
    const std::string sync = text_at(answer, {"sync"});
    if (!running.empty() || !sync.empty()) {
      session.console.line(fmt::format("reported by the device: {}{}", running.empty() ? "unknown" : running,
                                       sync.empty() ? "" : " (" + sync + ")"));
    }
    if (const std::string why = text_at(answer, {"why"}); !why.empty()) {
      session.console.line(fmt::format("refused there: {}", why));
      const std::string key = text_at(answer, {"key"});
      if (!protocol::module_of(key) && key != protocol::software_release_key)
        session.console.note(fmt::format("once its cause is gone: starling settings retry {}", device_));
    }
  }

  std::string device_, key_;
};

class DiffSettings final : public Command {
 public:
  explicit DiffSettings(CLI::App& app) {
    app.add_option("DEVICES", devices_, "Two devices to compare")->expected(0, 2)->type_name(" ");
    app.add_option("--device", device_, "One device, whose revisions are compared")->type_name("DEVICE");
    app.add_option("--from", from_, "Revision on the left")->type_name("REVISION");
    app.add_option("--to", to_, "Revision on the right")->type_name("REVISION");
    app.parse_complete_callback([this] { check(); });
  }

  Result<ExitCode> run(Session& session) override {
    Parameters query;
    std::string left = from_;
    std::string right = to_;
    if (devices_.size() == 2) {
      const auto a = find_device(session.api, devices_[0]);
      if (!a) return fail(a);
      const auto b = find_device(session.api, devices_[1]);
      if (!b) return fail(b);
      query = {{"device", *a}, {"other", *b}};
      left = devices_[0];
      right = devices_[1];
    } else {
      if (!device_.empty()) {
        const auto device = find_device(session.api, device_);
        if (!device) return fail(device);
        query.emplace_back("device", *device);
      }
      query.emplace_back("from", from_);
      query.emplace_back("to", to_);
    }
    const auto answer = session.api.get("/api/v1/settings/diff", query);
    if (!answer) return fail(answer);
    if (!print_json(session, *answer)) show(session, *answer, left, right);
    return ExitCode::done;
  }

 private:
  void check() const {
    const bool revisions = !from_.empty() && !to_.empty();
    const bool no_revisions = from_.empty() && to_.empty();
    const bool two_devices = devices_.size() == 2 && device_.empty() && no_revisions;
    if (!two_devices && !(devices_.empty() && revisions)) {
      throw CLI::ValidationError("settings diff",
                                 "name two devices, or --from R --to R, or --device D --from R --to R");
    }
  }

  static void show(Session& session, const JsonObject& answer, const std::string& left,
                   const std::string& right) {
    DeviceNames names(session.api.connection(), session.clock);
    Table table({{"KEY"},
                 {left, Table::Align::left, true},
                 {right, Table::Align::left, true},
                 {"FROM", Table::Align::left, true}});
    for (const Json& item : array_at(answer, {"items"})) {
      const JsonObject& entry = as_object(item);
      const auto layer = [&](std::string_view member) {
        const std::string text = text_at(entry, {member});
        return text.empty() ? std::string("-") : describe_layer(text, names);
      };
      const std::string from = layer("left_layer");
      const std::string to = layer("right_layer");
      table.add({text_at(entry, {"key"}), value_at(entry, "left"), value_at(entry, "right"),
                 from == to ? from : from + " / " + to});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    if (table.empty()) session.console.line("no differences");
  }

  std::vector<std::string> devices_;
  std::string device_, from_, to_;
};

class SettingHistory final : public Command {
 public:
  explicit SettingHistory(CLI::App& app) {
    app.add_option("KEY", key_, key_help)->required()->type_name(" ");
    app.add_option("--layer", layer_, "Only in that layer: fleet, persona:TARS, device:bear-1, ...");
    app.add_option("-n", count_, "Show the newest COUNT; 0: all")
        ->type_name("COUNT")
        ->capture_default_str()
        ->check(whole_number(0));
  }

  Result<ExitCode> run(Session& session) override {
    Parameters query{{"key", key_}};
    if (!layer_.empty()) {
      const auto layer = resolve_layer(session.api, layer_);
      if (!layer) return fail(layer);
      query.emplace_back("layer", *layer);
    }
    const auto list = session.api.list("/api/v1/settings/history", query, count_);
    if (!list) return fail(list);
    if (print_json(session, *list)) return ExitCode::done;
    DeviceNames names(session.api.connection(), session.clock);
    Table table({{"REVISION", Table::Align::right},
                 {"WHEN"},
                 {"BY"},
                 {"ON", Table::Align::left, true},
                 {"BEFORE", Table::Align::left, true},
                 {"AFTER", Table::Align::left, true},
                 {"WHY", Table::Align::left, true}});
    for (const Json& item : array_at(*list, {"items"})) {
      const JsonObject& entry = as_object(item);
      table.add({revision_at(entry, "revision"), local_date(text_at(entry, {"at"})), text_at(entry, {"by"}),
                 describe_layer(text_at(entry, {"layer"}), names), value_at(entry, "before"),
                 value_at(entry, "after"), text_at(entry, {"reason"})});
    }
    session.console.raw(table.render(session.console.out_terminal()));
    if (table.empty()) session.console.note("it was never written: the default holds");
    return ExitCode::done;
  }

 private:
  std::string key_, layer_;
  std::size_t count_ = 20;
};

}  // namespace

void add_settings_queries(CommandTree& tree, CLI::App& noun) {
  add_command<GetSettings>(tree, noun, "get",
                           "The values that are desired of a device, and where each comes from")
      .footer("Examples:\n  starling settings get bear-1\n  starling settings get bear-1 hotword.threshold");
  add_command<ListSettings>(tree, noun, "list", "The values as written, layer by layer");
  add_command<ExplainSetting>(
      tree, noun, "explain",
      "Why a device has a value: every layer that has a say, who wrote it, when and why");
  add_command<DiffSettings>(tree, noun, "diff", "Compare two devices, or two revisions")
      .footer(
          "Examples:\n"
          "  starling settings diff bear-1 bear-2\n"
          "  starling settings diff --device bear-1 --from 398 --to 412\n"
          "  starling settings diff --from 398 --to 412");
  add_command<SettingHistory>(tree, noun, "history", "Who changed a setting, when and why, newest first");
}

}  // namespace starling::cli
