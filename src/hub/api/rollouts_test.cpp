// Rollouts as a user has them: through the API, with devices at their links, on a virtual clock.
#include "hub/api/rollouts.hpp"

#include <gmock/gmock.h>

#include "hub/api/linked_device.hpp"
#include "hub/rollouts/rollout_engine.hpp"

namespace starling::hub {
namespace {

using http::Method;
using protocol::Phase;
using protocol::Section;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr const char* two_stages = R"({"values":{"hotword.threshold":0.7},
    "stages":[{"selector":"room=lab"},{"share":10000}],"soak_ms":60000})";

class RolloutsApi : public ApiTest {
 protected:
  RolloutsApi() {
    enrol(1, "bear", R"({"room":"lab"})");
    enrol(2, "duck", R"({"room":"lab"})");
    enrol(3, "owl", R"({"room":"nursery"})");
  }
  void connect(std::initializer_list<int> numbers = {1, 2, 3}) {
    ++connections_;
    for (const int number : numbers) {
      devices_[number] = std::make_unique<LinkedDevice>(*this, uuid(number), std::vector<std::string>(),
                                                        protocol::SessionEpoch{connections_, 1});
    }
  }
  ~RolloutsApi() override { devices_.clear(); }
  // What is due is committed in the first tick, and its effect on devices seen in the second.
  void pass(Milliseconds time) {
    clock.advance(time);
    for (int i = 0; i < 2; ++i) {
      hub->tick();
      settle();
    }
  }
  // The devices that are offered new settings, and what they say.
  std::vector<int> answer(Phase phase = Phase::applied, std::vector<protocol::KeyError> errors = {}) {
    std::vector<int> told;
    for (auto& [number, device] : devices_) {
      const auto updates = device->updates(Section::settings);
      if (updates.empty()) continue;
      told.push_back(number);
      device->answer(updates.back(), phase, errors);
    }
    return told;
  }
  std::string start(const std::string& body) {
    const Answered started = post("/api/v1/rollouts", body);
    EXPECT_EQ(started.status, 201) << started.response.body;
    return started.text("/id");
  }
  Answered show(const std::string& id) { return get("/api/v1/rollouts/" + id); }
  std::string state(const std::string& id) { return show(id).text("/state"); }
  int act(const std::string& id, const std::string& verb, const std::string& key) {
    return ask(Method::post, "/api/v1/rollouts/" + id + "/" + verb, R"({"reason":"because"})", {key}).status;
  }
  Json threshold() {
    const Answered layer = get("/api/v1/settings?layer=fleet");
    return layer.at("/items").as_array().empty() ? Json() : layer.at("/items/0/value");
  }
  void restart_hub() {
    devices_.clear();
    restart();
  }

  std::map<int, std::unique_ptr<LinkedDevice>> devices_;
  std::int64_t connections_ = 0;
};

TEST_F(RolloutsApi, GoesFromStageToStageAndIsWrittenAtItsEnd) {
  connect();
  const std::string id = start(two_stages);
  EXPECT_EQ(state(id), "awaiting");
  pass(seconds(1));
  EXPECT_EQ(state(id), "settling");
  EXPECT_EQ(show(id).at("/stages/0/pending"), Json(2)) << show(id).response.body;
  EXPECT_EQ(show(id).at("/stages/0/open"), Json(true));
  EXPECT_EQ(show(id).at("/stages/1/open"), Json(false));
  EXPECT_EQ(answer(), (std::vector{1, 2}));
  pass(seconds(1));
  EXPECT_EQ(state(id), "soaking");
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(2));
  EXPECT_TRUE(show(id).at("/soaked_at").is_string());
  pass(seconds(30));
  EXPECT_EQ(answer(), std::vector<int>());
  pass(seconds(31));
  EXPECT_EQ(state(id), "settling");
  EXPECT_EQ(answer(), std::vector{3});
  EXPECT_TRUE(threshold().is_null()) << "it is written at the end";
  pass(seconds(1));
  pass(seconds(61));
  EXPECT_EQ(state(id), "finished");
  EXPECT_EQ(show(id).at("/ended"), Json(true));
  EXPECT_EQ(show(id).at("/stages/1/done"), Json(1)) << "what was known at the end stays";
  EXPECT_EQ(threshold(), Json(0.7));
  EXPECT_EQ(answer(), std::vector<int>()) << "finishing changes no document";
  const Answered changes = get("/api/v1/changes");
  EXPECT_THAT(changes.response.body, HasSubstr("rollout.start"));
  EXPECT_THAT(changes.response.body, HasSubstr("rollout.open"));
  EXPECT_THAT(changes.response.body, HasSubstr("rollout.finish"));
}

