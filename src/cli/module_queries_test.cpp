#include <gmock/gmock.h>

#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using testing::HasSubstr;

class EmptyModuleQueries : public ApplicationTest {
 protected:
  EmptyModuleQueries() {
    hub().on("GET /api/v1/modules", R"({"items":[],"next":null})");
    hub().on("GET /api/v1/crashes", R"({"items":[],"count":0})");
  }
  std::string said(const std::vector<std::string>& arguments) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out, "");
    return ran.err;
  }
};

TEST_F(EmptyModuleQueries, SayThatThereIsNoDevice) {
  hub().on("GET /api/v1/devices", R"({"items":[],"next":null})");
  for (const char* query : {"list", "crashes"}) {
    EXPECT_THAT(said({"module", query}), HasSubstr("the fleet has no devices yet"));
    EXPECT_THAT(said({"module", query, "--on", "room=lbb"}), HasSubstr("no device matches 'room=lbb'"));
    EXPECT_EQ(hub().asked().back().line, "GET /api/v1/devices?limit=1&selector=room%3Dlbb");
  }
}

TEST_F(EmptyModuleQueries, SayThatADeviceIsNoSelector) {
  for (const auto& [arguments, instead] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"module", "list"}, "--device lab"},
           {{"module", "crashes"}, "starling module show NAME --device lab"},
           {{"device", "list"}, "starling device show lab"}}) {
    FakeHub none;
    environment_["STARLING_HUB"] = none.address();
    none.on("GET /api/v1/modules", R"({"items":[],"next":null})");
    none.on("GET /api/v1/crashes", R"({"items":[],"count":0})");
    none.on("GET /api/v1/devices", R"({"items":[],"next":null})");
    none.on("GET /api/v1/devices", R"({"items":[{"device_name":"lab"}],"next":null})");
    std::vector<std::string> all = arguments;
    all.insert(all.end(), {"--on", "lab"});
    EXPECT_EQ(run(all).err, "note: 'lab' is a device, and --on takes labels: write " + instead + "\n");
  }
}

TEST_F(EmptyModuleQueries, SayThatADeviceIsNotEvenASelector) {
  constexpr auto unreadable = R"({"status":422,"code":"invalid_argument","detail":"the selector is wrong"})";
  FakeHub refusing;
  environment_["STARLING_HUB"] = refusing.address();
  refusing.on("GET /api/v1/modules", unreadable, 422);
  refusing.on("GET /api/v1/devices", R"({"items":[{"device_name":"my toy"}],"next":null})");
  EXPECT_EQ(run({"module", "list", "--on", "my toy"}).err,
            "starling: 'my toy' is a device, and --on takes labels: write --device 'my toy'\n");
  EXPECT_EQ(run({"module", "list", "--on", "your toy"}).err, "starling: the selector is wrong\n");
}

TEST_F(EmptyModuleQueries, SayThatThereIsNothingToTell) {
  hub().on("GET /api/v1/devices", R"({"items":[{"device_name":"bear-1"}],"next":null})");
  EXPECT_THAT(said({"module", "list"}), HasSubstr("no device has reported a module so far"));
  EXPECT_THAT(said({"module", "crashes"}), HasSubstr("no death of a module is known"));
}

TEST_F(ApplicationTest, ModulesOfDevicesThatAreOfflineAreCountedAndNoted) {
  const struct {
    int offline;
    std::string note;
  } cases[] = {
      {0, ""},
      {1, "note: 1 of these devices is offline: of it counts what it has reported last\n"},
      {2, "note: 2 of these devices are offline: of them counts what they have reported last\n"},
  };
  for (const auto& [offline, note] : cases) {
    FakeHub told;
    environment_["STARLING_HUB"] = told.address();
    told.on("GET /api/v1/modules", R"({"items":[{"module":"recorder","devices":3}],"next":null,"offline":)" +
                                       std::to_string(offline) + "}");
    EXPECT_EQ(run({"module", "list"}).err, note);
  }
}

}  // namespace
}  // namespace starling::cli
