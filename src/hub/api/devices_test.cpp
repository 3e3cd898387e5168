#include "base/crypto.hpp"
#include "hub/api/linked_device.hpp"

namespace starling::hub {
namespace {

using http::Method;

class DevicesApi : public ApiTest {};

TEST_F(DevicesApi, RegistrationAnswersTheDocumentsFieldsAndAToken) {
  const std::string body = R"({"device_uuid":")" + uuid(1) +
                           R"(","device_name":"bear","timezone":"Europe/Berlin","current_version":"v1.2",
      "metadata":{"model":"Pi 4"},"labels":{"room":"nursery"},"serial":"10000000abc"})";
  const auto made =
      ask(Method::post, "/api/v1/devices/register", body, {admin_key, {{"X-Device-Type", "toy"}}});
  ASSERT_EQ(made.status, 201) << made.response.body;
  EXPECT_EQ(made.text("/device/device_uuid"), uuid(1));
  EXPECT_EQ(made.text("/device/device_name"), "bear");
  EXPECT_EQ(made.text("/device/timezone"), "Europe/Berlin");
  EXPECT_EQ(made.text("/device/current_version"), "v1.2");
  EXPECT_EQ(made.text("/device/device_type"), "toy");
  EXPECT_EQ(made.text("/device/metadata/model"), "Pi 4");
  EXPECT_EQ(made.text("/device/status"), "online") << "to register is a sign of life";
  EXPECT_EQ(made.text("/device/sync/status"), "pending");
  EXPECT_EQ(made.text("/device_uuid"), uuid(1)) << "as the documents have it: at the top";
  EXPECT_EQ(made.text("/status"), "online");
  EXPECT_TRUE(made.at("/ignored").get_array().empty());
  EXPECT_TRUE(made.text("/token").starts_with("dt_"));
  EXPECT_EQ(made.at("/heartbeat_seconds"), Json(300));

  const auto again = ask(Method::post, "/api/v1/devices/register", body, {admin_key});
  ASSERT_EQ(again.status, 200) << again.response.body;
  EXPECT_NE(again.text("/token"), made.text("/token"));
  EXPECT_EQ(get_as(made.text("/token"), "/api/v1/devices/" + uuid(1)).status, 200)
      << "good until the new one is used";
  EXPECT_EQ(get_as(again.text("/token"), "/api/v1/devices/" + uuid(1)).status, 200);
  EXPECT_EQ(get_as(made.text("/token"), "/api/v1/devices/" + uuid(1)).status, 401);

  const auto copy =
      post("/api/v1/devices/register", R"({"device_uuid":")" + uuid(1) + R"(","serial":"other"})");
  EXPECT_EQ(copy.status, 409);
  EXPECT_EQ(copy.text("/pointer"), "/serial");
}

TEST_F(DevicesApi, WhoOnlyKnowsADeviceGetsNoTokenOfIt) {
  const auto body_of = [](int number, const std::string& more) {
    return R"({"device_uuid":")" + uuid(number) + '"' + more + "}";
  };
  const std::string public_key =
      R"(,"serial":"s","public_key":")" + base64url_encode(make_ed25519_key_pair().public_key) + '"';
  const auto enrol_body = [&](int number, const std::string& more) {
    const auto made = post("/api/v1/devices/register", body_of(number, more));
    EXPECT_EQ(made.status, 201) << made.response.body;
    return made.text("/token");
  };
  const std::string lab = R"(,"labels":{"room":"lab"})";
  const std::string nursery = R"(,"labels":{"room":"nursery"})";
  const std::string signing_token = enrol_body(1, public_key + lab);
  const std::string plain_token = enrol_body(2, lab);
  const std::string enrolment = make_key_of(R"({"name":"e","kind":"enrolment"})");
  const std::string only_nursery =
      make_key_of(R"({"name":"n","kind":"enrolment","selector":"room=nursery"})");
  struct Case {
    const char* what;
    std::string key;
    std::string body;
    int status;
    bool token;
  };
  const Case cases[] = {
      {"a device that can sign", enrolment, body_of(1, public_key), 200, false},
      {"the same for an admin", admin_key, body_of(1, public_key), 200, false},
      {"the same for itself", signing_token, body_of(1, public_key), 200, false},
      {"without its key", enrolment, body_of(1, R"(,"serial":"s")"), 409, false},
      {"a device that cannot", enrolment, body_of(2, ""), 200, false},
      {"the same for itself", plain_token, body_of(2, ""), 200, true},
      {"the same for an admin", admin_key, body_of(2, ""), 200, true},
      {"labels that it does not have", only_nursery, body_of(2, nursery), 403, false},
      {"another's token", signing_token, body_of(2, ""), 403, false},
      {"a device's token for a new device", signing_token, body_of(3, ""), 403, false},
  };
  for (const Case& each : cases) {
    const auto answer = ask(Method::post, "/api/v1/devices/register", each.body, {each.key});
    EXPECT_EQ(answer.status, each.status) << each.what << answer.response.body;
    EXPECT_EQ(answer.body.get_object().contains("token"), each.token) << each.what;
    EXPECT_EQ(get_as(signing_token, "/api/v1/devices/" + uuid(1)).status, 200) << "the old one is good";
  }
}

