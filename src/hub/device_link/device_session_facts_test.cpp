#include <gtest/gtest.h>

#include "hub/device_link/link_fixture.hpp"

namespace starling::hub {
namespace {

using ToldFactsTest = LinkFixture;

TEST_F(ToldFactsTest, WhatADeviceSaysOfItselfBecomesOneChangeAndIsAcknowledged) {
  TestDevice& device = add_device();
  const auto device_now = [&] { return *hub.changes().published("default")->device(device.id); };
  const auto tell = [&](const JsonObject& facts) {
    connect(device);
    auto handshake = handshake_of(device);
    handshake.facts = facts;
    const auto before = hub.changes().published("default")->revision();
    say(device, handshake);
    return hub.changes().published("default")->revision() - before;
  };
  EXPECT_EQ(tell({{"device_name", "Bruno"},
                  {"timezone", "Asia/Tokyo"},
                  {"metadata", JsonObject{{"os", "13"}}},
                  {"of_the_future", 1}}),
            1);
  auto kept = device.peer.take_all<protocol::FactsKept>();
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_TRUE(kept[0].errors.empty());
  EXPECT_EQ(device_now().name, "Bruno");
  EXPECT_EQ(device_now().timezone, "Asia/Tokyo");
  EXPECT_EQ(DeviceFacts::parse(hub.records().find(device.id)->facts)->metadata.at("os"), Json("13"));

  EXPECT_EQ(tell({{"device_name", "Bruno"}}), 0) << "it is called that already";
  EXPECT_EQ(device.peer.take_all<protocol::FactsKept>().size(), 1u);
  EXPECT_EQ(tell({}), 0);
  EXPECT_TRUE(device.peer.take_all<protocol::FactsKept>().empty());
  EXPECT_EQ(tell({{"device_name", 7}, {"timezone", "EST5EDT,M3.2.0"}, {"device_type", "toy"}}), 1);
  kept = device.peer.take_all<protocol::FactsKept>();
  ASSERT_EQ(kept.size(), 1u);
  ASSERT_EQ(kept[0].errors.size(), 2u);
  EXPECT_EQ(kept[0].errors[0].key, "device_name");
  EXPECT_EQ(kept[0].errors[1].key, "timezone");
  EXPECT_EQ(device_now().device_type, "toy");
  EXPECT_EQ(device_now().timezone, "Asia/Tokyo");
}

}  // namespace
}  // namespace starling::hub