TEST_F(RolloutsApi, TooManyFailuresStopItAndTakeItBack) {
  connect();
  const std::string id = start(two_stages);
  pass(seconds(1));
  for (const int number : {1, 2}) {
    devices_[number]->answer(devices_[number]->updates(Section::settings).back(), Phase::refused,
                             {{"hotword.threshold", "no model for " + std::to_string(number)}});
  }
  pass(seconds(1));
  const Answered stopped = show(id);
  EXPECT_EQ(stopped.text("/state"), "stopped");
  EXPECT_EQ(stopped.text("/why"), "2 of 2 devices failed");
  EXPECT_EQ(stopped.at("/stages/0/failed"), Json(2));
  ASSERT_EQ(stopped.at("/failures").as_array().size(), 1u) << "the same but for a number";
  EXPECT_EQ(stopped.at("/failures/0/devices"), Json(2));
  EXPECT_EQ(stopped.text("/failures/0/example"), "hotword.threshold: no model for 1");
  EXPECT_EQ(stopped.text("/failures/0/device_name"), "bear");
  EXPECT_EQ(answer(), (std::vector{1, 2})) << "they are told the former settings";
  pass(minutes(10));
  EXPECT_EQ(answer(), std::vector<int>());
  EXPECT_TRUE(threshold().is_null());
  EXPECT_EQ(put("/api/v1/settings", R"({"values":{"hotword.threshold":0.4}})").status, 200)
      << "it holds its settings no longer";
}

TEST_F(RolloutsApi, AFewFailuresAreBorne) {
  connect();
  const std::string id = start(R"({"values":{"hotword.threshold":0.7},"stages":[{"share":10000}],
                                   "soak_ms":1000,"max_failures":5000})");
  pass(seconds(1));
  devices_[1]->answer(devices_[1]->updates(Section::settings).back(), Phase::reverted, {{"", "it howls"}});
  EXPECT_EQ(answer(), (std::vector{2, 3}));
  pass(seconds(1));
  EXPECT_EQ(state(id), "soaking");
  EXPECT_EQ(show(id).text("/failures/0/example"), "it howls");
  pass(seconds(2));
  EXPECT_EQ(state(id), "finished");
}

TEST_F(RolloutsApi, DevicesThatAreAwayArePassedByAndLateOnesJoin) {
  connect({1});
  const std::string id = start(two_stages);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/absent"), Json(1));
  EXPECT_EQ(answer(), std::vector{1});
  pass(seconds(1));
  EXPECT_EQ(state(id), "soaking");
  connect({2});
  pass(seconds(1));
  EXPECT_EQ(state(id), "soaking") << "it applied what it was told when it came";
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(2));
  enrol(4, "fox", R"({"room":"lab"})");
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/devices"), Json(3));
  patch("/api/v1/devices/" + uuid(2), R"({"labels":{"room":"nursery"}})");
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/devices"), Json(2));
  del("/api/v1/devices/" + uuid(4));
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/devices"), Json(1));
}

TEST_F(RolloutsApi, PeopleHoldResumeAndAbortIt) {
  connect();
  const std::string id = start(two_stages);
  pass(seconds(1));
  answer();
  pass(seconds(1));
  EXPECT_EQ(act(id, "pause", admin_key), 200);
  pass(minutes(10));
  EXPECT_EQ(state(id), "paused");
  EXPECT_EQ(show(id).text("/why"), "because");
  EXPECT_EQ(act(id, "pause", admin_key), 409) << "it is already";
  EXPECT_EQ(act(id, "resume", admin_key), 200);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/open"), Json(2)) << "it had soaked long enough";
  EXPECT_EQ(act(id, "abort", admin_key), 200);
  EXPECT_EQ(state(id), "aborted");
  pass(seconds(1));
  EXPECT_EQ(answer().size(), 3u) << "all go back";
  EXPECT_EQ(act(id, "resume", admin_key), 409);
  EXPECT_EQ(act("r99999", "pause", admin_key), 404);
}