TEST_F(DevicesApi, BadRegistrationsNameTheField) {
  const std::string id = R"("device_uuid":")" + uuid(1) + '"';
  struct Case {
    std::string body;
    int status;
    const char* pointer;
  };
  const Case cases[] = {
      {"", 400, nullptr},
      {"{", 400, nullptr},
      {"{" + id + ",}", 400, nullptr},
      {"[]", 422, nullptr},
      {"{}", 422, "/device_uuid"},
      {R"({"device_uuid":"bear"})", 422, "/device_uuid"},
      {R"({"device_uuid":7})", 422, "/device_uuid"},
      {"{" + id + R"(,"colour":"red"})", 422, "/colour"},
      {"{" + id + R"(,"device_name":""})", 422, "/device_name"},
      {"{" + id + R"(,"device_name":"a\nb"})", 422, "/device_name"},
      {"{" + id + R"(,"timezone":"Mars/Ares Vallis"})", 422, "/timezone"},
      {"{" + id + R"(,"timezone":":/etc/localtime"})", 422, "/timezone"},
      {"{" + id + R"(,"timezone":"EST5EDT,M3.2.0"})", 422, "/timezone"},
      {"{" + id + R"(,"timezone":"Europe"})", 422, "/timezone"},
      {"{" + id + R"(,"status":"asleep"})", 422, "/status"},
      {"{" + id + R"(,"labels":{"room":7}})", 422, "/labels/room"},
      {"{" + id + R"(,"labels":{"-room":"x"}})", 422, "/labels"},
      {"{" + id + R"(,"public_key":"short"})", 422, "/public_key"},
      {"{" + id + R"(,"cloned_from":"bear"})", 422, "/cloned_from"},
      {"{" + id + R"(,"metadata":[]})", 422, "/metadata"},
      {"{" + id + R"(,"metadata":{"a":")" + std::string(20'000, 'x') + R"("}})", 413, "/metadata"},
  };
  const auto before = get("/api/v1/fleet").at("/revision");
  for (const Case& each : cases) {
    const auto answer = post("/api/v1/devices/register", each.body);
    EXPECT_EQ(answer.status, each.status) << each.body.substr(0, 100) << answer.response.body;
    EXPECT_EQ(answer.response.content_type, "application/problem+json");
    if (each.pointer == nullptr) continue;
    EXPECT_EQ(answer.text("/pointer"), each.pointer) << answer.response.body;
  }
  EXPECT_EQ(get("/api/v1/fleet").at("/revision"), before) << "nothing was changed";
}

