// Whose failure it is, and who is not asked: through the API, with devices at their links.
#include <gmock/gmock.h>

#include "hub/api/linked_device.hpp"

namespace starling::hub {
namespace {

using protocol::KeyError;
using protocol::Phase;
using protocol::Section;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

class RolloutJudge : public ApiTest {
 protected:
  RolloutJudge() {
    enrol(1, "bear", R"({"room":"lab"})");
    enrol(2, "duck", R"({"room":"nursery"})");
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    for (int i = 0; i < 2; ++i) {
      hub->tick();
      settle();
    }
  }
  std::string start(const std::string& values, const std::string& more = "") {
    const Answered started =
        post("/api/v1/rollouts",
             R"({"values":)" + values + R"(,"stages":[{"share":10000}],"soak_ms":60000)" + more + "}");
    EXPECT_EQ(started.status, 201) << started.response.body;
    pass(seconds(1));
    return started.text("/id");
  }
  Answered show(const std::string& id) { return get("/api/v1/rollouts/" + id); }
  void write(const std::string& body) {
    const auto answer = put("/api/v1/settings", body);
    EXPECT_EQ(answer.status, 200) << answer.response.body;
    settle();
  }
  static void answer(LinkedDevice& device, Section section, Phase phase, std::vector<KeyError> errors = {}) {
    const auto updates = device.updates(section);
    ASSERT_FALSE(updates.empty());
    device.answer(updates.back(), phase, std::move(errors));
  }
};

TEST_F(RolloutJudge, AnOlderQuarantineIsNoFailureOfIt) {
  const std::vector<KeyError> older{{"modules.broken.enabled", "no such file"}};
  LinkedDevice bear(*this, uuid(1), {"broken", "recorder"});
  write(R"({"values":{"modules.broken.enabled":true}})");
  answer(bear, Section::modules, Phase::refused, older);
  const std::string id = start(R"({"modules.recorder.enabled":true})");
  answer(bear, Section::modules, Phase::refused, older);
  pass(seconds(1));
  EXPECT_EQ(show(id).text("/state"), "soaking") << show(id).response.body;
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(1));
  write(R"({"values":{"modules.broken.enabled":false}})");
  answer(bear, Section::modules, Phase::refused, {{"modules.recorder.enabled", "exit status 1"}});
  pass(seconds(1));
  EXPECT_EQ(show(id).text("/state"), "stopped") << "that is what it brings";
}

TEST_F(RolloutJudge, WhoRefusesSomebodyElsesSettingTakesItAllTheSame) {
  LinkedDevice bear(*this, uuid(1), {});
  write(R"({"values":{"hotword.models":["lost.tflite"]},"target":{"device":"bear"}})");
  answer(bear, Section::settings, Phase::refused, {{"hotword.models", "there is no such model"}});
  const std::string id = start(R"({"hotword.threshold":0.7})");
  answer(bear, Section::settings, Phase::applied);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(1)) << show(id).response.body;
  EXPECT_EQ(show(id).at("/stages/0/failed"), Json(0));
}

// The hub has restarted while the device was away, and has no copy of what it runs.
TEST_F(RolloutJudge, WhoRefusesAllForSomebodyElsesSettingIsPassedBy) {
  LinkedDevice bear(*this, uuid(1), {});
  LinkedDevice duck(*this, uuid(2), {});
  write(R"({"values":{"hotword.models":["lost.tflite"]},"target":{"device":"bear"}})");
  const std::string id = start(R"({"hotword.threshold":0.7})");
  const auto update = bear.updates(Section::settings).back();
  bear.say(protocol::ConfigStatus{Section::settings,
                                  update.hash,
                                  update.revision,
                                  sha256("of another hub"),
                                  Phase::refused,
                                  {{"hotword.models", "there is no such model"}}});
  pass(seconds(1));
  EXPECT_EQ(show(id).text("/state"), "settling") << "nobody has it yet";
  EXPECT_EQ(show(id).at("/stages/0/hindered"), Json(1)) << show(id).response.body;
  answer(duck, Section::settings, Phase::applied);
  pass(seconds(1));
  EXPECT_EQ(show(id).text("/state"), "soaking");
  EXPECT_EQ(show(id).at("/stages/0/failed"), Json(0));
}

