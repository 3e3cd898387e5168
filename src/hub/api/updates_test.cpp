// Updates as the documents' scripts and clients use them; the releases themselves are a hub's with a disk.
#include "hub/api/updates.hpp"

#include <gtest/gtest.h>

#include "hub/api/api_fixture.hpp"

namespace starling::hub {
namespace {

using http::Method;

class UpdatesApi : public ApiTest {
 protected:
  UpdatesApi() { add_release("v1.0.0"); }
};

TEST_F(UpdatesApi, AFleetWithoutReleasesHasNone) {
  const std::string id = enrol(1, "bear");
  EXPECT_EQ(get("/api/v1/updates/").body, *parse_json(R"({"updates":[]})"));
  EXPECT_EQ(get("/api/v1/devices/" + id + "/updates/check").body, *parse_json(R"({"updates":[]})"));
  EXPECT_EQ(get("/api/v1/updates/v1.0.0/download").status, 404);
  EXPECT_EQ(post("/api/v1/updates/create", R"({"version":"v1.0.0"})").status, 404);
  EXPECT_EQ(post("/api/v1/updates/create", R"({"version":"v1.0.0","update_type":"soon"})").status, 422);
}

TEST_F(UpdatesApi, ADeviceWithoutALinkReportsHowFarItIs) {
  const std::string id = enrol(1, "bear");
  const std::string path = "/api/v1/updates/v1.0.0/status";
  const auto say = [&](const std::string& body) {
    return ask(Method::post, path, body, {token_of(id)}).status;
  };
  EXPECT_EQ(put("/api/v1/settings", R"({"values":{"software.release":"v1.0.0"}})").status, 200);
  EXPECT_EQ(put("/api/v1/settings", R"({"values":{"software.release":"v9.0.0"}})").status, 422);
  EXPECT_EQ(say(R"({"status":"downloading"})"), 200);
  EXPECT_EQ(hub->records().find(id)->software.phase, protocol::Phase::staging);
  EXPECT_EQ(say(R"({"status":"failed","error_message":"disk full"})"), 200);
  const Answered failed = get("/api/v1/devices/" + id);
  EXPECT_EQ(failed.text("/sync/software/errors/0/message"), "disk full");
  EXPECT_EQ(failed.text("/release/desired"), "v1.0.0");
  EXPECT_EQ(say(R"({"status":"completed"})"), 200);
  EXPECT_EQ(get("/api/v1/devices/" + id).at("/sync/software/errors").as_array().size(), 0u);
  EXPECT_EQ(hub->records().find(id)->software.running.hex(),
            get("/api/v1/devices/" + id + "/document").text("/hashes/software"));
  EXPECT_EQ(say(R"({"status":"exploded"})"), 422);
  EXPECT_EQ(
      ask(Method::post, "/api/v1/updates/v9.9.9/status", R"({"status":"failed"})", {token_of(id)}).status,
      404);
  const std::string other = enrol(2, "owl");
  EXPECT_EQ(say(R"({"status":"completed","device_uuid":")" + other + "\"}"), 404) << "only of itself";
}

}  // namespace
}  // namespace starling::hub
