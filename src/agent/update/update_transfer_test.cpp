// In which form a release comes to a device, and what it does where none may come.
#include <gmock/gmock.h>

#include "agent/update/update_bench.hpp"

namespace starling::agent {
namespace {

using protocol::Encoding;
using testing::HasSubstr;

// Runs v1.0.0, confirmed; v1.1.0 and v1.2.0 can be had.
struct UpdateTransferTest : testing::Test {
  UpdateTransferTest() {
    device.settle();
    device.came.clear();
  }
  UpdateBench device;
};

TEST_F(UpdateTransferTest, ComesAsADeltaOfWhatRuns) {
  device.encodes = true;
  device.want("v1.1.0");
  device.pass(day);
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 confirmed");
  EXPECT_GT(device.came[Encoding::delta], 0u);
  EXPECT_EQ(device.came[Encoding::packed] + device.came[Encoding::plain], 0u);
  EXPECT_TRUE(device.is_whole(*device.device.core->release()));
}

TEST_F(UpdateTransferTest, TheFirstOneComesPacked) {
  UpdateBench fresh;
  fresh.encodes = true;
  fresh.publish("v1.0.0");
  fresh.start();
  fresh.want("v1.0.0");
  fresh.pass(day);
  EXPECT_EQ(fresh.runs() + " " + fresh.state(), "v1.0.0 confirmed");
  EXPECT_GT(fresh.came[Encoding::packed], 0u);
  EXPECT_EQ(fresh.came[Encoding::plain], 0u);
}

TEST_F(UpdateTransferTest, ADamagedDeltaIsFollowedByTheWhole) {
  device.encodes = true;
  device.spoiled = {Encoding::delta};
  device.want("v1.1.0");
  device.pass(Seconds(200));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 confirmed");
  EXPECT_GT(device.came[Encoding::packed], 0u);
  EXPECT_EQ(device.came[Encoding::plain], 0u);
  device.spoiled = {Encoding::delta, Encoding::packed};
  device.want("v1.2.0");
  device.pass(Seconds(200));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.2.0 confirmed");
  EXPECT_EQ(device.came[Encoding::plain], device.targets["v1.2.0"].length);
}

TEST_F(UpdateTransferTest, ADamagedReleaseIsNoBaseForADelta) {
  device.encodes = true;
  device.publish("v1.1.0", "0");  // what is in both is damaged
  const std::string program = release_path(device.device.core->release()->hash) + "/payload/modules/ear/run";
  device.device.disk.put(program, std::string(3000, '?'));
  device.want("v1.1.0");
  device.pass(Seconds(200));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 confirmed");
  EXPECT_GT(device.came[Encoding::packed], 0u);
  EXPECT_TRUE(device.is_whole(*device.device.core->release()));
}

// Of itself there is no delta.
TEST_F(UpdateTransferTest, WhatRunsAndIsDamagedComesAsAWhole) {
  device.encodes = true;
  const Release running = *device.device.core->release();
  device.device.disk.put(release_path(running.hash) + "/payload/VERSION", "x");
  device.core->check_now();
  device.pass(Seconds(100));
  EXPECT_TRUE(device.is_whole(running));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.0.0 confirmed");
  EXPECT_GT(device.came[Encoding::packed], 0u);
  EXPECT_EQ(device.came[Encoding::delta] + device.came[Encoding::plain], 0u);
}

TEST_F(UpdateTransferTest, OverAMeteredLinkNothingComesAsAWhole) {
  device.set({{"updates.metered", true}});
  device.pass(Seconds(200));
  device.want("v1.1.0");
  device.pass(day);
  EXPECT_EQ(device.state() + " " + device.fingerprint(), "pending metered");
  const Json failure = device.core->report().at("failure");
  EXPECT_THAT(std::string(failure.at("message").as_string()), HasSubstr("updates.metered"));
  device.power_comes_back();
  device.pass(day);
  EXPECT_EQ(device.state() + " " + device.fingerprint(), "pending metered");

  device.encodes = true;
  device.spoiled = {Encoding::delta};
  device.pass(day);
  EXPECT_EQ(device.state() + " " + device.fingerprint(), "pending metered") << "nor when a delta has failed";
  EXPECT_EQ(device.came[Encoding::packed] + device.came[Encoding::plain], 0u);

  device.set({{"updates.metered", true}, {"updates.whole_on_metered", true}});
  device.core->link_changed();
  device.pass(Seconds(200));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 confirmed");
}

TEST_F(UpdateTransferTest, OverAMeteredLinkADeltaComes) {
  device.encodes = true;
  device.set({{"updates.metered", true}});
  device.want("v1.1.0");
  device.pass(day);
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 confirmed");
}

TEST_F(UpdateTransferTest, ADeltaNeedsRoomForWhatItUnpacks) {
  device.encodes = true;
  device.device.disk.set_free_bytes(UpdateOptions{}.reserve_bytes + device.targets["v1.1.0"].length + 600);
  device.want("v1.1.0");
  device.pass(Seconds(200));
  EXPECT_EQ(device.runs() + " " + device.state(), "v1.1.0 confirmed");
}

}  // namespace
}  // namespace starling::agent
