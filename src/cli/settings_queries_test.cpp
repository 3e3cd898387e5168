#include <gmock/gmock.h>

#include <string>

#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using SettingsQueries = ApplicationTest;

TEST_F(SettingsQueries, WhatNoLayerSpeaksOfIsExplainedToo) {
  const struct {
    std::string key, effective, said;
  } cases[] = {
      {"modules.player.enabled", "null", "as it shipped"},
      {"modules.player.enabled", "false", "false"},
      {"software.release", "null", "nothing"},
  };
  for (const auto& [key, effective, said] : cases) {
    FakeHub told;
    environment_["STARLING_HUB"] = told.address();
    told.on("GET /api/v1/devices", R"({"items":[{"device_uuid":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11",
        "device_name":"bear-1"}],"next":null})");
    told.on("GET /api/v1/settings/explain", R"({"key":")" + key + R"(","alias":null,"effective":)" +
                                                effective +
                                                R"(,"winner":"defaults","sync":"in_sync","stack":[]})");
    const Ran ran = run({"settings", "explain", "bear-1", key});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_THAT(ran.out, testing::StartsWith(key + " on bear-1: " + said + "\n"));
  }
}

}  // namespace
}  // namespace starling::cli