TEST_F(RolloutsApi, AStageThatAsksForItIsApprovedBySomebodyElse) {
  connect();
  const std::string second = make_key_of(R"({"name":"second","role":"operator"})");
  const std::string viewer = make_key_of(R"({"name":"viewer","role":"viewer"})");
  const std::string id = start(R"({"values":{"hotword.threshold":0.7},
      "stages":[{"share":10000,"needs_approval":true}],"soak_ms":0})");
  pass(minutes(10));
  EXPECT_EQ(state(id), "awaiting");
  EXPECT_EQ(act(id, "approve", admin_key), 403) << "its author";
  EXPECT_EQ(act(id, "approve", viewer), 403);
  EXPECT_EQ(act(id, "approve", second), 200);
  EXPECT_EQ(act(id, "approve", second), 409) << "it is already";
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/open"), Json(1));
  EXPECT_THAT(show(id).text("/stages/0/approved_by"), HasSubstr("key:"));
  EXPECT_EQ(show(id).text("/stages/0/approved_by_name"), "second");
  EXPECT_EQ(show(id).text("/author_name"), "first admin key");
}

TEST_F(RolloutsApi, AnotherOfTheSameSettingsIsInTheWayUnlessItSupersedes) {
  connect();
  const std::string first = start(two_stages);
  pass(seconds(1));
  answer();
  const Answered refused = post("/api/v1/rollouts", two_stages);
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.response.body, HasSubstr("rollout " + first));
  const std::string heir = start(R"({"values":{"hotword.threshold":0.9},"supersede":true,
      "stages":[{"share":10000}],"soak_ms":0})");
  EXPECT_EQ(state(first), "yielding");
  EXPECT_EQ(show(first).text("/heir"), heir);
  pass(seconds(1));
  EXPECT_EQ(answer().size(), 3u);
  pass(seconds(1));
  pass(seconds(1));
  EXPECT_EQ(state(heir), "finished");
  EXPECT_EQ(state(first), "superseded");
  const Answered list = get("/api/v1/rollouts");
  EXPECT_EQ(list.text("/items/0/id"), heir) << "the newest first";
  EXPECT_EQ(list.text("/items/1/id"), first);
  EXPECT_EQ(get("/api/v1/rollouts?limit=1").text("/next"), heir);
  EXPECT_EQ(get("/api/v1/rollouts?limit=1&after=" + heir).text("/items/0/id"), first);
}

TEST_F(RolloutsApi, AnHeirThatFailsIsTakenBackAloneAndTheFormerGoesOn) {
  connect();
  const std::string first = start(two_stages);
  pass(seconds(1));
  answer();
  const std::string heir = start(R"({"values":{"hotword.threshold":0.9},"supersede":true,
      "stages":[{"share":10000}],"soak_ms":0})");
  pass(seconds(1));
  EXPECT_EQ(answer(Phase::refused, {{"hotword.threshold", "too high"}}).size(), 3u);
  pass(seconds(1));
  EXPECT_EQ(state(heir), "stopped");
  EXPECT_EQ(state(first), "soaking") << "its devices have kept what it brought: "
                                     << show(first).response.body;
  EXPECT_EQ(answer().size(), 3u) << "they are told what they had";
  pass(seconds(1));
  EXPECT_EQ(state(first), "soaking") << show(first).response.body;
  EXPECT_TRUE(show(first).at("/heir").is_null());
  EXPECT_EQ(show(first).at("/stages/0/done"), Json(2));
  EXPECT_EQ(show(first).at("/stages/0/failed"), Json(0));
  pass(minutes(2));
  EXPECT_EQ(show(first).at("/open"), Json(2));
  answer();
  pass(seconds(1));
  pass(minutes(2));
  EXPECT_EQ(state(first), "finished") << show(first).response.body;
  EXPECT_EQ(threshold(), Json(0.7));
}

