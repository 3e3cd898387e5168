// The simulator over real sockets against a real hub: what it claims is held against what the hub says, and
// its exit status tells a fleet that is as it should be from one that is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class SimulatedFleet : public testing::Test {
 protected:
  SimulatedFleet() { hub.start(); }

  Process::Options simulator(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"sockets", "--hub", hub.url(), "--key-file", key_file.string()});
    return {.program = "starling-fleetsim",
            .arguments = std::move(arguments),
            .environment = {},
            .output = folder / "fleetsim.log"};
  }
  JsonArray devices() {
    return hub.call("GET", "/api/v1/devices?limit=1000&selector=simulated%3Dtrue").at("items").as_array();
  }

  TemporaryFolder folder;
  HubProcess hub{folder.path()};
  const std::filesystem::path key_file = hub.data() / "admin.key";
};

TEST_F(SimulatedFleet, OfHundredsEndsAsTheHubWantsIt) {
  const Finished finished = run(simulator({"--devices", "300", "--duration", "3", "--rate", "5"}));
  ASSERT_EQ(finished.status, 0) << finished.output;
  EXPECT_THAT(finished.output, HasSubstr("devices 300, connected 300 "));
  EXPECT_THAT(finished.output, HasSubstr("in sync 300, refused visibly 0, contradictions 0"));

  // The hub's own word for it, from what was reported before the devices left.
  const JsonArray all = devices();
  ASSERT_THAT(all, SizeIs(300));
  for (const Json& device : all) {
    EXPECT_EQ(device.at("sync").at("running_hash"), device.at("sync").at("desired_hash")) << device;
    EXPECT_NE(device.at("sync").at("running_revision"), Json(0)) << device;
  }
  const Json newest = hub.call("GET", "/api/v1/changes?since=" + std::to_string(hub.head() - 1));
  EXPECT_EQ(newest.at("items").at(0).at("reason"), Json("starling-fleetsim"));
}

// Another board takes the place of one of the devices, which the hub then lets in no more.
TEST_F(SimulatedFleet, WithADeviceThatIsShutOutFailsAndNamesIt) {
  Process process(
      simulator({"--devices", "30", "--duration", "3", "--connect-limit", "3", "--settle-limit", "2"}));
  std::string victim;
  eventually("a device to be online", [&] {
    if (!process.running()) throw std::runtime_error("the simulator has ended: " + process.output());
    for (const Json& device : devices()) {
      if (device.at("status") == Json("online")) victim = device.at("id").as_string();
    }
    return !victim.empty();
  });
  // It enrols again by itself, unless the other board comes first.
  eventually("the other board to be first", [&] {
    hub.ask("DELETE", "/api/v1/devices/" + victim);
    const JsonObject other{{"device_uuid", victim}, {"serial", "another board"}};
    return hub.ask("POST", "/api/v1/devices/register", other).status == 201;
  });
  EXPECT_EQ(process.wait(), 1) << process.output();
  EXPECT_THAT(process.output(), HasSubstr("contradictions 1\n"));
  EXPECT_THAT(process.output(), HasSubstr("device " + victim + " is not connected"));
}

TEST_F(SimulatedFleet, ThatCannotBeTriedSaysWhy) {
  struct Case {
    std::vector<std::string> arguments;
    const char* said;
  };
  write_text(folder / "wrong.key", "sk_of-nobody");
  const Case cases[] = {
      {{"sockets", "--key-file", key_file.string(), "--hub", "http://127.0.0.1:1"}, "reading the components"},
      {{"sockets", "--key-file", key_file.string(), "--hub", "nowhere"}, "--hub"},
      {{"sockets", "--key-file", (folder / "none").string(), "--hub", hub.url()}, "--key-file"},
      {{"sockets", "--key-file", (folder / "wrong.key").string(), "--hub", hub.url()}, "401"},
  };
  for (const Case& wrong : cases) {
    const Finished finished = run({.program = "starling-fleetsim",
                                   .arguments = wrong.arguments,
                                   .environment = {},
                                   .output = folder / "wrong.log"});
    EXPECT_EQ(finished.status, 2) << finished.output;
    EXPECT_THAT(finished.output, HasSubstr(wrong.said));
  }
}

}  // namespace
}  // namespace starling::e2e
