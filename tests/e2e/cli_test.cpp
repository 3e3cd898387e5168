// The command line against a real hub with real devices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;

struct Step {
  std::vector<std::string> arguments;
  int status;
  std::string said;
};

void walk(const HubProcess& hub, const std::vector<Step>& steps) {
  for (const Step& step : steps) {
    const Finished finished = hub.command(step.arguments);
    EXPECT_EQ(finished.status, step.status) << testing::PrintToString(step.arguments) << finished.output;
    EXPECT_THAT(finished.output, HasSubstr(step.said)) << testing::PrintToString(step.arguments);
  }
}

std::size_t times(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

TEST(Cli, ChangesReachDevicesAndAreExplained) {
  Fleet fleet({"bear", "frog"});
  const auto personas = fleet.folder() / "personas.json";
  write_text(personas, R"({"TARS": {"voice_id": "v", "pi_config": {"HOTWORD_PHRASE": "hey tars"}}})");
  walk(fleet.hub(),
       {{{"fleet", "status"}, 0, "2, 2 online"},
        {{"device", "label", "bear", "room=nursery", "kind=toy"}, 0, "labelled bear"},
        {{"device", "label", "bear", "kind-"}, 0, "labelled bear"},
        {{"device", "list", "--on", "room=nursery"}, 0, "room=nursery"},
        {{"persona", "import", personas.string()}, 0, "imported 1 persona"},
        {{"persona", "switch", "TRAS"}, 1, "Did you mean 'TARS'?"},
        {{"persona", "switch", "TARS", "--wait"}, 0, "applied by 2 of 2 devices"},
        {{"settings", "get", "frog", "HOTWORD_PHRASE"}, 0, "hey tars\n"},
        {{"settings", "set", "hotword.threshold=0.7", "--on", "room=nursery", "--wait"},
         0,
         "by 1 of 1 device"},
        {{"settings", "set", "hotword.threshold=0.2", "--device", "bear", "--wait"}, 0, "by 1 of 1 device"},
        {{"settings", "set", "hotword.threshold=0.8", "--on", "room=nursery"},
         0,
         "1 written value not in force"},
        {{"settings", "set", "hotword.threshold=1", "--device", "bear", "--expect", "hotword.threshold=0.3"},
         1,
         "you expected 0.3, it is 0.2"},
        {{"settings", "set", "hotword.threshold=9"}, 1, "hotword.threshold"},
        {{"settings", "explain", "bear", "hotword.threshold"}, 0, "group room=nursery"},
        {{"settings", "diff", "bear", "frog"}, 0, "hotword.threshold"},
        {{"settings", "history", "hotword.threshold"}, 0, "first admin key"},
        {{"settings", "unset", "hotword.threshold", "--device", "bear", "--wait"}, 0, "by 1 of 1 device"},
        {{"device", "identify", "bear", "--wait"}, 3, "shown by no module"},
        {{"device", "rename", "frog", "toad"}, 0, "renamed frog to toad"},
        {{"changes", "-n", "1"}, 0, "name frog → toad"},
        {{"device", "show", "frog"}, 1, "no device has the name or UUID 'frog'"},
        {{"device", "remove", "toad", "--yes"}, 0, "removed toad"}});
}

TEST(Cli, RollingBackBringsEarlierValuesToTheDevices) {
  Fleet fleet({"bear"});
  walk(fleet.hub(), {{{"settings", "set", "hotword.threshold=0.7", "--wait"}, 0, "by 1 of 1 device"}});
  const std::string revision = std::to_string(fleet.hub().head());
  walk(fleet.hub(), {{{"settings", "set", "hotword.threshold=0.1", "--wait"}, 0, "by 1 of 1 device"},
                     {{"settings", "rollback", revision, "--wait"}, 0, "by 1 of 1 device"},
                     {{"settings", "get", "bear", "hotword.threshold"}, 0, "0.7\n"}});
}

TEST(Cli, AComponentIsAddedAsAFileAndWhoLacksItIsTold) {
  Fleet fleet({"bear", "frog"});
  constexpr std::string_view lamp =
      R"({"x-component": "lamp", "title": "Lamp", "type": "object", "properties": {
      "brightness": {"type": "integer", "default": 10, "x-alias": "LAMP_BRIGHTNESS"}}})";
  EXPECT_EQ(fleet.hub().stop(), 0);
  EXPECT_EQ(fleet.device("bear").stop(), 0);
  for (const auto& folder : {fleet.hub().data(), fleet.device("bear").state()}) {
    std::filesystem::create_directories(folder / "components");
    write_text(folder / "components/lamp.json", lamp);
  }
  fleet.hub().start();
  fleet.device("bear").start();
  fleet.await_applied();
  walk(fleet.hub(),
       {{{"settings", "set", "LAMP_BRIGHTNESS=55", "--wait"}, 0, "applied by 1 of 2 devices"},
        {{"settings", "get", "bear", "lamp.brightness"}, 0, "55\n"},
        {{"changes", "wait", std::to_string(fleet.hub().head() + 1)}, 0, "without the setting: frog"}});
}