TEST_F(DevicesApi, ARegistrationOfAKnownDeviceIsAChangeOfWhatIsOther) {
  const std::string id = enrol(1, "bear", R"({"room":"nursery"})");
  const std::string enrolment = make_key_of(R"({"name":"e","kind":"enrolment"})");
  std::string token = token_of(id);  // the newest
  const auto again = [&](const std::string& by, const std::string& more) {
    const std::string key = by == "itself" ? token : by;
    const auto head = get("/api/v1/fleet").at("/revision").as_int64();
    const auto answer =
        ask(Method::post, "/api/v1/devices/register", R"({"device_uuid":")" + id + '"' + more + "}", {key});
    EXPECT_EQ(answer.status, 200) << more << answer.response.body;
    if (answer.body.get_object().contains("token")) token = answer.text("/token");
    return std::pair(answer, get("/api/v1/fleet").at("/revision").as_int64() - head);
  };
  struct Case {
    const char* what;
    std::string key;
    const char* more;
    int rows;
    const char* ignored;
  };
  const Case cases[] = {
      {"nothing new", admin_key, R"(,"device_name":"bear")", 0, "[]"},
      {"nothing said", admin_key, "", 0, "[]"},
      {"name and zone", admin_key, R"(,"device_name":"Bruno","timezone":"Asia/Tokyo")", 1, "[]"},
      {"labels", admin_key, R"(,"labels":{"room":"lab"})", 1, "[]"},
      {"by its own token", "itself", R"(,"device_name":"Ted")", 1, "[]"},
      {"labels by its own token", "itself", R"(,"labels":{"room":"attic"})", 0, R"(["labels"])"},
      {"an enrolment key proves nothing", enrolment, R"(,"device_name":"Mallory","timezone":"UTC")", 0,
       R"(["device_name","timezone"])"},
  };
  for (const Case& each : cases) {
    const auto [answer, rows] = again(each.key, each.more);
    EXPECT_EQ(rows, each.rows) << each.what;
    EXPECT_EQ(answer.at("/ignored"), *parse_json(each.ignored)) << each.what;
  }
  const auto device = get("/api/v1/devices/" + id);
  EXPECT_EQ(device.text("/device_name"), "Ted");
  EXPECT_EQ(device.text("/timezone"), "Asia/Tokyo");
  EXPECT_EQ(device.at("/labels"), *parse_json(R"({"room":"lab"})"));
  const auto row = get("/api/v1/changes?newest_first=true&limit=1");
  EXPECT_EQ(row.text("/items/0/action"), "device.patch");
  EXPECT_EQ(row.text("/items/0/reason"), "registered again");

  again(admin_key, R"(,"metadata":{"os":"13"},"current_version":"v9","status":"updating")");
  const auto told = get("/api/v1/devices/" + id);
  EXPECT_EQ(told.text("/metadata/os"), "13");
  EXPECT_EQ(told.text("/current_version"), "v9");
  EXPECT_EQ(told.text("/status"), "updating");
  again(enrolment, R"(,"metadata":{"os":"0"},"current_version":"v0","status":"offline")");
  EXPECT_EQ(get("/api/v1/devices/" + id).text("/metadata/os"), "13");
  EXPECT_EQ(get("/api/v1/devices/" + id).text("/status"), "updating");
}

TEST_F(DevicesApi, TheHeaderOfTheTypeIsCheckedAsTheFieldIs) {
  const std::string body = R"({"device_uuid":")" + uuid(1) + R"("})";
  const auto with_type = [&](std::string type) {
    return ask(Method::post, "/api/v1/devices/register", body,
               {admin_key, {{"X-Device-Type", std::move(type)}}});
  };
  EXPECT_EQ(with_type(std::string(127, 'x') + "\u00e9").status, 422);
  EXPECT_EQ(with_type("line\x01").status, 422);
  EXPECT_EQ(with_type("toy").status, 201);
  EXPECT_EQ(with_type("").text("/device_type"), "toy") << "an empty one says nothing";
}

TEST_F(DevicesApi, ATokenThatNeverArrivedDoesNotLockAClientOut) {
  const std::string body = R"({"device_uuid":")" + uuid(1) + R"("})";
  const auto again = [&](const std::string& key) {
    return ask(Method::post, "/api/v1/devices/register", body, {key});
  };
  const std::string first = again(admin_key).text("/token");
  for (int lost = 0; lost < 3; ++lost)
    ASSERT_EQ(again(first).status, 200);
  const std::string newest = again(first).text("/token");
  EXPECT_EQ(ask(Method::get, "/api/v1/devices/" + uuid(1), "", {newest}).status, 200);
  EXPECT_EQ(again(first).status, 401) << "the newest was used";
}

TEST_F(DevicesApi, UuidsAreTakenInUpperCaseAndPathsWithASlash) {
  const std::string lower = "0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11";
  const std::string upper = "0192F0C1-7A30-7CC0-8A51-3D2B6F0E9A11";
  const auto made = post("/api/v1/devices/register/", R"({"device_uuid":")" + upper + "\"}");
  ASSERT_EQ(made.status, 201) << made.response.body;
  EXPECT_EQ(made.text("/device_uuid"), lower);
  EXPECT_EQ(get("/api/v1/devices/" + upper).text("/id"), lower);
  EXPECT_EQ(get("/api/v1/devices/" + lower + "/updates/check/").status, 200);
  const std::string beat = "/api/v1/devices/" + lower + "/heartbeat";
  EXPECT_EQ(post(beat, R"({"device_uuid":")" + upper + "\"}").status, 200);
  EXPECT_EQ(post(beat, R"({"device_uuid":")" + uuid(7) + "\"}").text("/pointer"), "/device_uuid");
  EXPECT_EQ(
      put("/api/v1/settings", R"({"values":{"LOG_LEVEL":"DEBUG"},"target":{"device":")" + upper + "\"}}")
          .status,
      200);
}

