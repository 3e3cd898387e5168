// A persona's sound from the operator's command line to the device that plays it, with the real programs in
// between.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class Assets : public testing::Test {
 protected:
  static std::string sound(std::string_view seed, std::size_t bytes) {
    std::string content;
    while (content.size() < bytes)
      content += sha256(std::string(seed) + std::to_string(content.size())).hex();
    return content;
  }
  std::string file(const std::string& name, const std::string& content) const {
    write_text(fleet.folder() / name, content);
    return (fleet.folder() / name).string();
  }
  void put_persona(const std::string& name, const std::string& asset) {
    const Json fields{
        {"assets", JsonArray{JsonString(asset)}},
        {"pi_config", JsonObject{{"ACKNOWLEDGEMENT_AUDIO_FILES", JsonArray{JsonString(asset)}}}}};
    fleet.hub().call("PUT", "/api/v1/personas/" + name, fields);
  }
  fs::path on_device(const std::string& content) {
    return fleet.device("nursery").state() / "assets" / (sha256(content).hex() + ".wav");
  }
  Finished command(std::vector<std::string> arguments) { return fleet.hub().command(std::move(arguments)); }

  Fleet fleet{{"nursery"}};
};

TEST_F(Assets, APersonasSoundIsThereBeforeThePersonaIs) {
  const std::string moo = sound("moo", 3'000'000);
  ASSERT_EQ(command({"asset", "add", "moo.wav", file("moo.wav", moo)}).status, 0);
  put_persona("Cow", "moo.wav");
  const Finished switched = command({"persona", "switch", "Cow", "--wait"});
  EXPECT_EQ(switched.status, 0) << switched.output;
  EXPECT_EQ(read_text(on_device(moo)), moo);
  EXPECT_EQ(fleet.device("nursery").overrides().at("ACKNOWLEDGEMENT_AUDIO_FILES"),
            Json(JsonArray{"moo.wav"}));
  const Finished removed = command({"asset", "remove", "moo.wav"});
  EXPECT_EQ(removed.status, 1);
  EXPECT_THAT(removed.output, HasSubstr("persona:Cow"));
  EXPECT_THAT(command({"asset", "list"}).output, HasSubstr("moo.wav"));

  const std::string other = sound("another moo", 1'000);
  const Finished added = command({"asset", "add", "moo.wav", file("other.wav", other), "--wait"});
  EXPECT_EQ(added.status, 0) << added.output;
  EXPECT_EQ(read_text(on_device(other)), other);

  EXPECT_EQ(command({"persona", "switch", "none", "--wait"}).status, 0);
  EXPECT_EQ(command({"persona", "delete", "Cow"}).status, 0);
  EXPECT_EQ(command({"asset", "remove", "moo.wav"}).status, 0);
  eventually("the device has given up the sound", [&] { return !fs::exists(on_device(other)); });
}

TEST_F(Assets, AHubThatDiesInTheMiddleIsGoneOnWith) {
  const std::string moo = sound("moo", 48'000'000);
  ASSERT_EQ(command({"asset", "add", "moo.wav", file("moo.wav", moo)}).status, 0);
  put_persona("Cow", "moo.wav");
  fleet.hub().call("POST", "/api/v1/personas/Cow/switch", JsonObject{});
  fs::path part = on_device(moo);
  part += ".part";
  eventually("the sound is on its way", [&] { return fs::exists(part) || fs::exists(on_device(moo)); });
  fleet.hub().kill();
  fleet.hub().start();
  fleet.await_applied();
  EXPECT_EQ(sha256(read_text(on_device(moo))), sha256(moo));
}

TEST_F(Assets, AHubThatDiesDuringAnUploadHasKeptNothingHalf) {
  const std::string moo = sound("moo", 3'000'000);
  const fs::path uploads = fleet.hub().data() / "assets/default/uploads";
  ASSERT_EQ(command({"asset", "add", "moo.wav", file("moo.wav", moo)}).status, 0);
  write_text(uploads / "half.part", moo.substr(0, 1'000));
  fleet.hub().kill();
  fleet.hub().start();
  EXPECT_TRUE(!fs::exists(uploads) || fs::is_empty(uploads));
  EXPECT_EQ(fleet.hub().call("GET", "/api/v1/assets/moo.wav").at("size"), Json(moo.size()));
}

TEST_F(Assets, ComeBackFromABackupAndToTheOperator) {
  const std::string moo = sound("moo", 3'000'000);
  ASSERT_EQ(command({"asset", "add", "moo.wav", file("moo.wav", moo)}).status, 0);
  const std::string saved = (fleet.folder() / "hub.backup").string();
  const auto hub_program = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"--data", fleet.hub().data().string()});
    return run({.program = "starling-hub",
                .arguments = std::move(arguments),
                .environment = {},
                .output = fleet.folder() / "backup.log"});
  };
  const Finished backed_up = hub_program({"backup", saved});
  EXPECT_THAT(backed_up.output, HasSubstr("hub.backup.assets"));
  ASSERT_EQ(fleet.hub().stop(), 0);
  fs::remove_all(fleet.hub().data() / "assets");
  const Finished restored = hub_program({"restore", saved});
  ASSERT_EQ(restored.status, 0) << restored.output;
  fleet.hub().start();

  const fs::path copy = fleet.folder() / "copy.wav";
  write_text(copy.string() + ".part", moo.substr(0, 1'000'000));
  const Finished fetched = command({"asset", "download", "moo.wav", copy.string()});
  EXPECT_EQ(fetched.status, 0) << fetched.output;
  EXPECT_EQ(sha256(read_text(copy)), sha256(moo));
}

TEST_F(Assets, OneThatTheHubHasLostIsSaid) {
  const std::string moo = sound("moo", 3'000);
  ASSERT_EQ(command({"asset", "add", "moo.wav", file("moo.wav", moo)}).status, 0);
  fs::remove(fleet.hub().data() / "assets/default" / sha256(moo).hex());
  put_persona("Cow", "moo.wav");
  fleet.hub().call("POST", "/api/v1/personas/Cow/switch", JsonObject{});
  fleet.await_status("nursery", "staging");
  eventually("the device has said why", [&] {
    return command({"device", "show", "nursery"}).output.find("moo.wav") != std::string::npos;
  });
  ASSERT_EQ(command({"asset", "add", "moo.wav", file("moo.wav", moo)}).status, 0);
  fleet.await_applied();
  EXPECT_EQ(read_text(on_device(moo)), moo);
}

}  // namespace
}  // namespace starling::e2e
