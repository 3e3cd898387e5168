#include <map>

#include "base/crypto.hpp"
#include "hub/api/api_fixture.hpp"

namespace starling::hub {
namespace {

using http::Method;

class AccessApi : public ApiTest {
 protected:
  // Whoever the tests ask as.
  std::map<std::string, std::string> keys() {
    enrol(1, "bear", R"({"room":"nursery"})");
    enrol(2, "robot", R"({"room":"lab"})");
    post("/api/v1/personas/import", R"({"TARS":{}})");
    return {
        {"nobody", ""},
        {"viewer", make_key_of(R"({"name":"v","role":"viewer"})")},
        {"guardian", make_key_of(R"({"name":"g","role":"guardian"})")},
        {"operator", make_key_of(R"({"name":"o","role":"operator"})")},
        {"admin", admin_key},
        {"enrolment", make_key_of(R"({"name":"e","kind":"enrolment"})")},
        {"device", token_of(uuid(1))},
    };
  }
};

TEST_F(AccessApi, EachRouteIsForItsRoles) {
  const auto by_name = keys();
  const std::string bear = "/api/v1/devices/" + uuid(1);
  struct Case {
    Method method;
    std::string target;
    std::string body;
    std::vector<std::string> allowed;
  };
  const std::vector<std::string> readers{"viewer", "guardian", "operator", "admin"};
  const std::vector<std::string> readers_and_device{"viewer", "guardian", "operator", "admin", "device"};
  const std::vector<std::string> operators{"operator", "admin"};
  const std::vector<std::string> everybody{"nobody", "viewer",    "guardian", "operator",
                                           "admin",  "enrolment", "device"};
  const Case cases[] = {
      {Method::get, "/healthz", "", everybody},
      {Method::get, "/", "", everybody},
      {Method::get, "/api/v1/openapi.json", "", everybody},
      {Method::get, "/metrics", "", readers},
      {Method::get, "/api/v1/devices", "", readers},
      {Method::get, "/api/v1/fleet", "", readers},
      {Method::get, "/api/v1/changes", "", readers},
      {Method::get, "/api/v1/groups", "", readers},
      {Method::get, "/api/v1/rollouts", "", readers},
      {Method::get, "/api/v1/components/hotword", "", readers},
      {Method::get, bear, "", readers_and_device},
      {Method::get, bear + "/settings", "", readers_and_device},
      {Method::get, bear + "/updates/check", "", readers_and_device},
      {Method::post, bear + "/heartbeat", "", {"operator", "admin", "device"}},
      {Method::patch, bear + "/status", R"({"status":"online"})", {"operator", "admin", "device"}},
      {Method::patch, bear, R"({"device_name":"b"})", operators},
      {Method::put, "/api/v1/settings", R"({"values":{"LOG_LEVEL":"INFO"}})", operators},
      {Method::put,
       "/api/v1/settings",
       R"({"values":{"LOG_LEVEL":"INFO"},"target":{"policy":true}})",
       {"guardian", "operator", "admin"}},
      {Method::post, "/api/v1/personas/TARS/switch", "", {"guardian", "operator", "admin"}},
      {Method::put, "/api/v1/personas/New", "{}", operators},
      {Method::put, "/api/v1/groups/all", R"({"selector":""})", operators},
      {Method::post, "/api/v1/actions", R"({"action":"echo"})", operators},
      {Method::get, "/api/v1/keys", "", {"admin"}},
      {Method::get, "/api/v1/fleets", "", {"admin"}},
      {Method::post, "/api/v1/keys", R"({"name":"x","role":"viewer"})", {"admin"}},
      {Method::post,
       "/api/v1/devices/register",
       R"({"device_uuid":")" + uuid(9) + "\"}",
       {"operator", "admin", "enrolment"}},
  };
  for (const Case& each : cases) {
    for (const auto& [name, key] : by_name) {
      const int status = ask(each.method, each.target, each.body, {key}).status;
      const bool allowed = std::ranges::find(each.allowed, name) != each.allowed.end();
      const std::string where = std::string(http::to_string(each.method)) + " " + each.target + " as " + name;
      if (allowed) {
        EXPECT_LT(status, 300) << where;
      } else {
        EXPECT_EQ(status, name == "nobody" ? 401 : 403) << where;
      }
    }
  }
}

TEST_F(AccessApi, ADeviceSeesOnlyItself) {
  keys();
  for (const char* path : {"", "/settings", "/document", "/updates/check"}) {
    EXPECT_EQ(get_as(token_of(uuid(1)), "/api/v1/devices/" + uuid(2) + path).status, 404) << path;
  }
  EXPECT_EQ(ask(Method::post, "/api/v1/devices/" + uuid(2) + "/heartbeat", "", {token_of(uuid(1))}).status,
            404);
}

TEST_F(AccessApi, AGrantWithASelectorReachesNoFurther) {
  keys();
  const std::string nursery = make_key_of(R"({"name":"n","role":"operator","selector":"room=nursery"})");
  EXPECT_EQ(get_as(nursery, "/api/v1/devices").at("/items").get_array().size(), 1u);
  EXPECT_EQ(get_as(nursery, "/api/v1/devices/" + uuid(2)).status, 404);
  EXPECT_EQ(get_as(nursery, "/api/v1/fleet").at("/devices/total"), Json(1));
  struct Case {
    Method method;
    std::string target;
    std::string body;
    int status;
  };
  const std::string values = R"({"values":{"hotword.threshold":0.6},"target":)";
  const Case cases[] = {
      {Method::put, "/api/v1/settings", values + R"({"device":"bear"}})", 200},
      {Method::put, "/api/v1/settings", values + R"({"device":"robot"}})", 403},
      {Method::put, "/api/v1/settings", values + R"({"selector":"room=nursery"}})", 200},
      {Method::put, "/api/v1/settings", values + R"({"selector":"room=nursery,kind=toy"}})", 200},
      {Method::put, "/api/v1/settings", values + R"({"selector":"kind=toy"}})", 403},
      {Method::put, "/api/v1/settings", values + R"({"fleet":true}})", 403},
      {Method::put, "/api/v1/settings", values + R"({"persona":"TARS"}})", 403},
      {Method::post, "/api/v1/personas/TARS/switch", "", 403},
      {Method::post, "/api/v1/personas/TARS/switch", R"({"target":{"device":"bear"}})", 200},
      {Method::put, "/api/v1/personas/New", "{}", 403},
      {Method::post, "/api/v1/personas/import", R"({"New":{}})", 403},
      {Method::post, "/api/v1/settings/rollback", R"({"revision":1})", 403},
      {Method::put, "/api/v1/groups/g", R"({"selector":"room=nursery"})", 200},
      {Method::put, "/api/v1/groups/h", R"({"selector":"room=lab"})", 403},
      {Method::post, "/api/v1/actions", R"({"action":"echo"})", 403},
      {Method::post, "/api/v1/actions", R"({"action":"echo","target":{"selector":"room=nursery"}})", 200},
      {Method::patch, "/api/v1/devices/" + uuid(1), R"({"labels":{"room":"lab"}})", 403},
      {Method::patch, "/api/v1/devices/" + uuid(1), R"({"labels":{"kind":"toy"}})", 200},
      {Method::post, "/api/v1/devices/register", R"({"device_uuid":")" + uuid(8) + "\"}", 403},
      {Method::post, "/api/v1/devices/register",
       R"({"device_uuid":")" + uuid(8) + R"(","labels":{"room":"nursery"}})", 201},
  };
  for (const Case& each : cases) {
    const auto answer = ask(each.method, each.target, each.body, {nursery});
    EXPECT_EQ(answer.status, each.status) << each.target << each.body << answer.response.body;
  }
  put("/api/v1/settings", R"({"values":{"hotword.threshold":0.2},"target":{"device":"robot"}})");
  EXPECT_EQ(get_as(nursery, "/api/v1/settings?layer=device%3A" + uuid(2)).at("/items").get_array().size(),
            0u);
  const auto changes = get_as(nursery, "/api/v1/changes?limit=1000");
  EXPECT_GT(changes.at("/items").get_array().size(), 3u);
  for (const Json& change : changes.at("/items").get_array()) {
    EXPECT_EQ(boost::json::serialize(change).find(uuid(2)), std::string::npos);
  }
}

