#include "hub/api/api_fixture.hpp"

namespace starling::hub {
namespace {

using http::Method;

class SettingsApi : public ApiTest {};

TEST_F(SettingsApi, WriteAnswersWhatChangedAndWhereItIsMasked) {
  const std::string id = enrol(1, "bear", R"({"room":"nursery"})");
  enrol(2, "duck");
  const auto group =
      put("/api/v1/settings", R"({"values":{"hotword.threshold":0.6},"target":{"selector":"room=nursery"}})");
  ASSERT_EQ(group.status, 200) << group.response.body;
  EXPECT_EQ(group.at("/targeted"), Json(1));
  EXPECT_EQ(group.at("/changed"), *parse_json(R"(["room=nursery","hotword.threshold"])"));
  const auto fleet = put("/api/v1/settings", R"({"values":{"HOTWORD_THRESHOLD":0.7},"reason":"less noise"})");
  EXPECT_EQ(fleet.at("/targeted"), Json(2));
  EXPECT_EQ(fleet.at("/masked_count"), Json(1));
  EXPECT_EQ(fleet.at("/masked"), *parse_json(R"([{"key":"hotword.threshold","device":")" + id +
                                             R"(","device_name":"bear","layer":"group:room=nursery"}])"));
  const auto agreed = put("/api/v1/settings", R"({"values":{"hotword.threshold":0.6}})");
  EXPECT_EQ(agreed.at("/masked_count"), Json(0)) << "the group says the same";
  put("/api/v1/settings", R"({"values":{"hotword.threshold":0.7}})");
  const auto same = put("/api/v1/settings", R"({"values":{"HOTWORD_THRESHOLD":0.7}})");
  EXPECT_TRUE(same.at("/revision").is_null());

  const auto entries = get("/api/v1/settings");
  ASSERT_EQ(entries.at("/items").get_array().size(), 2u) << entries.response.body;
  EXPECT_EQ(entries.text("/items/0/layer"), "fleet");
  EXPECT_EQ(entries.text("/items/0/by"), "first admin key");
  const auto first = get("/api/v1/settings?limit=1");
  const auto second = get("/api/v1/settings?limit=1&after=" + http::percent_encode(first.text("/next")));
  EXPECT_EQ(second.text("/items/0/layer"), "group:room=nursery");
  EXPECT_TRUE(second.at("/next").is_null());
  EXPECT_EQ(get("/api/v1/settings?layer=fleet").at("/items").get_array().size(), 1u);
  EXPECT_EQ(get("/api/v1/settings?layer=nonsense").status, 422);
}

TEST_F(SettingsApi, BadWritesChangeNothing) {
  struct Case {
    const char* body;
    int status;
    const char* pointer;
  };
  constexpr Case cases[] = {
      {"", 400, nullptr},
      {R"({"values":)", 400, nullptr},
      {"7", 422, nullptr},
      {R"({"value":{}})", 422, "/value"},
      {R"({})", 422, "/values"},
      {R"({"values":{}})", 422, "/values"},
      {R"({"values":[]})", 422, "/values"},
      {R"({"values":{"HOTWORD_TRESHOLD":0.5}})", 422, "/values/HOTWORD_TRESHOLD"},
      {R"({"values":{"hotword.threshold":"high"}})", 422, "/values/hotword.threshold"},
      {R"({"values":{"hotword.threshold":7}})", 422, "/values/hotword.threshold"},
      {R"({"values":{"hotword.threshold":0.5},"target":{"planet":"Mars"}})", 422, "/target/planet"},
      {R"({"values":{"hotword.threshold":0.5},"target":{"device":"nobody"}})", 404, "/target/device"},
      {R"({"values":{"hotword.threshold":0.5},"expected":{"nope":1}})", 422, "/expected/nope"},
      {R"({"values":{"hotword.threshold":0.5},"reason":7})", 422, "/reason"},
  };
  const auto before = get("/api/v1/fleet").at("/revision");
  for (const Case& each : cases) {
    const auto answer = put("/api/v1/settings", each.body);
    EXPECT_EQ(answer.status, each.status) << each.body << answer.response.body;
    if (each.pointer == nullptr) continue;
    EXPECT_EQ(answer.text("/pointer"), each.pointer) << answer.response.body;
  }
  std::string deep =
      R"({"values":{"hotword.models":)" + std::string(1000, '[') + std::string(1000, ']') + "}}";
  EXPECT_EQ(put("/api/v1/settings", deep).status, 400);
  EXPECT_EQ(put("/api/v1/settings", "{\"values\":{\"hotword.phrase\":\"\xff\"}}").status, 400);
  EXPECT_EQ(get("/api/v1/fleet").at("/revision"), before);
}

