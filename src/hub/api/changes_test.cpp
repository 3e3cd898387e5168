#include "hub/api/api_fixture.hpp"

namespace starling::hub {
namespace {

using http::Method;

class ChangesApi : public ApiTest {
 protected:
  std::int64_t head() { return get("/api/v1/fleet").at("/revision").as_int64(); }
};

TEST_F(ChangesApi, TheLogHasOneRowForEachChangeWithoutGaps) {
  for (int i = 0; i < 5; ++i)
    put("/api/v1/settings", R"({"values":{"hotword.cooldown":)" + std::to_string(i) + "}}");
  const auto all = get("/api/v1/changes");
  ASSERT_EQ(all.status, 200) << all.response.body;
  std::int64_t expected = 1;
  for (const Json& change : all.at("/items").get_array())
    EXPECT_EQ(change.at("revision"), Json(expected++));
  EXPECT_EQ(all.at("/head"), Json(expected - 1));
  EXPECT_EQ(get("/api/v1/changes?since=3&limit=2").at("/items/0/revision"), Json(4));
  EXPECT_EQ(get("/api/v1/changes?newest_first=true&limit=1").at("/items/0/revision"), Json(expected - 1));
  EXPECT_EQ(get("/api/v1/changes?until=2").at("/items").get_array().size(), 2u);
  EXPECT_EQ(get("/api/v1/changes?kind=setting&id=fleet%20hotword").at("/items").get_array().size(), 5u);
  EXPECT_EQ(get("/api/v1/changes?kind=key").at("/items").get_array().size(), 1u);
  for (const char* bad : {"kind=toaster", "id=x", "since=-1", "newest_first=maybe", "limit=0"}) {
    EXPECT_EQ(get(std::string("/api/v1/changes?") + bad).status, 422) << bad;
  }
  const auto one = get("/api/v1/changes/" + std::to_string(expected - 1));
  EXPECT_EQ(one.text("/action"), "settings.set");
  EXPECT_EQ(one.at("/edits/0/before"), Json(3));
  EXPECT_EQ(one.at("/edits/0/after"), Json(4));
  EXPECT_EQ(get("/api/v1/changes/9999").status, 404);
  EXPECT_EQ(get("/api/v1/changes/zero").status, 422);
}

TEST_F(ChangesApi, ProgressCountsTheDevicesThatAChangeConcerns) {
  enrol(1, "bear", R"({"room":"nursery"})");
  enrol(2, "robot", R"({"room":"lab"})");
  clock.advance(Seconds(1000));
  ask(Method::post, "/api/v1/devices/" + uuid(1) + "/heartbeat", "", {token_of(uuid(1))});
  struct Case {
    std::string body;
    int targeted;
    int cannot_answer;
    int offline;
  };
  const Case cases[] = {
      {R"({"values":{"hotword.threshold":0.1}})", 2, 1, 1},
      {R"({"values":{"hotword.threshold":0.2},"target":{"selector":"room=nursery"}})", 1, 1, 0},
      {R"({"values":{"hotword.threshold":0.3},"target":{"device":"robot"}})", 1, 0, 1},
  };
  for (const Case& each : cases) {
    ASSERT_EQ(put("/api/v1/settings", each.body).status, 200);
    const auto progress = get("/api/v1/changes/" + std::to_string(head()) + "/progress");
    ASSERT_EQ(progress.status, 200) << progress.response.body;
    EXPECT_EQ(progress.at("/targeted"), Json(each.targeted)) << each.body << progress.response.body;
    EXPECT_EQ(progress.at("/cannot_answer"), Json(each.cannot_answer)) << each.body;
    EXPECT_EQ(progress.at("/pending"), Json(0)) << "nobody is waited for who only speaks REST";
    EXPECT_EQ(progress.at("/offline"), Json(each.offline)) << each.body;
  }
  EXPECT_EQ(get("/api/v1/changes/1/progress").at("/targeted"), Json(0)) << "a key concerns no device";
  EXPECT_EQ(get("/api/v1/changes/9999/progress").status, 404);
}

TEST_F(ChangesApi, ActionsAreRowsWithAnExpiry) {
  enrol(1, "bear", R"({"room":"nursery"})");
  enrol(2, "robot");
  const auto started =
      post("/api/v1/actions",
           R"({"action":"identify","target":{"selector":"room=nursery"},"parameters":{"s":3}})");
  ASSERT_EQ(started.status, 200) << started.response.body;
  EXPECT_EQ(started.at("/targeted"), Json(1));
  EXPECT_EQ(started.at("/revision"), Json(head()));
  const std::string path = "/api/v1/actions/" + started.text("/id");
  EXPECT_EQ(
      get(path).at("/devices"),
      *parse_json(
          R"([{"device":")" + uuid(1) +
          R"(","name":"bear","state":"waiting","status":"online","last_seen":"2024-10-04T00:00:00.000Z"}])"));
  const std::int64_t now_ms = clock.wall().time_since_epoch().count();
  store.save_action_results(
      {{"default", started.text("/id"), uuid(1), now_ms, true, R"({"result":{"a":1},"message":"ok"})"}},
      [](const Result<void>& saved) { EXPECT_TRUE(saved); });
  settle();
  EXPECT_EQ(get(path).text("/devices/0/state"), "done");
  EXPECT_EQ(get(path).at("/devices/0/result/a"), Json(1));
  const auto all = post("/api/v1/actions", R"({"action":"echo","expires_in_seconds":5})");
  clock.advance(Seconds(6));
  EXPECT_EQ(get("/api/v1/actions/" + all.text("/id")).text("/devices/1/state"), "expired");
  for (const char* bad : {R"({"action":"explode"})", R"({"action":"echo","target":{"persona":"x"}})",
                          R"({"action":"echo","expires_in_seconds":0})", R"({})"}) {
    EXPECT_EQ(post("/api/v1/actions", bad).status, 422) << bad;
  }
  EXPECT_EQ(get("/api/v1/actions/none").status, 404);
}

