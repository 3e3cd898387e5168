#include "cli/settings_commands.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "cli/answer.hpp"
#include "cli/assignment.hpp"
#include "cli/printable.hpp"
#include "cli/setting_value.hpp"
#include "cli/settings_queries.hpp"
#include "cli/settings_write.hpp"
#include "cli/whole_number.hpp"
#include "cli/write_outcome.hpp"

namespace starling::cli {
namespace {

// What set and unset have in common.
class WriteSettings : public Command {
 public:
  explicit WriteSettings(CLI::App& app) {
    app.add_option("--expect", expected_,
                   "Write only if KEY still has VALUE in that layer (null: nothing); repeatable")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false)
        ->check(assignment());
    write_.add_to(app);
  }

  Result<ExitCode> run(Session& session) final {
    const auto components = session.api.list("/api/v1/components");
    if (!components) return fail(components);
    const SettingCatalog catalog(*components);
    auto values = values_to_write(catalog);
    if (!values) return fail(values);
    auto expected = expected_values(catalog);
    if (!expected) return fail(expected);
    const bool takes_away =
        std::ranges::all_of(*values, [](const auto& member) { return member.value().is_null(); });
    auto target = write_.target(session.api,
                                takes_away ? TargetOptions::For::taking_away : TargetOptions::For::something);
    if (!target) return fail(target);
    const std::string done = what(*values);
    return write_.send(session, *target, std::move(*values), std::move(*expected), done);
  }

 protected:
  virtual Result<JsonObject> values_to_write(const SettingCatalog& catalog) const = 0;
  virtual std::string what(const JsonObject& values) const = 0;

 private:
  Result<JsonObject> expected_values(const SettingCatalog& catalog) const {
    JsonObject expected;
    for (const std::string& text : expected_) {
      const auto assigned = parse_assignment(text);
      if (!assigned) return fail(assigned);
      const auto key = catalog.full_key(assigned->key);
      if (!key) return fail(key);
      auto value = catalog.parse_expected(*key, assigned->text);
      if (!value) return fail(value);
      expected[*key] = std::move(*value);
    }
    return expected;
  }

  SettingsWrite write_;
  std::vector<std::string> expected_;
};

class SetSettings final : public WriteSettings {
 public:
  explicit SetSettings(CLI::App& app) : WriteSettings(app) {
    app.add_option(
           "ASSIGNMENTS", assignments_,
           "KEY=VALUE; a key is a full key or an alias, a value is JSON or, where the setting is text, the "
           "text itself")
        ->required()
        ->type_name(" ")
        ->check(assignment());
  }

 private:
  Result<JsonObject> values_to_write(const SettingCatalog& catalog) const override {
    return catalog.parse_values(assignments_);
  }

  std::string what(const JsonObject& values) const override {
    std::string out = "set ";
    std::string_view separator = "";
    for (const auto& [key, value] : values) {
      out += fmt::format("{}{} = {}", separator, std::string_view(key), cut_to_width(show_value(value), 48));
      separator = ", ";
    }
    return out;
  }

  std::vector<std::string> assignments_;
};

class UnsetSettings final : public WriteSettings {
 public:
  explicit UnsetSettings(CLI::App& app) : WriteSettings(app) {
    app.add_option("KEYS", keys_, "Full keys or aliases")->required()->type_name(" ");
  }

 private:
  Result<JsonObject> values_to_write(const SettingCatalog& catalog) const override {
    JsonObject values;
    for (const std::string& name : keys_) {
      const auto key = catalog.full_key(name);
      if (!key) return fail(key);
      values[*key] = nullptr;
    }
    return values;
  }

  std::string what(const JsonObject& values) const override {
    std::string out = "unset ";
    std::string_view separator = "";
    for (const auto& [key, value] : values) {
      out += separator;
      out += std::string_view(key);
      separator = ", ";
    }
    return out;
  }

  std::vector<std::string> keys_;
};

class RollBack final : public Command {
 public:
  explicit RollBack(CLI::App& app) {
    app.add_option("REVISION", revision_, "The revision at which everything was right")
        ->required()
        ->type_name(" ")
        ->check(whole_number(0));
    app.add_option("--reason", reason_, "Why; kept in the change log");
    wait_.add_to(app);
  }

  Result<ExitCode> run(Session& session) override {
    JsonObject body{{"revision", revision_}};
    if (!reason_.empty()) body["reason"] = reason_;
    auto answer = session.api.write(http::Method::post, "/api/v1/settings/rollback", body);
    if (!answer) return fail(answer);
    return finish_write(session, std::move(*answer), fmt::format("rolled back to revision {}", revision_),
                        wait_);
  }

 private:
  std::int64_t revision_ = 0;
  std::string reason_;
  WaitOptions wait_;
};

}  // namespace

void add_settings_commands(CommandTree& tree) {
  CLI::App& noun = *tree.root().add_subcommand("settings", "Settings");
  noun.require_subcommand(1);
  add_settings_queries(tree, noun);
  add_command<SetSettings>(tree, noun, "set",
                           "Write values, all or none; without a target for the whole fleet")
      .footer(
          "Examples:\n"
          "  starling settings set hotword.threshold=0.6\n"
          "  starling settings set 'HOTWORD_MODELS=[\"Hey_Tars.tflite\"]' --on room=nursery --wait\n"
          "  starling settings set logger.level=DEBUG --device bear-1 --expect logger.level=INFO --reason "
          "'case 71'");
  add_command<UnsetSettings>(tree, noun, "unset", "Take values away, so that the layers below decide");
  add_command<RollBack>(
      tree, noun, "rollback",
      "Set all settings, personas and groups back as they were: a new change, which can be rolled "
      "back too. Groups that have come since stay, without values");
}

}  // namespace starling::cli