TEST_F(AccessApi, KeysAreShownOnceRotatedAndRevoked) {
  const auto made = post("/api/v1/keys", R"({"name":"lab","role":"viewer","expires_in_days":1})");
  ASSERT_EQ(made.status, 201) << made.response.body;
  const std::string id = made.text("/id");
  const std::string key = made.text("/key");
  EXPECT_TRUE(key.starts_with("sk_" + id + "_"));
  EXPECT_EQ(get_as(key, "/api/v1/fleet").status, 200);
  EXPECT_EQ(ask(Method::get, "/api/v1/fleet", "", {"", {{"X-API-Key", key}}}).status, 200);
  const std::string secret_hash = sha256(key).hex();
  for (const char* place : {"/api/v1/keys", "/api/v1/changes?limit=1000"}) {
    const std::string body = get(place).response.body;
    EXPECT_EQ(body.find(key), std::string::npos) << place;
    EXPECT_EQ(body.find(secret_hash), std::string::npos) << place;
  }
  const auto rotated = post("/api/v1/keys/" + id + "/rotate", "");
  ASSERT_EQ(rotated.status, 200) << rotated.response.body;
  EXPECT_EQ(get_as(key, "/api/v1/fleet").status, 401);
  EXPECT_EQ(get_as(rotated.text("/key"), "/api/v1/fleet").status, 200);
  clock.advance(std::chrono::hours(25));
  EXPECT_EQ(get_as(rotated.text("/key"), "/api/v1/fleet").status, 401) << "expired";
  EXPECT_EQ(del("/api/v1/keys/" + id).status, 200);
  EXPECT_EQ(del("/api/v1/keys/" + id).status, 404);
  EXPECT_EQ(del("/api/v1/keys/bootstrap").status, 409) << "the last admin key";
  restart();
  EXPECT_EQ(get("/api/v1/keys").at("/items").get_array().size(), 1u);
}

