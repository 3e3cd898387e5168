#include "protocol/layer.hpp"

#include <gtest/gtest.h>

namespace starling::protocol {
namespace {

TEST(LayerId, TextReadsBack) {
  const std::pair<LayerId, const char*> layers[] = {
      {{LayerKind::defaults, ""}, "defaults"},
      {{LayerKind::fleet, ""}, "fleet"},
      {{LayerKind::persona, "TARS"}, "persona:TARS"},
      {{LayerKind::group, "room=lab,kind!=toy"}, "group:room=lab,kind!=toy"},
      {{LayerKind::device, "0191"}, "device:0191"},
      {{LayerKind::policy_fleet, ""}, "policy"},
      {{LayerKind::policy_group, "a:b"}, "policy/group:a:b"},
      {{LayerKind::policy_device, "0191"}, "policy/device:0191"},
  };
  for (const auto& [id, text] : layers) {
    EXPECT_EQ(id.text(), text);
    const Result<LayerId> read = LayerId::parse(text);
    ASSERT_TRUE(read) << text;
    EXPECT_EQ(*read, id);
  }
}

TEST(LayerId, RefusesEverythingElse) {
  for (const char* text : {"", "Fleet", "fleet:", "fleet:x", "defaults:x", "persona", "persona:", "group:",
                           "device:", "policy/", "policy:x", "policy/group:", "policy/persona:x", " fleet"}) {
    const Result<LayerId> read = LayerId::parse(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_FALSE(LayerId::parse("group:" + std::string(2049, 'x')));
}

TEST(LayerId, OrdersPolicyAboveEverything) {
  EXPECT_LT(LayerKind::defaults, LayerKind::fleet);
  EXPECT_LT(LayerKind::fleet, LayerKind::persona);
  EXPECT_LT(LayerKind::persona, LayerKind::group);
  EXPECT_LT(LayerKind::group, LayerKind::device);
  EXPECT_LT(LayerKind::device, LayerKind::policy_fleet);
  EXPECT_LT(LayerKind::policy_fleet, LayerKind::policy_group);
  EXPECT_LT(LayerKind::policy_group, LayerKind::policy_device);
}

}  // namespace
}  // namespace starling::protocol
