// A rollout with real devices: one cannot live with what it brings, and all go back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/fleet.hpp"
#include "e2e/supervised_device.hpp"

namespace starling::e2e {
namespace {

using testing::HasSubstr;

class Rollouts : public testing::Test {
 protected:
  Rollouts() { hub.start(); }

  SupervisedDevice& add(const std::string& name, const std::string& room) {
    auto device = std::make_unique<SupervisedDevice>(
        std::vector<std::string>{"--key", hub.make_enrolment_key(), "--name", name, "--label",
                                 "room=" + room},
        hub.url());
    // Does not start with a volume of 35.
    device->write_module("picky",
                         "exec = \"/bin/sh\"\nready_after = \"50ms\"\n"
                         "args = [\"-c\", \"grep -q 35 volume.txt && exit 78; exec sleep 1000\"]\n"
                         "uses = [\"audio.volume\"]\non_change = \"restart\"\n"
                         "render = [{ template = \"volume.in\", file = \"volume.txt\" }]\n");
    write_text(device->modules() / "picky/volume.in", "{{audio.volume}}\n");
    device->start();
    eventually(name + " to be connected", [&] { return hub.command({"device", "show", name}).status == 0; });
    return *devices.emplace(name, std::move(device)).first->second;
  }
  std::string sync_status(const std::string& name) { return hub.sync_status(name); }

  TemporaryFolder folder;
  HubProcess hub{folder.path()};
  std::map<std::string, std::unique_ptr<SupervisedDevice>> devices;
};

TEST_F(Rollouts, WhatADeviceCannotLiveWithIsTakenBackFromAll) {
  SupervisedDevice& bear = add("bear", "lab");
  add("duck", "lab");
  add("owl", "nursery");
  bear.command("enable", "picky");
  bear.await_ready("picky");
  const Finished started = hub.command(
      {"rollout", "start", "--set", "audio.volume=35", "--stages", "room=lab,100%", "--soak", "1s"});
  ASSERT_EQ(started.status, 0) << started.output;
  EXPECT_THAT(started.output, HasSubstr("3 devices"));
  const Finished watched = hub.command({"rollout", "status", "--watch"});
  EXPECT_EQ(watched.status, 3) << watched.output;
  EXPECT_THAT(watched.output, HasSubstr("stopped"));
  EXPECT_THAT(watched.output, HasSubstr("1 of 2 devices failed"));
  EXPECT_THAT(watched.output, HasSubstr("module 'picky' does not run since they are in force"));
  for (const char* name : {"bear", "duck"}) {
    eventually(std::string(name) + " to be back", [&] {
      const std::string status = sync_status(name);
      return status == "in_sync" || status == "provisional";
    });
  }
  EXPECT_EQ(hub.command({"settings", "list"}).output.find("audio.volume"), std::string::npos);
  EXPECT_EQ(sync_status("owl"), "in_sync") << "its stage did not open";
}

}  // namespace
}  // namespace starling::e2e
