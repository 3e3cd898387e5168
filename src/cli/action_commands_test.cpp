#include <gmock/gmock.h>

#include <algorithm>
#include <boost/json/parse.hpp>

#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using testing::HasSubstr;

#define BEAR "0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11"

class DeviceReset : public ApplicationTest {
 protected:
  DeviceReset() {
    hub().on("GET /api/v1/devices",
             R"({"items":[{"device_uuid":")" BEAR R"(","device_name":"bear-1"}],"next":null})");
    hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":1})");
  }
  void device_is(const std::string& status) {
    hub().on("GET /api/v1/devices/" BEAR,
             R"({"device_uuid":")" BEAR R"(","last_seen":null,"status":")" + status + R"("})");
  }
  void layer_has(const std::string& items) {
    hub().on("GET /api/v1/settings", R"({"items":[)" + items + R"(],"next":null})");
  }
  // What was asked of the hub beyond reading, as "PUT {...}".
  std::vector<std::pair<std::string, Json>> written() {
    std::vector<std::pair<std::string, Json>> all;
    for (const auto& asked : hub().asked()) {
      if (!asked.line.starts_with("GET")) all.emplace_back(asked.line, boost::json::parse(asked.body));
    }
    return all;
  }
  // As a person at a terminal, who says no.
  std::string asked_and_declined(std::vector<std::string> arguments) {
    std::istringstream in("n\n");
    std::ostringstream out;
    std::ostringstream err;
    const Terminal person{.interactive = true};
    Console console(in, out, err, person, person);
    arguments.insert(arguments.begin(), {"--hub", hub().address()});
    const auto no_variable = [](const char*) { return std::optional<std::string>(); };
    EXPECT_EQ(run_application(arguments, no_variable, console, clock_), 1);
    return err.str();
  }
};

constexpr auto own =
    R"({"key":"hotword.threshold","value":0.7},{"key":"modules.recorder.enabled","value":true})";

TEST_F(ApplicationTest, CheckUpdatesIsAnsweredInWords) {
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":2})");
  hub().on("GET /api/v1/actions/a1", R"({"id":"a1","action":"check_updates","devices":[
      {"name":"owl","state":"done","result":{"state":"pending","release":"v1.0.0","confirmed":"v1.0.0",
       "wanted":"v1.1.0","step":"none","refused":[],"failure":{"message":"the hub is away","at_ms":5}}},
      {"name":"frog","state":"done","result":{"state":"confirmed","release":"v1.1.0","wanted":"v1.1.0"}}]})");
  const std::vector<std::string> arguments{"device", "check-updates", "--on", "room=lab", "--wait"};
  EXPECT_EQ(run(arguments).out,
            "DEVICE  STATE  ANSWER\n"
            "owl     done   runs v1.0.0; v1.1.0 is pending: the hub is away\n"
            "frog    done   runs v1.1.0 as it shall\n");
  std::vector<std::string> json = arguments;
  json.insert(json.end(), {"-o", "json"});
  EXPECT_EQ(boost::json::parse(run(json).out).at("devices").at(0).at("result").at("step"), Json("none"));
  EXPECT_EQ(run({"device", "check-updates", "--on", "room=lab"}).out,
            "check updates goes to 2 devices; how it went: starling action show a1\n");
}

TEST_F(ApplicationTest, WhoIsIdentifiedNamesTheModulesThatDidAndThoseThatDidNot) {
  hub().on("GET /api/v1/devices", R"({"items":[{"device_name":"owl"}],"next":null})");
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":2})");
  hub().on("GET /api/v1/actions/a1", R"({"id":"a1","action":"identify","devices":[
      {"name":"owl","state":"done","result":{"device_id":"o","modules":["lights","recorder"],
       "failed":{"hotword":"it did not answer within 30 s"}}},
      {"name":"frog","state":"done","result":{"device_id":"f","modules":[]}}]})");
  const Ran ran = run({"device", "identify", "--on", "room=lab", "--wait"});
  EXPECT_EQ(ran.out,
            "DEVICE  STATE   ANSWER\n"
            "owl     done    shown by lights, recorder; hotword: it did not answer within 30 s\n"
            "frog    failed  shown by no module\n");
  EXPECT_EQ(ran.code, 3) << "nobody saw the frog";
}