TEST_F(RolloutJudge, WhatElseChangesStartsNoSoakAnewAndUndoesNoFailure) {
  LinkedDevice bear(*this, uuid(1), {});
  LinkedDevice duck(*this, uuid(2), {});
  const std::string id = start(R"({"hotword.threshold":0.7})", R"(,"max_failures":6000)");
  answer(bear, Section::settings, Phase::applied);
  answer(duck, Section::settings, Phase::refused, {{"hotword.threshold", "too loud here"}});
  pass(seconds(1));
  const Json soaked = show(id).at("/soaked_at");
  EXPECT_TRUE(soaked.is_string()) << show(id).response.body;
  pass(seconds(20));
  write(R"({"values":{"hotword.cooldown":3}})");
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/soaked_at"), soaked) << "before it has the other value";
  EXPECT_EQ(show(id).at("/stages/0/failed"), Json(1)) << "and until the duck has said otherwise";
  answer(bear, Section::settings, Phase::applied);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/soaked_at"), soaked) << "and after";
  answer(duck, Section::settings, Phase::applied);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/failed"), Json(1)) << "that is without what it has refused";
  duck.say(protocol::ConfigRequest{Section::settings});
  answer(duck, Section::settings, Phase::applied);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(2));
}

TEST_F(RolloutJudge, WhoMasksItIsToldNotWaitedForAndNotCounted) {
  LinkedDevice bear(*this, uuid(1), {});
  LinkedDevice duck(*this, uuid(2), {});
  write(R"({"values":{"hotword.threshold":0.4},"target":{"device":"bear"}})");
  bear.apply_settings();
  const Answered started = post("/api/v1/rollouts", R"({"values":{"HOTWORD_THRESHOLD":0.7},
      "stages":[{"selector":"room=lab"},{"share":10000}],"soak_ms":60000})");
  EXPECT_EQ(started.at("/masked_count"), Json(1)) << started.response.body;
  EXPECT_EQ(started.text("/masked/0/device_name"), "bear");
  EXPECT_EQ(started.text("/masked/0/key"), "hotword.threshold");
  const std::string id = started.text("/id");
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/masked"), Json(1)) << show(id).response.body;
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(0));
  pass(seconds(61));
  EXPECT_EQ(show(id).at("/open"), Json(2));
  EXPECT_EQ(show(id).at("/stages/1/pending"), Json(1));
  answer(duck, Section::settings, Phase::applied);
  write(R"({"values":{"hotword.threshold":null},"target":{"device":"bear"}})");
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/pending"), Json(1)) << "now it is reached";
  EXPECT_EQ(show(id).at("/stages/0/masked"), Json(0));
}

TEST_F(RolloutJudge, WhoHasNoneOfTheComponentsHasNotDoneIt) {
  LinkedDevice bear(*this, uuid(1), {});
  const std::string id = start(R"({"audio.volume":3})");
  EXPECT_EQ(show(id).at("/stages/0/lacking"), Json(1)) << show(id).response.body;
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(0));
}

TEST_F(RolloutJudge, StatusSaysWhoIsOnTrial) {
  LinkedDevice bear(*this, uuid(1), {});
  const std::string id = start(R"({"hotword.threshold":0.7})");
  answer(bear, Section::settings, Phase::provisional);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/under_way/on_trial"), Json(1)) << show(id).response.body;
  EXPECT_TRUE(show(id).at("/under_way/first_switch").is_null());
}

TEST_F(RolloutJudge, StatusSaysWhenDevicesSwitch) {
  add_release("v1.0.0");
  LinkedDevice bear(*this, uuid(1), {});
  const std::string id = start(R"({"software.release":"v1.0.0"})");
  const Digest nothing = protocol::empty_section_hash();
  bear.say(protocol::ConfigStatus{Section::software, nothing, 1, nothing, Phase::staging, {}});
  bear.report(R"({"software":{"state":"waiting","switches_at_ms":1795831200000}})");
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/under_way/waiting"), Json(1)) << show(id).response.body;
  EXPECT_THAT(show(id).text("/under_way/first_switch"), HasSubstr("2026-11-28T02:00:00"));
  for (const char* unknown : {"null", "-7", "9000000000000000000", R"("some day")"}) {
    bear.report(R"({"software":{"switches_at_ms":)" + std::string(unknown) + "}}");
    pass(seconds(1));
    EXPECT_EQ(show(id).at("/under_way/waiting"), Json(0)) << unknown;
  }
}