TEST_F(RolloutsApi, AnHeirThatIsAbortedLeavesDevicesWithWhatTheyHad) {
  connect();
  const std::string first = start(two_stages);
  pass(seconds(1));
  answer();
  const std::string heir = start(R"({"values":{"hotword.threshold":0.9},"supersede":true,
      "stages":[{"share":10000}],"soak_ms":60000})");
  pass(seconds(1));
  EXPECT_EQ(answer().size(), 3u);
  pass(minutes(5));
  EXPECT_EQ(state(first), "yielding");
  EXPECT_EQ(act(heir, "abort", admin_key), 200);
  for (const int number : {1, 2, 3}) {
    const auto document = get("/api/v1/devices/" + uuid(number) + "/document");
    EXPECT_EQ(document.at("/sections/settings/settings/hotword.threshold") == Json(0.7), number != 3)
        << number;
  }
  pass(seconds(1));
  EXPECT_EQ(state(first), "settling") << "its devices come back to it";
  EXPECT_EQ(answer().size(), 3u);
  pass(seconds(1));
  EXPECT_EQ(state(first), "soaking");
}

TEST_F(RolloutsApi, WhatItIsOnItsWayToCannotBeRemoved) {
  const auto to = [](const std::string& target) {
    return R"({"values":{"hotword.threshold":0.7},"stages":[{"share":10000}],"target":)" + target + "}";
  };
  const std::string on_lab = start(to(R"({"selector":"room=lab"})"));
  const std::string on_owl = start(to(R"({"device":"owl"})"));
  const std::string owl = "/api/v1/devices/" + uuid(3);
  const Answered refused = del("/api/v1/groups/room=lab");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.response.body, HasSubstr("rollout " + on_lab + " is on its way to group 'room=lab'"));
  EXPECT_EQ(del(owl).status, 409);
  EXPECT_EQ(act(on_lab, "abort", admin_key), 200);
  EXPECT_EQ(act(on_owl, "abort", admin_key), 200);
  EXPECT_EQ(del("/api/v1/groups/room=lab").status, 200);
  EXPECT_EQ(del(owl).status, 200);
}

TEST_F(RolloutsApi, AReleaseGoesToThoseThatTakeReleases) {
  add_release("v1.0.0");
  const auto say = [&](int number, const std::string& body) {
    return ask(Method::post, "/api/v1/updates/v1.0.0/status", body, {token_of(uuid(number))}).status;
  };
  const std::string id = start(R"({"values":{"software.release":"v1.0.0"},"max_failures":5000,
      "stages":[{"share":10000}],"soak_ms":1000,"target":{"selector":"room=lab"}})");
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/absent"), Json(2)) << "they have never said that they take releases";
  EXPECT_EQ(say(1, R"({"status":"installing"})"), 200);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(0));
  EXPECT_EQ(say(1, R"({"status":"completed"})"), 200);
  pass(seconds(1));
  EXPECT_EQ(state(id), "soaking");
  EXPECT_EQ(say(2, R"({"status":"failed","error_message":"disk full"})"), 200);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/failed"), Json(1));
  EXPECT_EQ(show(id).text("/failures/0/example"), "software.release: disk full");
  pass(seconds(2));
  EXPECT_EQ(state(id), "finished");
  EXPECT_EQ(get("/api/v1/settings").text("/items/0/value"), "v1.0.0");
}

TEST_F(RolloutsApi, AHubThatStartsAgainAfterEachStepComesToTheSameEnd) {
  connect();
  const std::string id = start(two_stages);
  for (int i = 0; i < 20 && state(id) != "finished"; ++i) {
    restart_hub();
    connect();
    answer();
    pass(RolloutEngine::grace_after_start);
    answer();
    pass(seconds(61));
  }
  EXPECT_EQ(state(id), "finished");
  EXPECT_EQ(threshold(), Json(0.7));
}

