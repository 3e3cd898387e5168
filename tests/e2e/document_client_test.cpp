// Clients written from the documents, which know neither our handshake nor our headers: the flat payload over
// the WebSocket, and the REST endpoints with X-API-Key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/build_folders.hpp"
#include "base/uuid.hpp"
#include "e2e/fleet.hpp"

namespace starling::e2e {
namespace {

using testing::AnyOf;
using testing::Eq;
using testing::HasSubstr;

class DocumentClient : public testing::Test {
 protected:
  DocumentClient() : hub(folder.path()) { hub.start(); }
  ~DocumentClient() override { EXPECT_EQ(hub.stop(), 0) << hub.log(); }

  Reply with_key(const std::string& method, const std::string& path,
                 const std::optional<Json>& body = {}) const {
    return http(hub.port(), {.method = method,
                             .path = path,
                             .body = body,
                             .headers = {{"X-API-Key", hub.admin_key()}, {"X-Device-Type", "raspberry-pi"}}});
  }

  TemporaryFolder folder;
  HubProcess hub;
  const std::string device_id = make_uuid_v4();
  const std::string device_path = "/api/v1/devices/" + device_id;
};

TEST_F(DocumentClient, RegistersAndReportsByRest) {
  const JsonObject registration{{"device_uuid", device_id},
                                {"device_name", "Living room"},
                                {"timezone", "America/Los_Angeles"},
                                {"current_version", "v1.2.3"},
                                {"metadata", JsonObject{{"os", "Raspberry Pi OS 12"}}}};
  EXPECT_THAT(with_key("POST", "/api/v1/devices/register", registration).status, AnyOf(Eq(200), Eq(201)));
  EXPECT_EQ(with_key("POST", device_path + "/heartbeat", JsonObject{{"current_version", "v1.2.4"}}).status,
            200);

  const Json device = with_key("GET", device_path).json();
  EXPECT_EQ(device.at("device_uuid"), Json(device_id));
  EXPECT_EQ(device.at("device_name"), Json("Living room"));
  EXPECT_EQ(device.at("timezone"), Json("America/Los_Angeles"));
  EXPECT_EQ(device.at("current_version"), Json("v1.2.4"));
  EXPECT_EQ(device.at("status"), Json("online"));
  EXPECT_EQ(device.at("metadata").at("os"), Json("Raspberry Pi OS 12"));

  EXPECT_EQ(with_key("GET", device_path + "/updates/check").json().at("updates"), Json(JsonArray{}));
  EXPECT_EQ(with_key("PATCH", device_path + "/status", JsonObject{{"status", "updating"}}).status, 200);
  EXPECT_EQ(with_key("GET", device_path).json().at("status"), Json("updating"));
  const Reply sleeping = with_key("PATCH", device_path + "/status", JsonObject{{"status", "asleep"}});
  EXPECT_EQ(sleeping.status, 422);
  EXPECT_THAT(sleeping.body, HasSubstr("updating"));  // what it may be
  EXPECT_EQ(with_key("GET", "/api/v1/devices/").json().at("items").as_array().size(), 1u);
}

// With a key that may enrol and nothing else, and the token that this gave.
TEST_F(DocumentClient, LivesOnTheTokenOfItsRegistration) {
  const std::string key = hub.make_enrolment_key();
  const auto with = [&](const std::string& credential, const std::string& method, const std::string& path,
                        const std::optional<Json>& body = {}) {
    return http(hub.port(),
                {.method = method, .path = path, .body = body, .headers = {{"X-API-Key", credential}}});
  };
  const Reply made = with(key, "POST", "/api/v1/devices/register/", JsonObject{{"device_uuid", device_id}});
  ASSERT_EQ(made.status, 201) << made.body;
  EXPECT_EQ(made.json().at("status"), Json("online"));
  const std::string token(made.json().at("token").as_string());
  EXPECT_EQ(with(key, "POST", device_path + "/heartbeat").status, 403);
  EXPECT_EQ(with(token, "POST", device_path + "/heartbeat").status, 200);
  EXPECT_EQ(with(token, "GET", device_path + "/updates/check").status, 200);
  EXPECT_EQ(with(token, "PATCH", device_path + "/status", JsonObject{{"status", "updating"}}).status, 200);
  EXPECT_EQ(with(token, "GET", device_path).json().at("status"), Json("updating"));

  WebSocket link(hub.port(), "/ws", {{"X-API-Key", token}});
  link.receive_type("config_update");
  link.send({.payload = "nonsense"});
  EXPECT_EQ(link.receive_type("error").at("code"), Json("bad_message"));
  link.send_json(JsonObject{{"type", "audio_chunk"}, {"data", "00"}});
  EXPECT_EQ(link.receive_type("error").at("code"), Json("unknown_type"));
}

// What never answers is told of and not waited for.
TEST_F(DocumentClient, HoldsUpNobodyWhoWaitsForAChange) {
  with_key("POST", "/api/v1/devices/register",
           JsonObject{{"device_uuid", device_id}, {"device_name", "flat"}});
  with_key("POST", "/api/v1/devices/register",
           JsonObject{{"device_uuid", make_uuid_v4()}, {"device_name", "plain"}});
  WebSocket link(hub.port(), "/ws", {{"X-API-Key", hub.admin_key()}, {"X-Device-ID", device_id}});
  link.receive_type("config_update");
  const Finished done = hub.command({"settings", "set", "audio.volume=31", "--wait"});
  EXPECT_EQ(done.status, 0) << done.output;
  EXPECT_THAT(done.output, HasSubstr("never answers"));
  EXPECT_THAT(done.output, testing::AllOf(HasSubstr("flat"), HasSubstr("plain")));
}

TEST_F(DocumentClient, HearsConfigUpdatesByAlias) {
  with_key("POST", "/api/v1/devices/register",
           JsonObject{{"device_uuid", device_id}, {"device_name", "old"}});
  WebSocket link(hub.port(), "/ws",
                 {{"Authorization", "Bearer " + hub.admin_key()},
                  {"X-Device-ID", device_id},
                  {"X-Device-Type", "raspberry-pi"}});
  const JsonObject first = link.receive_type("config_update");
  EXPECT_EQ(first.at("payload").at("LOG_LEVEL"), Json("INFO"));

  hub.call("POST", "/api/v1/personas/import",
           *parse_json(read_text(source_folder() / "examples/personas.json")));
  hub.call("POST", "/api/v1/personas/TARS/switch", JsonObject{});
  for (;;) {
    const JsonObject update = link.receive_type("config_update");
    const Json& payload = update.at("payload");
    if (payload.at("HOTWORD_MODELS") == Json(JsonArray{"Hey_Tars.tflite", "Tars.tflite"})) break;
  }
}

}  // namespace
}  // namespace starling::e2e