TEST_F(RolloutJudge, WhatComesWithAReleaseIsDoneOrFailsWithIt) {
  add_release("v1.0.0");
  LinkedDevice bear(*this, uuid(1), {}, {1, 1}, true);
  LinkedDevice duck(*this, uuid(2), {}, {1, 1}, true);
  const std::string id =
      start(R"({"software.release":"v1.0.0","hotword.threshold":0.7})", R"(,"max_failures":6000)");
  const auto told = bear.peer.take_all<protocol::ConfigUpdate>();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].section, Section::software) << "which carries the settings";
  EXPECT_EQ(show(id).at("/stages/0/pending"), Json(2)) << show(id).response.body;
  const Digest plain = protocol::hash_of(Json{{"release", "v1.0.0"}});
  bear.say(protocol::ConfigStatus{Section::software, plain, 1, plain, Phase::provisional, {}});
  answer(bear, Section::settings, Phase::applied);
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(0)) << "it is on trial";
  bear.say(protocol::ConfigStatus{Section::software, plain, 1, plain, Phase::applied, {}});
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/done"), Json(1)) << show(id).response.body;
  answer(duck, Section::software, Phase::reverted, {{"software.release", "module 'ear' keeps ending"}});
  EXPECT_TRUE(duck.updates(Section::settings).empty()) << "it keeps what goes with its release";
  pass(seconds(1));
  EXPECT_EQ(show(id).at("/stages/0/failed"), Json(1)) << show(id).response.body;
  EXPECT_EQ(show(id).text("/failures/0/example"), "software.release: module 'ear' keeps ending");
}

TEST_F(RolloutJudge, WhatComesWithAReleaseIsMaskedWithIt) {
  add_release("v1.0.0");
  add_release("v2.0.0");
  LinkedDevice bear(*this, uuid(1), {}, {1, 1}, true);
  write(R"({"values":{"software.release":"v2.0.0"},"target":{"device":"bear"}})");
  bear.peer.take();
  const std::string id = start(R"({"software.release":"v1.0.0","hotword.threshold":0.7})");
  EXPECT_TRUE(bear.peer.take_all<protocol::ConfigUpdate>().empty());
  EXPECT_EQ(show(id).at("/stages/0/masked"), Json(1)) << show(id).response.body;
}

TEST_F(RolloutJudge, ALabelThatNobodyHasIsSaidAtOnce) {
  const auto to = [&](const std::string& stage, const std::string& target) {
    return post("/api/v1/rollouts", R"({"values":{"hotword.threshold":0.7},"stages":[{"selector":")" + stage +
                                        R"("},{"share":10000}],"target":)" + target + "}");
  };
  const Answered nobody = to("room=lab", R"({"selector":"room=attic"})");
  EXPECT_EQ(nobody.status, 409) << nobody.response.body;
  EXPECT_THAT(nobody.response.body, HasSubstr("no device has room=attic now"));
  EXPECT_THAT(to("room=lab", R"({"selector":"room=lap"})").response.body,
              HasSubstr("did you mean room=lab?"));
  const Answered slip = to("rom=nursery", R"({"fleet":true})");
  EXPECT_EQ(slip.status, 201) << slip.response.body;
  ASSERT_EQ(slip.at("/notes").as_array().size(), 1u);
  EXPECT_THAT(slip.text("/notes/0"), HasSubstr("stage 1: no device of the target has rom=nursery now"));
  EXPECT_THAT(slip.text("/notes/0"), HasSubstr("did you mean room=nursery?"));
}

// More devices than are looked at in a second, and somebody who writes all the time.
TEST_F(RolloutJudge, ALargeFleetThatIsWrittenToAllTheTimeStopsOnFailures) {
  hub->changes().append(
      "default",
      [](const FleetState& head, std::int64_t) -> Result<Draft> {
        Draft draft;
        for (int i = 10; i < 3'000; ++i) {
          Device device;
          device.id = uuid(i);
          device.name = "toy-" + std::to_string(i);
          draft.edits.push_back(head.edit(EntityKind::device, device.id, device.to_json()));
        }
        return draft;
      },
      [](const Result<SharedChange>& done) { ASSERT_TRUE(done); });
  settle();
  LinkedDevice bear(*this, uuid(1), {});
  const auto second = [&](int number) {
    write(R"({"values":{"hotword.cooldown":)" + std::to_string(1 + number % 5) + "}}");
    clock.advance(seconds(1));
    hub->tick();
    settle();
    for (const auto& update : bear.updates(Section::settings))
      bear.answer(update, Phase::refused, {{"hotword.threshold", "too loud here"}});
  };
  const Answered started =
      post("/api/v1/rollouts", R"({"values":{"hotword.threshold":0.7},"stages":[{"share":10000}]})");
  const std::string id = started.text("/id");
  for (int i = 0; i < 8; ++i)
    second(i);
  EXPECT_EQ(show(id).text("/state"), "stopped") << show(id).response.body;
}

}  // namespace
}  // namespace starling::hub