TEST_F(RolloutsApi, AfterAStartItWaitsForDevicesToComeBackAndSoaksAnew) {
  connect();
  const std::string id = start(two_stages);
  pass(seconds(1));
  answer();
  pass(seconds(1));
  clock.advance(minutes(10));  // it would have soaked
  restart_hub();
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/open"), Json(1));
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(2)) << "as they said last";
  connect();
  pass(seconds(40));
  EXPECT_EQ(show(id).at("/open"), Json(1));
  pass(seconds(61));
  EXPECT_EQ(show(id).at("/open"), Json(2));
}

TEST_F(RolloutsApi, AStepThatCannotBeStoredIsTakenLater) {
  connect();
  const std::string id = start(two_stages);
  store.fail_next_write({ErrorCode::unavailable, "the disk is full", {}});
  hub->tick();
  settle();
  EXPECT_EQ(show(id).at("/open"), Json(0));
  EXPECT_EQ(answer(), std::vector<int>());
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/open"), Json(1));
}

TEST_F(RolloutsApi, BadRequestsChangeNothing) {
  struct Case {
    const char* body;
    int status;
    const char* pointer;
  };
  constexpr Case cases[] = {
      {"", 400, nullptr},
      {R"({"stages":[{"share":10000}]})", 422, "/values"},
      {R"({"values":{},"stages":[{"share":10000}]})", 422, "/values"},
      {R"({"values":{"hotword.threshold":0.7}})", 422, "/stages"},
      {R"({"values":{"hotword.threshold":0.7},"stages":[{"share":500}]})", 422, "/stages"},
      {R"({"values":{"hotword.threshold":0.7},"stages":[{"share":0}]})", 422, "/stages/0/share"},
      {R"({"values":{"hotword.threshold":0.7},"stages":[{"selector":"="}]})", 422, "/stages/0/selector"},
      {R"({"values":{"hotword.threshold":7},"stages":[{"share":10000}]})", 422, "/values/hotword.threshold"},
      {R"({"values":{"no.such":7},"stages":[{"share":10000}]})", 422, "/values/no.such"},
      {R"({"values":{"software.release":"v9.9.9"},"stages":[{"share":10000}]})", 422,
       "/values/software.release"},
      {R"({"values":{"hotword.threshold":0.7},"stages":[{"share":10000}],"soak":"1m"})", 422, "/soak"},
      {R"({"values":{"hotword.threshold":0.7},"stages":[{"share":10000}],"state":"finished"})", 422,
       "/state"},
      {R"({"values":{"hotword.threshold":0.7},"stages":[{"share":10000}],"target":{"device":"nobody"}})", 404,
       "/target/device"},
  };
  const auto before = get("/api/v1/fleet").at("/revision");
  for (const Case& each : cases) {
    const auto answered = post("/api/v1/rollouts", each.body);
    EXPECT_EQ(answered.status, each.status) << each.body << answered.response.body;
    if (each.pointer == nullptr) continue;
    EXPECT_EQ(answered.text("/pointer"), each.pointer) << answered.response.body;
  }
  EXPECT_EQ(get("/api/v1/fleet").at("/revision"), before);
  EXPECT_EQ(get("/api/v1/rollouts/r1").status, 404);
  EXPECT_EQ(get("/api/v1/rollouts?after=r1").status, 422);
}

TEST_F(RolloutsApi, AGrantForSomeDevicesCoversTheirRolloutsOnly) {
  const std::string lab = make_key_of(R"({"name":"lab","role":"operator","selector":"room=lab"})");
  EXPECT_EQ(ask(Method::post, "/api/v1/rollouts", two_stages, {lab}).status, 403);
  const std::string whole = start(two_stages);
  EXPECT_EQ(act(whole, "abort", lab), 403);
  const std::string own = R"({"values":{"audio.volume":3},"stages":[{"share":10000}],
                              "target":{"selector":"room=lab"}})";
  EXPECT_EQ(ask(Method::post, "/api/v1/rollouts", own, {lab}).status, 201);
  const std::string on_owl = start(R"({"values":{"audio.volume":3},"stages":[{"share":10000}],
                                       "target":{"device":"owl"}})");
  EXPECT_EQ(get_as(lab, "/api/v1/rollouts/" + on_owl).status, 404);
}

}  // namespace
}  // namespace starling::hub