// All that the documents' API reference gives a device, with nothing but the token of its registration.
TEST_F(DevicesApi, ADocumentsClientLivesOnItsTokenAndAnEnrolmentKeyOnlyEnrols) {
  const std::string enrolment = make_key_of(R"({"name":"e","kind":"enrolment"})");
  const auto made =
      ask(Method::post, "/api/v1/devices/register", R"({"device_uuid":")" + uuid(1) + "\"}", {enrolment});
  ASSERT_EQ(made.status, 201) << made.response.body;
  const std::string path = "/api/v1/devices/" + uuid(1);
  struct Case {
    Method method;
    std::string target;
    const char* body;
  };
  const Case cases[] = {
      {Method::post, path + "/heartbeat", R"({"status":"online"})"},
      {Method::get, path, ""},
      {Method::get, path + "/updates/check", ""},
      {Method::patch, path + "/status", R"({"status":"updating"})"},
  };
  for (const Case& each : cases) {
    const auto as = [&](const std::string& key) {
      return ask(each.method, each.target, each.body, {"", {{"X-API-Key", key}}}).status;
    };
    EXPECT_EQ(as(made.text("/token")), 200) << each.target;
    EXPECT_EQ(as(enrolment), 403) << each.target;
  }
}

TEST_F(DevicesApi, AStatusByKeyIsASignOfLifeUnlessItSaysGone) {
  const std::string path = "/api/v1/devices/" + enrol(1, "bear");
  clock.advance(Seconds(1000));
  ASSERT_EQ(get(path).text("/status"), "offline");
  const auto told = patch(path + "/status", R"({"status":"online"})");
  EXPECT_EQ(told.text("/status"), "online");
  EXPECT_EQ(told.text("/last_seen"), to_rfc3339(clock.wall()));
  clock.advance(Seconds(10));
  const auto gone = patch(path + "/status", R"({"status":"offline"})");
  EXPECT_EQ(gone.text("/status"), "offline");
  EXPECT_EQ(gone.at("/last_seen"), told.at("/last_seen"));
}

TEST_F(DevicesApi, HeartbeatsMakeARestDevicePresent) {
  const std::string id = enrol(1, "bear");
  const std::string path = "/api/v1/devices/" + id;
  const auto beat = ask(Method::post, path + "/heartbeat", "", {token_of(id)});
  ASSERT_EQ(beat.status, 200) << beat.response.body;
  EXPECT_EQ(beat.text("/status"), "online");
  EXPECT_EQ(beat.at("/heartbeat_seconds"), Json(300));
  EXPECT_TRUE(beat.body.get_object().contains("server_time"));

  const auto told =
      ask(Method::post, path + "/heartbeat",
          R"({"current_version":"v2","status":"updating","metadata":{"os":"12"},"timezone":"Asia/Tokyo"})",
          {token_of(id)});
  EXPECT_EQ(told.text("/status"), "updating");
  EXPECT_EQ(told.text("/current_version"), "v2");
  EXPECT_EQ(told.text("/timezone"), "Asia/Tokyo");
  EXPECT_EQ(ask(Method::patch, path + "/status", R"({"status":"online"})", {token_of(id)}).text("/status"),
            "online");
  EXPECT_EQ(ask(Method::patch, path + "/status", R"({"status":"asleep"})", {token_of(id)}).status, 422);
  EXPECT_EQ(ask(Method::post, path + "/heartbeat", R"({"uptime":1})", {token_of(id)}).text("/pointer"),
            "/uptime");

  clock.advance(Seconds(800));
  EXPECT_EQ(get(path).text("/status"), "offline");
  EXPECT_EQ(get("/api/v1/devices?status=offline").at("/items").get_array().size(), 1u);
  EXPECT_EQ(get(path + "/updates/check").body, *parse_json(R"({"updates":[]})"));
}

TEST_F(DevicesApi, ListsArePagedInOrderWithAndWithoutSlash) {
  for (int i = 1; i <= 5; ++i)
    enrol(i, "d" + std::to_string(i), i % 2 == 0 ? R"({"room":"even"})" : "{}");
  std::vector<std::string> seen;
  std::string after;
  for (int pages = 0; pages < 10; ++pages) {
    const auto page = get("/api/v1/devices/?limit=2&after=" + after);
    ASSERT_EQ(page.status, 200) << page.response.body;
    for (const Json& item : page.at("/items").get_array())
      seen.emplace_back(item.at("id").get_string());
    if (page.at("/next").is_null()) break;
    after = page.text("/next");
  }
  EXPECT_EQ(seen, (std::vector<std::string>{uuid(1), uuid(2), uuid(3), uuid(4), uuid(5)}));
  EXPECT_EQ(get("/api/v1/devices?selector=room%3Deven").at("/items").get_array().size(), 2u);
  EXPECT_EQ(get("/api/v1/devices?sync=pending").at("/items").get_array().size(), 5u);
  for (const char* bad :
       {"limit=0", "limit=x", "limit=1001", "status=gone", "sync=gone", "selector=%21%21", "colour=red"}) {
    EXPECT_EQ(get(std::string("/api/v1/devices?") + bad).status, 422) << bad;
  }
}