TEST_F(ChangesApi, PersonasAndGroupsOverRest) {
  enrol(1, "bear");
  const auto wrong = post("/api/v1/personas/import", R"({"TARS":{"pi_config":{"HOTWORD_MODEL":[]}}})");
  EXPECT_EQ(wrong.status, 422);
  EXPECT_EQ(wrong.text("/pointer"), "/TARS/pi_config/HOTWORD_MODEL");
  EXPECT_EQ(post("/api/v1/personas/import",
                 R"({"TARS":{"voice_id":"v","pi_config":{"HOTWORD_THRESHOLD":0.4}},"B":{}})")
                .status,
            200);
  EXPECT_EQ(get("/api/v1/personas/TARS").body,
            *parse_json(R"({"voice_id":"v","pi_config":{"HOTWORD_THRESHOLD":0.4},"name":"TARS"})"));
  EXPECT_EQ(get("/api/v1/personas?limit=1").text("/next"), "B");
  const auto switched = post("/api/v1/personas/TARS/switch", R"({"reason":"bedtime"})");
  ASSERT_EQ(switched.status, 200) << switched.response.body;
  EXPECT_EQ(switched.at("/targeted"), Json(1));
  EXPECT_EQ(get("/api/v1/devices/" + uuid(1)).text("/persona/desired"), "TARS");
  EXPECT_EQ(get("/api/v1/fleet").text("/persona"), "TARS");
  EXPECT_EQ(del("/api/v1/personas/TARS").status, 409);
  EXPECT_EQ(post("/api/v1/personas/none/switch", "").status, 200);
  EXPECT_TRUE(get("/api/v1/devices/" + uuid(1)).at("/persona/desired").is_null());
  EXPECT_EQ(del("/api/v1/personas/TARS").status, 200);
  const auto unknown = post("/api/v1/personas/TARS/switch", "");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_FALSE(unknown.body.get_object().contains("pointer")) << "the name is not in the body";
  EXPECT_EQ(post("/api/v1/personas/none/switch", R"({"target":{"device":"x"}})").text("/pointer"),
            "/target/device");
  const auto torn = post("/api/v1/personas/import", "{");
  EXPECT_EQ(torn.status, 400);
  EXPECT_EQ(torn.text("/code"), "malformed");
  EXPECT_NE(torn.text("/detail").find("byte 1"), std::string::npos) << torn.response.body;

  EXPECT_EQ(put("/api/v1/groups/toys", R"({"selector":"kind=toy","priority":5})").status, 200);
  EXPECT_EQ(get("/api/v1/groups").at("/items/0"),
            *parse_json(R"({"name":"toys","selector":"kind=toy","priority":5,"devices":0})"));
  EXPECT_EQ(put("/api/v1/groups/a%20b", R"({"selector":"kind=toy"})").status, 422);
  EXPECT_EQ(put("/api/v1/groups/toys", R"({"selector":"=="})").text("/pointer"), "/selector");
  EXPECT_EQ(del("/api/v1/groups/toys").status, 200);
  EXPECT_EQ(del("/api/v1/groups/toys").status, 404);
}

TEST_F(ChangesApi, WhatTheProcessItselfAnswers) {
  EXPECT_EQ(get_as("", "/healthz").response.body, R"({"status":"ok"})");
  EXPECT_EQ(get_as("", "/readyz").status, 200);
  api->set_ready(false);
  EXPECT_EQ(get_as("", "/readyz").status, 503);
  const auto metrics = get("/metrics");
  EXPECT_NE(metrics.response.body.find("starling_revision{fleet=\"default\"} "), std::string::npos)
      << metrics.response.body;
  const auto page = get_as("", "/");
  EXPECT_NE(page.response.body.find("/api/v1/devices/{uuid}"), std::string::npos);
  EXPECT_EQ(page.response.body.find("<script"), std::string::npos);
  EXPECT_EQ(page.response.body.find("http://"), std::string::npos) << "nothing from elsewhere";
  EXPECT_NE(page.response.headers.find("Content-Security-Policy")->find("default-src 'none'"),
            std::string::npos);
  EXPECT_EQ(get("/nowhere").status, 404);
  const auto wrong_method = del("/healthz");
  EXPECT_EQ(wrong_method.status, 405);
  EXPECT_EQ(wrong_method.response.headers.find("Allow"), "GET");
  EXPECT_EQ(wrong_method.at("/status"), Json(405));
  EXPECT_EQ(wrong_method.text("/title"), "Method not allowed");
}

}  // namespace
}  // namespace starling::hub
