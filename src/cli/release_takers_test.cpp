#include <gmock/gmock.h>

#include <filesystem>

#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using testing::HasSubstr;

class ReleaseTakers : public ApplicationTest {
 protected:
  ReleaseTakers() {
    EXPECT_TRUE(write_file_durably(folder_ / "client.py", "print('hello')\n"));
    EXPECT_TRUE(write_file_durably(folder_ / "VERSION", "v1.2.2\n"));
    hub().on("POST /api/v1/updates/create", R"({"revision":42,"targeted":3})", 201);
    hub().on("GET /api/v1/devices", R"({"items":[{"device_uuid":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11",
        "device_name":"bear"}],"next":null})");
  }
  void hub_has(const std::string& state) {
    const std::string release = R"({"version":"v1.2.3","state":")" + state +
                                R"(","architectures":{"all":{"state":")" + state + R"("}}})";
    hub().on("PUT /api/v1/releases/v1.2.3/all", release, 201);
    hub().on("GET /api/v1/releases/v1.2.3", release);
  }
  Ran create(std::vector<std::string> more) {
    std::vector<std::string> arguments{"release", "create",    "--bump",
                                       "patch",   "Bug fixes", folder_.path().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  Json asked_for() {
    for (const auto& asked : hub().asked()) {
      if (asked.line == "POST /api/v1/updates/create") return *parse_json(asked.body);
    }
    return {};
  }
  TemporaryFolder folder_;
};

TEST_F(ReleaseTakers, AreAllSomeOrOne) {
  hub_has("published");
  const Ran ran = create({"--all", "--now"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("client.py"));
  EXPECT_THAT(ran.out, HasSubstr("v1.2.3 shall run on the whole fleet (3 devices)"));
  EXPECT_EQ(asked_for(), *parse_json(R"({"version":"v1.2.3","now":true})"));
  EXPECT_EQ(read_file(folder_ / "VERSION", 100), "v1.2.3\n");
}

TEST_F(ReleaseTakers, BySelectorAndByTime) {
  hub_has("published");
  EXPECT_EQ(create({"--on", "room=lab", "--not-before", "2030-01-31T18:00:00Z"}).code, 0);
  EXPECT_EQ(asked_for(), *parse_json(R"({"version":"v1.2.3","target_devices":"room=lab",
                                         "scheduled_for":"2030-01-31T18:00:00Z"})"));
}

TEST_F(ReleaseTakers, ByName) {
  hub_has("published");
  EXPECT_EQ(create({"--device", "bear"}).code, 0);
  EXPECT_EQ(asked_for(),
            *parse_json(R"({"version":"v1.2.3","target_devices":["0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11"]})"));
}

TEST_F(ReleaseTakers, ADraftIsTakenByNobody) {
  hub_has("draft");
  const Ran ran = create({"--all"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("once it is signed: starling settings set software.release=v1.2.3"));
  EXPECT_TRUE(asked_for().is_null());
}

TEST_F(ReleaseTakers, WhenWithoutWhoIsRefusedBeforeAnythingIsSent) {
  hub_has("published");
  EXPECT_THAT(create({"--now"}).err, HasSubstr("say who takes it"));
  EXPECT_EQ(create({"--all", "--on", "room=lab"}).code, 2);
  EXPECT_TRUE(hub().asked().empty());
}

}  // namespace
}  // namespace starling::cli