TEST_F(DevicesApi, PatchMergesLabelsAndRemovalTakesTheLayerAlong) {
  const std::string id = enrol(1, "bear", R"({"room":"nursery","kind":"toy"})");
  const std::string path = "/api/v1/devices/" + id;
  const auto changed =
      patch(path, R"({"device_name":"Bruno","labels":{"room":null,"floor":"2"},"reason":"moved"})");
  ASSERT_EQ(changed.status, 200) << changed.response.body;
  EXPECT_EQ(changed.at("/changed"), *parse_json("[\"" + id + "\"]"));
  EXPECT_EQ(get(path).at("/labels"), *parse_json(R"({"kind":"toy","floor":"2"})"));
  EXPECT_TRUE(patch(path, R"({"device_name":"Bruno"})").at("/revision").is_null()) << "nothing changed";
  EXPECT_EQ(patch(path, R"({"labels":{"room":7}})").text("/pointer"), "/labels/room");

  put("/api/v1/settings", R"({"values":{"LOG_LEVEL":"DEBUG"},"target":{"device":"Bruno"}})");
  EXPECT_EQ(del(path).status, 200);
  EXPECT_EQ(get(path).status, 404);
  EXPECT_EQ(get_as(token_of(id), path).status, 401) << "its token is dead";
  EXPECT_EQ(get("/api/v1/settings?layer=device%3A" + id).at("/items").get_array().size(), 0u);
  EXPECT_EQ(del(path).status, 404);
}

TEST_F(DevicesApi, SettingsOfADeviceNowAndThen) {
  const std::string id = enrol(1, "bear");
  const auto then = get("/api/v1/fleet").at("/revision").as_int64();
  put("/api/v1/settings", R"({"values":{"HOTWORD_THRESHOLD":0.8}})");
  const auto now = get("/api/v1/devices/" + id + "/settings");
  ASSERT_EQ(now.status, 200) << now.response.body;
  EXPECT_EQ(now.at("/settings/hotword.threshold"),
            *parse_json(R"({"value":0.8,"layer":"fleet","revision":)" + std::to_string(then + 1) +
                        R"(,"alias":"HOTWORD_THRESHOLD","unit":"probability"})"));
  const auto past = get("/api/v1/devices/" + id + "/settings?at=" + std::to_string(then));
  EXPECT_EQ(past.at("/settings/hotword.threshold/value"), Json(0.5));
  EXPECT_EQ(get("/api/v1/devices/" + id + "/settings?at=1").status, 404) << "there was no such device";
  EXPECT_EQ(get("/api/v1/devices/" + id + "/settings?at=99999").status, 422);

  const auto document = get("/api/v1/devices/" + id + "/document");
  EXPECT_EQ(document.at("/sections/settings/settings/hotword.threshold"), Json(0.8));
  EXPECT_EQ(document.at("/hashes/settings"), now.at("/hash"));
  EXPECT_EQ(document.response.headers.find("X-Starling-Revision"), std::to_string(then + 1));
}

TEST_F(DevicesApi, RecordsAndTokensOutliveTheHub) {
  const std::string id = enrol(1, "bear", R"({"room":"nursery"})");
  ask(Method::post, "/api/v1/devices/" + id + "/heartbeat", R"({"current_version":"v7"})", {token_of(id)});
  hub->tick();
  settle();
  restart();
  const auto seen = get_as(token_of(id), "/api/v1/devices/" + id);
  ASSERT_EQ(seen.status, 200) << seen.response.body;
  EXPECT_EQ(seen.text("/current_version"), "v7");
}

TEST_F(DevicesApi, PendingEditsAreThoseOfTheLastHeartbeat) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {});
  const auto pending = [&] { return get("/api/v1/devices/" + uuid(1)).at("/pending_edits"); };
  EXPECT_EQ(pending(), Json(0));
  protocol::Heartbeat beat;
  for (const std::int64_t count : {2, 2, 0, 1, 0}) {  // with nothing else to report
    beat.pending = count;
    bear.say(beat);
    EXPECT_EQ(pending(), Json(count));
  }
}

}  // namespace
}  // namespace starling::hub