TEST_F(AccessApi, ASecretIsNotKeptForRepeats) {
  const ApiFixture::Ask once{admin_key, {{"Idempotency-Key", "k1"}}};
  const auto first = ask(Method::post, "/api/v1/keys", R"({"name":"x","role":"viewer"})", once);
  const auto again = ask(Method::post, "/api/v1/keys", R"({"name":"x","role":"viewer"})", once);
  EXPECT_EQ(again.status, 201);
  EXPECT_EQ(again.at("/id"), first.at("/id"));
  EXPECT_FALSE(again.body.get_object().contains("key"));
}

TEST_F(AccessApi, BadKeysNameTheField) {
  struct Case {
    const char* body;
    const char* pointer;
  };
  constexpr Case cases[] = {
      {R"({"role":"viewer"})", "/name"},
      {R"({"name":"x"})", "/role"},
      {R"({"name":"x","role":"king"})", "/role"},
      {R"({"name":"x","kind":"enrolment","role":"viewer"})", "/role"},
      {R"({"name":"x","kind":"skeleton"})", "/kind"},
      {R"({"name":"x","role":"viewer","selector":"="})", "/selector"},
      {R"({"name":"x","role":"viewer","expires_in_days":0})", "/expires_in_days"},
      {R"({"name":"x","role":"viewer","secret":"y"})", "/secret"},
  };
  for (const Case& each : cases) {
    const auto answer = post("/api/v1/keys", each.body);
    EXPECT_EQ(answer.status, 422) << each.body;
    EXPECT_EQ(answer.text("/pointer"), each.pointer) << answer.response.body;
  }
}

