// A module on the device has a say: what it refuses leaves everything at the old values and shows at the hub.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/build_folders.hpp"
#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;

struct Detector {
  const char* name;
  std::filesystem::path program;
};

class ModuleSays : public testing::TestWithParam<Detector> {
 protected:
  ModuleSays() {
    std::filesystem::create_directory(models);
    write_text(models / "Tars.tflite", "a model");
    module.emplace(Process::Options{.program = GetParam().program,
                                    .arguments = {models.string(), (device.state() / "agent.sock").string()},
                                    .environment = {},
                                    .output = fleet.folder() / "module.log"});
    await_module("listening with models []");
  }

  void set(const JsonObject& values) {
    fleet.hub().call("PUT", "/api/v1/settings", JsonObject{{"values", values}});
  }
  void await_module(const std::string& text) {
    eventually("the module to say " + text, [&] {
      if (!module->running()) throw std::runtime_error("the module has ended: " + module->output());
      return module->output().find(text) != std::string::npos;
    });
  }

  Fleet fleet{{"nursery"}};
  AgentProcess& device = fleet.device("nursery");
  const std::filesystem::path models = fleet.folder() / "models";
  std::optional<Process> module;
};

TEST_P(ModuleSays, ReinitialisesOnAChangeOfItsSettings) {
  set({{"hotword.models", JsonArray{"Tars.tflite"}}});
  fleet.await_applied();
  await_module("Tars.tflite");
  EXPECT_EQ(device.overrides().at("HOTWORD_MODELS"), Json(JsonArray{"Tars.tflite"}));
}

TEST_P(ModuleSays, RefusesAMissingModelAndNothingChangesAnywhere) {
  set({{"hotword.models", JsonArray{"Tars.tflite"}}, {"audio.volume", 10}});
  await_module("Tars.tflite");
  fleet.await_applied();
  const JsonObject before = device.overrides();

  set({{"hotword.models", JsonArray{"Missing.tflite"}}, {"audio.volume", 90}});
  fleet.await_status("nursery", "refused");
  EXPECT_EQ(device.overrides(), before);
  const Json errors = fleet.hub().device("nursery").at("sync").at("errors");
  ASSERT_EQ(errors.as_array().size(), 2u) << boost::json::serialize(errors);
  EXPECT_EQ(errors.at(0).at("key"), Json("hotword.models"));
  EXPECT_EQ(errors.at(1).at("key"), Json("audio.volume")) << "it came with that";
  EXPECT_THAT(std::string(errors.at(0).at("message").as_string()), HasSubstr("Missing.tflite"));
  EXPECT_EQ(module->output().find("Missing.tflite"), std::string::npos) << "it was never in force";

  const Finished waited = fleet.hub().command({"changes", "wait", std::to_string(fleet.hub().head())});
  EXPECT_EQ(waited.status, 3) << waited.output;  // refused
  EXPECT_THAT(waited.output, HasSubstr("Missing.tflite"));

  set({{"hotword.cooldown", 7}});
  const Finished next = fleet.hub().command({"changes", "wait", std::to_string(fleet.hub().head())});
  EXPECT_EQ(next.status, 0) << "what came after it is no matter of that: " << next.output;
  EXPECT_EQ(device.overrides().at("HOTWORD_MODELS"), before.at("HOTWORD_MODELS"));
  fleet.await_status("nursery", "refused");
  const Finished why = fleet.hub().command({"settings", "explain", "nursery", "hotword.models"});
  EXPECT_THAT(why.output, HasSubstr("refused there: "));
  EXPECT_THAT(why.output, HasSubstr("starling settings retry nursery"));

  write_text(models / "Missing.tflite", "a model");
  const Finished retried = fleet.hub().command({"settings", "retry", "nursery", "--wait"});
  EXPECT_EQ(retried.status, 0) << retried.output;
  await_module("Missing.tflite");
  fleet.await_applied();
  EXPECT_EQ(device.overrides().at("AUDIO_VOLUME"), Json(90));
}

INSTANTIATE_TEST_SUITE_P(Examples, ModuleSays,
                         testing::Values(Detector{"Cpp", "hotword-module"},
                                         Detector{"Python", source_folder() /
                                                                "examples/modules/hotword_py/hotword.py"}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
}  // namespace starling::e2e
