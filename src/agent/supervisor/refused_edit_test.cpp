// What was said of a module on the device, and the hub did not accept: who said it finds out.
#include <gmock/gmock.h>

#include "agent/supervisor/supervisor_fixture.hpp"

namespace starling::agent {
namespace {

namespace fs = std::filesystem;

class RefusedEdit : public SupervisorFixture {
 protected:
  void SetUp() override {
    write_module("recorder", "exec = 'run'\n", "enabled = true\n");
    start();
  }
  void toggle(bool enabled) {
    supervisor->command("recorder", enabled ? ModuleCommand::enable : ModuleCommand::disable,
                        [this](const Result<ModuleState>& settled) {
                          answer = settled ? std::string(to_string(*settled)) : settled.error().message;
                        });
  }
  std::string proposed() const { return device->section().pending_edits().at(0).id; }
  void refuse(const std::string& edit) {
    protocol::ConfigProposed answer;
    answer.id = edit;
    answer.hub_value = true;
    answer.message = "modules.recorder.enabled is set by policy";
    device->section().settle_edit(answer);
  }
  std::string told() const {
    const JsonObject module = supervisor->descriptions().at("recorder").as_object();
    return module.contains("edit_refused") ? std::string(module.at("edit_refused").as_string()) : "";
  }

  std::string answer;
};

TEST_F(RefusedEdit, IsToldUntilTheModuleIsToggledAgain) {
  toggle(false);
  const std::string when = to_rfc3339(clock.wall());
  EXPECT_EQ(told(), "");
  clock.advance(Seconds(3600));  // without a hub
  refuse(proposed());
  const std::string text = "disabled here at " + when +
                           ", which the hub did not accept: modules.recorder.enabled is set by policy; its "
                           "value stands";
  EXPECT_EQ(told(), text);
  turn();
  EXPECT_EQ(answer, text) << "to whom the command was answered while the module ended";
  EXPECT_EQ(supervisor->descriptions().at("recorder").at("enabled"), Json(true));
  want({{"recorder", true}});
  EXPECT_EQ(told(), text) << "that is the value that stands";
  toggle(false);
  EXPECT_EQ(told(), "");
}

TEST_F(RefusedEdit, IsToldUntilTheHubSaysSomethingElse) {
  want({{"recorder", true}});
  toggle(false);
  refuse(proposed());
  EXPECT_NE(told(), "");
  want({{"recorder", false}});
  EXPECT_EQ(told(), "");
}

TEST_F(RefusedEdit, IsNotToldWhereTheModuleHasBeenToggledSince) {
  toggle(false);
  const std::string first = proposed();
  device->section().mark_edits_sent();
  toggle(true);
  refuse(first);
  EXPECT_EQ(told(), "");
}

TEST_F(RefusedEdit, GoesWithTheFolder) {
  toggle(false);
  refuse(proposed());
  fs::rename(modules() / "recorder", folder / "recorder");
  eventually([this] { return !supervisor->has("recorder"); });
  fs::rename(folder / "recorder", modules() / "recorder");
  eventually([this] {
    clock.advance(ArrivingFolders::quiet);
    supervisor->tick();
    return supervisor->has("recorder");
  });
  EXPECT_EQ(told(), "");
}

}  // namespace
}  // namespace starling::agent