TEST_F(ApplicationTest, AnActionIsForSomebody) {
  hub().on("GET /api/v1/devices", R"({"items":[],"next":null})");
  const Ran nobody = run({"device", "identify", "--on", "room=lab"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_THAT(nobody.err, HasSubstr("no device matches 'room=lab' now"));
  EXPECT_EQ(run({"action", "start", "echo", "--on", "room=lab"}).code, 1);
}

TEST_F(ApplicationTest, AnActionOfADeviceNeedsNoSelector) {
  hub().on("GET /api/v1/devices", R"({"items":[],"next":null})");
  hub().on("GET /api/v1/devices", R"({"items":[{"device_name":"lab"}],"next":null})");
  EXPECT_THAT(run({"device", "check-updates", "--on", "lab"}).err,
              HasSubstr("--on takes labels: write starling device check-updates lab\n"));
}

TEST_F(DeviceReset, IsForWhoMeansIt) {
  layer_has("");
  const Ran ran = run({"device", "reset", "bear-1", "--yes"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.err, "") << "there is nothing to hint at";
  ASSERT_EQ(written().size(), 1u);
  EXPECT_EQ(written()[0].second.at("action"), Json("factory_reset"));
  EXPECT_EQ(run({"device", "reset", "bear-1", "--yes", "--clear-settings"}).code, 0);
  ASSERT_EQ(written().size(), 2u) << "there is nothing to clear";
  EXPECT_EQ(written()[1].second.at("action"), Json("factory_reset"));
  const std::string said = asked_and_declined({"device", "reset", "bear-1"});
  EXPECT_THAT(said, HasSubstr("Erase settings"));
  EXPECT_THAT(said, HasSubstr("nothing was erased"));
  EXPECT_EQ(written().size(), 2u);
  const Ran script = run({"device", "reset", "bear-1"});
  EXPECT_EQ(script.code, 1);
  EXPECT_THAT(script.err, HasSubstr("nobody is there to be asked; --yes"));
  EXPECT_EQ(written().size(), 2u);
}

TEST_F(DeviceReset, WhatTheHubHasForTheDeviceAloneIsNamed) {
  layer_has(own);
  const Ran ran = run({"device", "reset", "bear-1", "--yes"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err,
              HasSubstr("comes back: hotword.threshold, modules.recorder.enabled; --clear-settings"));
  EXPECT_EQ(written().size(), 1u) << "it stays";
  const auto asked = hub().asked();
  EXPECT_TRUE(std::ranges::any_of(asked, [](const auto& one) {
    return one.line.starts_with("GET /api/v1/settings?layer=device%3A" BEAR);
  }));
  EXPECT_THAT(asked_and_declined({"device", "reset", "bear-1"}), HasSubstr("--clear-settings"));
}

TEST_F(DeviceReset, TheLayerIsClearedInOneChangeBeforeTheReset) {
  layer_has(own);
  device_is("online");
  hub().on("PUT /api/v1/settings", R"({"revision":413,"targeted":1})");
  const std::string declined = asked_and_declined({"device", "reset", "bear-1", "--clear-settings"});
  EXPECT_THAT(declined, HasSubstr("at the hub its hotword.threshold, modules.recorder.enabled?"));
  EXPECT_TRUE(written().empty());
  const Ran ran = run({"device", "reset", "bear-1", "--clear-settings", "--yes"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("revision 413: took 2 settings away from the layer of bear-1\n"));
  EXPECT_EQ(ran.err, "");
  const auto all = written();
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[0].first, "PUT /api/v1/settings");
  EXPECT_EQ(all[0].second,
            boost::json::parse(R"({"values":{"hotword.threshold":null,"modules.recorder.enabled":null},
      "target":{"device":")" BEAR R"("},"reason":"factory reset"})"));
  EXPECT_EQ(all[1].second.at("action"), Json("factory_reset"));
  const Ran json = run({"device", "reset", "bear-1", "--clear-settings", "--yes", "-o", "json"});
  EXPECT_TRUE(parse_json(json.out)) << "one document: " << json.out;
}

TEST_F(DeviceReset, ALayerThatCannotBeClearedLeavesTheDeviceAlone) {
  layer_has(own);
  device_is("online");
  hub().on("PUT /api/v1/settings", R"({"status":403,"code":"permission_denied","detail":"needs operator"})",
           403);
  EXPECT_EQ(run({"device", "reset", "bear-1", "--clear-settings", "--yes"}).code, 1);
  EXPECT_EQ(written().size(), 1u);
}

TEST_F(DeviceReset, TheLayerOfADeviceThatIsAwayIsLeftAlone) {
  layer_has(own);
  device_is("offline");
  const Ran ran = run({"device", "reset", "bear-1", "--clear-settings", "--yes"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("bear-1 is offline"));
  EXPECT_TRUE(written().empty());
}

TEST_F(DeviceReset, NeedsNoSightOfTheLayer) {
  hub().on("GET /api/v1/settings", R"({"status":500,"code":"internal","detail":"a bad day"})", 500);
  EXPECT_EQ(run({"device", "reset", "bear-1", "--yes"}).code, 0);
  EXPECT_EQ(run({"device", "reset", "bear-1", "--clear-settings", "--yes"}).code, 1);
  EXPECT_EQ(written().size(), 1u);
}

}  // namespace
}  // namespace starling::cli
