#include <gmock/gmock.h>

#include <string>

#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using SettingsQueries = ApplicationTest;

TEST_F(SettingsQueries, WhatNoLayerSpeaksOfIsExplainedToo) {
  const struct {
    std::string key, effective, said, note;
  } cases[] = {
      {"modules.player.enabled", "null", "as it shipped", ""},
      {"modules.player.enabled", "false", "false", ""},
      {"software.release", "null", "nothing",
       "note: no layer says anything of it: the device keeps what it has\n"},
  };
  for (const auto& [key, effective, said, note] : cases) {
    FakeHub told;
    environment_["STARLING_HUB"] = told.address();
    told.on("GET /api/v1/devices", R"({"items":[{"device_uuid":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11",
        "device_name":"bear-1"}],"next":null})");
    told.on("GET /api/v1/devices/0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11/modules",
            R"({"items":[{"module":"player","on_device":true}]})");
    told.on("GET /api/v1/settings/explain", R"({"key":")" + key + R"(","alias":null,"effective":)" +
                                                effective +
                                                R"(,"winner":"defaults","sync":"in_sync","stack":[]})");
    const Ran ran = run({"settings", "explain", "bear-1", key});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_THAT(ran.out, testing::StartsWith(key + " on bear-1: " + said + "\n"));
    EXPECT_EQ(ran.err, note);
  }
}

TEST_F(SettingsQueries, AModuleThatTheDeviceLacksIsExplainedWhereALayerSpeaksOfIt) {
  const std::string key = "modules.recoder.enabled";
  hub().on("GET /api/v1/devices", R"({"items":[{"device_uuid":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11",
      "device_name":"bear-1"}],"next":null})");
  hub().on("GET /api/v1/devices/0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11/modules",
           R"({"items":[{"module":"recorder","on_device":true}]})");
  const auto explained = [&](const std::string& stack) {
    hub().on("GET /api/v1/settings/explain", R"({"key":")" + key + R"(","alias":null,"effective":true,)" +
                                                 R"("winner":"fleet","sync":"in_sync","stack":[)" + stack +
                                                 "]}");
  };
  explained("");
  explained(R"({"layer":"fleet","value":true,"revision":7,"in_force":true})");
  const Ran slip = run({"settings", "explain", "bear-1", key});
  EXPECT_EQ(slip.code, 1);
  EXPECT_EQ(slip.out, "");
  EXPECT_THAT(slip.err, testing::HasSubstr("bear-1 has no module 'recoder'; did you mean 'recorder'?"));
  const Ran written = run({"settings", "explain", "bear-1", key});
  EXPECT_EQ(written.code, 0) << written.err;
  EXPECT_THAT(written.out, testing::HasSubstr("fleet"));
  EXPECT_EQ(written.err, "note: bear-1 has no module 'recoder'\n");
}

}  // namespace
}  // namespace starling::cli