TEST(Cli, WaitingTellsDevicesThatAreAway) {
  Fleet fleet({"bear", "frog"});
  fleet.device("frog").kill();
  fleet.await_status("frog", "offline");
  walk(fleet.hub(),
       {{{"settings", "set", "hotword.threshold=0.7", "--wait"}, 4, "will get it when back: frog"}});
  const std::string revision = std::to_string(fleet.hub().head());
  fleet.device("frog").start();
  fleet.await_applied("frog");
  walk(fleet.hub(), {{{"changes", "wait", revision}, 0, "applied by 2 of 2 devices"}});
}

TEST(Cli, AWatchOutlivesItsHub) {
  Fleet fleet({});
  HubProcess& hub = fleet.hub();
  Process watch({.program = "starling",
                 .arguments = {"changes", "--watch", "-n", "1"},
                 .environment = {{"STARLING_HUB", hub.url()}, {"STARLING_KEY", hub.admin_key()}},
                 .output = fleet.folder() / "watch.log"});
  walk(hub, {{{"settings", "set", "hotword.cooldown=1"}, 0, "revision"}});
  eventually("the first change",
             [&] { return watch.output().find("hotword.cooldown = 1 ") != std::string::npos; });
  hub.kill();
  hub.start();
  walk(hub, {{{"settings", "set", "hotword.cooldown=2"}, 0, "revision"}});
  eventually("the second change", [&] { return watch.output().find("1 → 2") != std::string::npos; });
  EXPECT_THAT(watch.output(), HasSubstr("connection to the hub was lost"));
  EXPECT_EQ(times(watch.output(), "hotword.cooldown = 1 "), 1u) << watch.output();
  EXPECT_EQ(times(watch.output(), "1 → 2"), 1u) << watch.output();
}

TEST(Cli, KeysOpenWhatTheyAreGrantedUntilTheyAreRevoked) {
  Fleet fleet({});
  HubProcess& hub = fleet.hub();
  const Finished created = hub.command({"-o", "json", "key", "create", "bob", "--role", "viewer"});
  const auto answer = parse_json(created.output);
  ASSERT_TRUE(answer) << created.output;
  const std::string id(answer->at("id").as_string());
  const std::string key(answer->at("key").as_string());
  const auto as_bob = [&](std::vector<std::string> arguments) {
    return run({.program = "starling",
                .arguments = std::move(arguments),
                .environment = {{"STARLING_HUB", hub.url()}, {"STARLING_KEY", key}},
                .output = fleet.folder() / "bob.log"});
  };
  EXPECT_EQ(as_bob({"device", "list"}).status, 0);
  const Finished refused = as_bob({"settings", "set", "hotword.cooldown=1"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.output, HasSubstr("starling key create"));
  walk(hub, {{{"key", "list"}, 0, "viewer of default"}, {{"key", "revoke", id}, 0, "revoked key"}});
  EXPECT_THAT(as_bob({"device", "list"}).output, HasSubstr("does not take this key"));
}

}  // namespace
}  // namespace starling::e2e