TEST_F(AccessApi, FleetsAreApart) {
  EXPECT_EQ(post("/api/v1/fleets", R"({"name":"Toys"})").status, 422);
  EXPECT_EQ(post("/api/v1/fleets", R"({"name":"toys"})").status, 201);
  EXPECT_EQ(post("/api/v1/fleets", R"({"name":"toys"})").status, 409);
  enrol(1, "bear");
  EXPECT_EQ(get("/api/v1/fleets").at("/items").get_array().size(), 2u);
  EXPECT_EQ(get("/api/v1/devices?fleet=toys").at("/items").get_array().size(), 0u);
  EXPECT_EQ(get("/api/v1/components?fleet=toys").at("/items").get_array().size(), 5u);
  EXPECT_EQ(post("/api/v1/devices/register?fleet=toys", R"({"device_uuid":")" + uuid(1) + "\"}").status, 409);
  EXPECT_EQ(post("/api/v1/devices/register?fleet=toys", R"({"device_uuid":")" + uuid(2) + "\"}").status, 201);
  const std::string toys = make_key_of(R"({"name":"t","role":"admin","fleet":"toys"})");
  EXPECT_EQ(get_as(toys, "/api/v1/devices").text("/items/0/id"), uuid(2)) << "its own fleet is the default";
  EXPECT_EQ(get_as(toys, "/api/v1/devices?fleet=default").status, 403);
  EXPECT_EQ(ask(Method::post, "/api/v1/fleets", R"({"name":"more"})", {toys}).status, 403);
  EXPECT_EQ(get("/api/v1/devices?fleet=nowhere").status, 403);
}

class LimitedApi : public testing::Test, public ApiFixture {
 protected:
  LimitedApi() : ApiFixture({.per_key = {1, 10}, .failures_per_address = {1, 2}}) {}
};

TEST_F(LimitedApi, TooManyRequestsAreToldWhenToComeBack) {
  const std::string key = make_key_of(R"({"name":"v","role":"viewer"})");
  for (int i = 0; i < 10; ++i)
    EXPECT_EQ(get_as(key, "/api/v1/fleet").status, 200);
  const auto refused = get_as(key, "/api/v1/fleet");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.response.headers.find("Retry-After"), "1");
  clock.advance(Seconds(1));
  EXPECT_EQ(get_as(key, "/api/v1/fleet").status, 200);
}

TEST_F(LimitedApi, WrongKeysHoldUpNobodyElseAtTheirAddress) {
  for (const int status : {401, 401, 429, 429})
    EXPECT_EQ(get_as("sk_guess_1", "/api/v1/fleet").status, status);
  EXPECT_EQ(get("/api/v1/fleet").status, 200);
  const auto elsewhere = ask(Method::get, "/api/v1/fleet", "", {"sk_guess_2", {}, "192.0.2.2"});
  EXPECT_EQ(elsewhere.status, 401);
  EXPECT_EQ(elsewhere.response.headers.find("WWW-Authenticate"), "Bearer");
}

class LoopbackApi : public testing::Test {
 protected:
  static int metrics(bool listens_on_loopback, const ApiFixture::Ask& asked) {
    Api::Options options;
    options.listens_on_loopback = listens_on_loopback;
    ApiFixture fixture(options);
    return fixture.ask(Method::get, "/metrics", "", asked).status;
  }
};

TEST_F(LoopbackApi, MetricsNeedNoKeyOnlyWhereNobodyElseCanAsk) {
  EXPECT_EQ(metrics(true, {"", {}, "127.0.0.1"}), 200);
  EXPECT_EQ(metrics(true, {"", {}, "::1"}), 200);
  EXPECT_EQ(metrics(true, {"", {}, "192.0.2.1"}), 401);
  EXPECT_EQ(metrics(true, {"", {{"X-Forwarded-For", "192.0.2.1"}}, "127.0.0.1"}), 401) << "through a proxy";
  EXPECT_EQ(metrics(true, {"", {{"Forwarded", "for=192.0.2.1"}}, "127.0.0.1"}), 401);
  EXPECT_EQ(metrics(false, {"", {}, "127.0.0.1"}), 401);
}

}  // namespace
}  // namespace starling::hub