TEST_F(SettingsApi, OfTwoRacersOneWinsAndTheOtherSeesBothValues) {
  const auto answers =
      ask_together(Method::put, "/api/v1/settings",
                   {R"({"values":{"hotword.threshold":0.1},"expected":{"hotword.threshold":null}})",
                    R"({"values":{"hotword.threshold":0.2},"expected":{"hotword.threshold":null}})"},
                   {{admin_key}});
  EXPECT_EQ(answers[0].status, 200);
  ASSERT_EQ(answers[1].status, 409) << answers[1].response.body;
  EXPECT_EQ(answers[1].text("/code"), "conflict");
  EXPECT_EQ(answers[1].at("/conflicts"),
            *parse_json(R"([{"key":"hotword.threshold","expected":null,"actual":0.1}])"));
  EXPECT_EQ(answers[1].response.content_type, "application/problem+json");
}

TEST_F(SettingsApi, RepeatsOfARequestAreAnsweredTheSame) {
  const ApiFixture::Ask once{admin_key, {{"Idempotency-Key", "a1"}}};
  const std::string body = R"({"values":{"hotword.threshold":0.3}})";
  const auto together = ask_together(Method::put, "/api/v1/settings", {body, body, body}, {once});
  for (const auto& answer : together)
    EXPECT_EQ(answer.response.body, together[0].response.body);
  put("/api/v1/settings", R"({"values":{"hotword.threshold":0.9}})");
  const auto later = ask(Method::put, "/api/v1/settings", body, once);
  EXPECT_EQ(later.response.body, together[0].response.body);
  EXPECT_EQ(get("/api/v1/settings").at("/items/0/value"), Json(0.9)) << "it was not written again";
  const auto other = ask(Method::put, "/api/v1/settings", R"({"values":{"hotword.threshold":0.4}})", once);
  EXPECT_EQ(other.status, 422) << other.response.body;
  restart();
  EXPECT_EQ(ask(Method::put, "/api/v1/settings", body, once).response.body, together[0].response.body);
  EXPECT_EQ(ask(Method::put, "/api/v1/settings", body, {admin_key, {{"Idempotency-Key", ""}}}).status, 422);
}

TEST_F(SettingsApi, ExplainDiffAndHistory) {
  const std::string id = enrol(1, "bear");
  enrol(2, "duck");
  put("/api/v1/settings", R"({"values":{"hotword.threshold":0.6},"reason":"one"})");
  const auto r1 = std::to_string(get("/api/v1/fleet").at("/revision").as_int64());
  put("/api/v1/settings",
      R"({"values":{"hotword.threshold":0.7},"target":{"device":"bear"},"reason":"two"})");
  const auto r2 = std::to_string(get("/api/v1/fleet").at("/revision").as_int64());

  const auto why = get("/api/v1/settings/explain?device=bear&key=HOTWORD_THRESHOLD");
  ASSERT_EQ(why.status, 200) << why.response.body;
  EXPECT_EQ(why.text("/key"), "hotword.threshold");
  EXPECT_EQ(why.at("/effective"), Json(0.7));
  EXPECT_EQ(why.text("/winner"), "device:" + id);
  EXPECT_EQ(why.text("/stack/0/reason"), "two");
  EXPECT_EQ(why.at("/stack/0/in_force"), Json(true));
  EXPECT_EQ(why.text("/stack/1/layer"), "fleet");
  EXPECT_EQ(why.text("/stack/2/layer"), "defaults");
  EXPECT_EQ(get_as(token_of(id), "/api/v1/settings/explain?device=bear&key=hotword.threshold").status, 200);
  EXPECT_EQ(get_as(token_of(id), "/api/v1/settings/explain?device=duck&key=hotword.threshold").status, 404);

  const auto devices = get("/api/v1/settings/diff?device=bear&other=duck");
  EXPECT_EQ(devices.at("/items"), *parse_json(R"([{"key":"hotword.threshold","left":0.7,"right":0.6,
      "left_layer":"device:)" + id + R"(","right_layer":"fleet"}])"));
  EXPECT_EQ(get("/api/v1/settings/diff?device=bear&from=" + r1 + "&to=" + r2).at("/items/0/left"), Json(0.6));
  EXPECT_EQ(get("/api/v1/settings/diff?from=0&to=" + r2).at("/items/0/right"), Json(0.6));
  for (const char* bad : {"device=bear", "from=1", "device=bear&other=duck&from=1&to=2", "other=duck"}) {
    EXPECT_EQ(get(std::string("/api/v1/settings/diff?") + bad).status, 422) << bad;
  }

  const auto history = get("/api/v1/settings/history?key=HOTWORD_THRESHOLD");
  ASSERT_EQ(history.at("/items").get_array().size(), 2u) << history.response.body;
  EXPECT_EQ(history.text("/items/0/reason"), "two");
  EXPECT_EQ(history.at("/items/1/after"), Json(0.6));
  const auto newest = get("/api/v1/settings/history?key=hotword.threshold&limit=1");
  EXPECT_EQ(newest.at("/items").get_array().size(), 1u);
  EXPECT_EQ(get("/api/v1/settings/history?key=hotword.threshold&limit=1&after=" + newest.text("/next"))
                .text("/items/0/reason"),
            "one");
  EXPECT_EQ(get("/api/v1/settings/history?key=hotword.threshold&layer=fleet").at("/items").get_array().size(),
            1u);
}

TEST_F(SettingsApi, RollbackIsANewChange) {
  put("/api/v1/settings", R"({"values":{"hotword.threshold":0.6}})");
  const auto then = get("/api/v1/fleet").at("/revision").as_int64();
  put("/api/v1/settings", R"({"values":{"hotword.threshold":0.7,"hotword.phrase":"hi"}})");
  post("/api/v1/personas/import", R"({"TARS":{}})");
  const auto back = post("/api/v1/settings/rollback", R"({"revision":)" + std::to_string(then) + "}");
  ASSERT_EQ(back.status, 200) << back.response.body;
  EXPECT_EQ(back.at("/revision"), Json(then + 3));
  EXPECT_EQ(get("/api/v1/settings").at("/items").get_array().size(), 1u);
  EXPECT_EQ(get("/api/v1/settings").at("/items/0/value"), Json(0.6));
  EXPECT_EQ(get("/api/v1/personas").at("/items").get_array().size(), 0u);
  const auto again = post("/api/v1/settings/rollback", R"({"revision":)" + std::to_string(then) + "}");
  EXPECT_TRUE(again.at("/revision").is_null());
  EXPECT_EQ(post("/api/v1/settings/rollback", R"({"revision":9999})").status, 422);
  EXPECT_EQ(post("/api/v1/settings/rollback", R"({})").text("/pointer"), "/revision");
}

TEST_F(SettingsApi, RollbackNamesWhomItConcernsAndLeavesGroupsThatHaveComeSince) {
  enrol(1, "bear", R"({"room":"nursery"})");
  enrol(2, "duck");
  const auto then = get("/api/v1/fleet").at("/revision").as_int64();
  put("/api/v1/settings", R"({"values":{"hotword.phrase":"hi"},"target":{"selector":"room=nursery"}})");
  const auto back = post("/api/v1/settings/rollback", R"({"revision":)" + std::to_string(then) + "}");
  ASSERT_EQ(back.status, 200) << back.response.body;
  EXPECT_EQ(back.at("/targeted"), Json(1));
  EXPECT_EQ(back.at("/changed"), *parse_json(R"(["hotword.phrase"])"));
  EXPECT_EQ(get("/api/v1/groups").at("/items").get_array().size(), 1u);
  EXPECT_EQ(get("/api/v1/settings").at("/items").get_array().size(), 0u);
  const auto nothing = post("/api/v1/settings/rollback", R"({"revision":)" + std::to_string(then) + "}");
  EXPECT_TRUE(nothing.at("/revision").is_null());
}

TEST_F(SettingsApi, WhatIsSaidLastOfTwoGroupsCountsAlsoIfItWasSaidBefore) {
  enrol(1, "bear", R"({"room":"lab"})");
  const auto say = [&](const char* selector, const char* value) {
    return put("/api/v1/settings", std::string(R"({"values":{"hotword.phrase":")") + value +
                                       R"("},"target":{"selector":")" + selector + R"("}})");
  };
  const auto effective = [&] {
    return get("/api/v1/devices/" + uuid(1) + "/settings").text("/settings/hotword.phrase/value");
  };
  say("room=lab", "hi");
  EXPECT_TRUE(say("room=lab", "hi").at("/revision").is_null());
  say("room=nursery|lab", "ho");
  EXPECT_EQ(effective(), "ho");
  EXPECT_FALSE(say("room=lab", "hi").at("/revision").is_null()) << "it did not count any more";
  EXPECT_EQ(effective(), "hi");
  EXPECT_TRUE(say("room=lab", "hi").at("/revision").is_null());
}

TEST_F(SettingsApi, ReadsWaitForTheRevisionThatTheyAskFor) {
  const auto now = get("/api/v1/fleet").at("/revision").as_int64();
  EXPECT_EQ(get("/api/v1/settings?min_revision=" + std::to_string(now)).status, 200);
  EXPECT_EQ(get("/api/v1/settings?min_revision=x").status, 422);
}

class ImpatientApi : public testing::Test, public ApiFixture {
 protected:
  ImpatientApi() : ApiFixture({.min_revision_wait = Milliseconds(1)}) {}
};

TEST_F(ImpatientApi, ARevisionThatDoesNotComeIsUnavailable) {
  const auto answer = get("/api/v1/settings?min_revision=1000");
  EXPECT_EQ(answer.status, 503) << answer.response.body;
}

}  // namespace
}  // namespace starling::hub
