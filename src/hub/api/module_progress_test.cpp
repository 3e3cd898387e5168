#include "hub/api/linked_device.hpp"

namespace starling::hub {
namespace {

using protocol::Phase;
using protocol::Section;

class ModuleProgress : public ChangeProgressTest {
 protected:
  static void apply_all(LinkedDevice& device) {
    for (const auto& update : device.peer.take_all<protocol::ConfigUpdate>())
      device.answer(update, Phase::applied);
  }
};

TEST_F(ModuleProgress, AModuleIsWaitedForUntilItHasBeenReady) {
  enrol(1, "bear");
  enrol(2, "duck");
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  LinkedDevice duck(*this, uuid(2), {});
  const auto revision = write(R"({"values":{"modules.recorder.enabled":true}})");
  EXPECT_EQ(progress(revision).at("/pending"), Json(1));
  EXPECT_EQ(progress(revision).at("/lacks_module"), Json(1)) << "it is not on the duck";
  const auto update = bear.updates(Section::modules).at(0);
  bear.answer(update, Phase::provisional);
  EXPECT_EQ(progress(revision).at("/pending"), Json(1));
  bear.answer(update, Phase::applied);
  EXPECT_EQ(progress(revision).at("/pending"), Json(0));
  EXPECT_EQ(progress(revision).at("/applied"), Json(1));
  bear.leave();
  EXPECT_EQ(progress(revision).at("/applied"), Json(1)) << "it has taken it along";
}

TEST_F(ModuleProgress, AModuleThatIsWaitedForHoldsUpNoOther) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"missing", "recorder", "slow"});
  const auto enable = [&](const std::string& module) {
    return write(R"({"values":{"modules.)" + module + R"(.enabled":true}})");
  };
  const auto slow = enable("slow");
  bear.report(R"({"modules":{"slow":{"enabled":true,"provisional":true,"settled":false}}})");
  bear.answer(bear.updates(Section::modules).at(0), Phase::provisional);
  EXPECT_EQ(progress(slow).at("/pending"), Json(1));

  const auto recorder = enable("recorder");
  const auto update = bear.updates(Section::modules).at(0);
  // Its report comes before its status, and has the new hash.
  protocol::Heartbeat report;
  report.sections = {{Section::modules, update.hash, {}}};
  bear.say(report);
  EXPECT_EQ(progress(recorder).at("/pending"), Json(1)) << "it has not answered";
  bear.answer(update, Phase::provisional);
  EXPECT_EQ(progress(recorder).at("/pending"), Json(1)) << "nor has it told of the module";
  bear.report(R"({"modules":{"recorder":{"enabled":true,"provisional":true,"settled":false}}})");
  EXPECT_EQ(progress(recorder).at("/pending"), Json(1));
  bear.report(R"({"modules":{"recorder":{"provisional":null,"settled":null}}})");
  EXPECT_EQ(progress(recorder).at("/applied"), Json(1)) << progress(recorder).response.body;
  EXPECT_EQ(progress(slow).at("/pending"), Json(1));

  const auto missing = enable("missing");
  bear.answer(bear.updates(Section::modules).at(0), Phase::provisional,
              {{"modules.missing.enabled", "no such file"}});
  EXPECT_EQ(progress(missing).text("/devices/0/errors/0/message"), "no such file");

  const auto off = write(R"({"values":{"modules.recorder.enabled":false}})");
  bear.answer(bear.updates(Section::modules).at(0), Phase::provisional);
  bear.report(R"({"modules":{"recorder":{"enabled":false,"ending":true}}})");
  EXPECT_EQ(progress(off).at("/pending"), Json(1));
  bear.report(R"({"modules":{"recorder":{"ending":null}}})");
  EXPECT_EQ(progress(off).at("/applied"), Json(1));
}

TEST_F(ModuleProgress, OfGroupsOfEqualPriorityTheOlderIsOvertaken) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  for (const char* group : {"a", "b"})
    ASSERT_EQ(put(std::string("/api/v1/groups/") + group, R"({"selector":"","priority":0})").status / 100, 2);
  const auto one = write(R"({"values":{"modules.recorder.enabled":true},"target":{"group":"a"}})");
  const auto other = write(R"({"values":{"modules.recorder.enabled":false},"target":{"group":"b"}})");
  apply_all(bear);
  EXPECT_EQ(progress(one).at("/overtaken"), Json(1)) << progress(one).response.body;
  EXPECT_EQ(progress(one).text("/devices/0/layer"), "group:b");
  EXPECT_EQ(progress(other).at("/applied"), Json(1));
}

TEST_F(ModuleProgress, AWriteThatIsOvertakenSaysSo) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  const auto on = write(R"({"values":{"modules.recorder.enabled":true}})");
  bear.answer(bear.updates(Section::modules).at(0), Phase::provisional);
  EXPECT_EQ(progress(on).at("/pending"), Json(1));
  const auto off = write(R"({"values":{"modules.recorder.enabled":false}})");
  const auto overtaken = progress(on);
  EXPECT_EQ(overtaken.at("/overtaken"), Json(1)) << "before the device has answered";
  EXPECT_EQ(overtaken.at("/pending"), Json(0));
  EXPECT_EQ(overtaken.text("/devices/0/state"), "overtaken");
  EXPECT_EQ(overtaken.text("/devices/0/key"), "modules.recorder.enabled");
  EXPECT_EQ(overtaken.text("/devices/0/layer"), "fleet");
  apply_all(bear);
  EXPECT_EQ(progress(on).at("/applied"), Json(0));
  EXPECT_EQ(progress(off).at("/applied"), Json(1));
  EXPECT_EQ(progress(write(R"({"values":{"modules.recorder.enabled":null}})")).at("/overtaken"), Json(0));
  EXPECT_EQ(progress(off).at("/overtaken"), Json(1)) << "it is taken away";
}

TEST_F(ModuleProgress, AMaskedWriteIsNotApplied) {
  enrol(1, "bear");
  enrol(2, "duck");
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  LinkedDevice duck(*this, uuid(2), {"recorder"});
  const auto own = write(R"({"values":{"modules.recorder.enabled":false},"target":{"device":"bear"}})");
  const auto on = write(
      R"({"values":{"modules.recorder.enabled":true,"hotword.threshold":0.7},"target":{"fleet":true}})");
  EXPECT_EQ(progress(on).at("/pending"), Json(2)) << "of the bear the threshold is waited for";
  apply_all(bear);
  apply_all(duck);
  const auto masked = progress(on);
  EXPECT_EQ(masked.at("/applied"), Json(1));
  EXPECT_EQ(masked.at("/masked"), Json(1));
  EXPECT_EQ(masked.text("/devices/0/name"), "bear");
  EXPECT_EQ(masked.text("/devices/0/layer"), "device:" + uuid(1));
  EXPECT_EQ(progress(own).at("/applied"), Json(1));
  write(R"({"values":{"modules.recorder.enabled":true},"target":{"device":"bear"}})");
  apply_all(bear);
  EXPECT_EQ(progress(on).at("/applied"), Json(2)) << "the same by another layer";
  EXPECT_EQ(progress(own).at("/overtaken"), Json(1));
}

TEST_F(ModuleProgress, WhatAModuleWaitsForIsTold) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"camera", "recorder"});
  const auto revision = write(R"({"values":{"modules.recorder.enabled":true}})");
  bear.answer(bear.updates(Section::modules).at(0), Phase::provisional);
  bear.report(
      R"({"modules":{"recorder":{"state":"disabled","waits_for":"waits for 'bus', which is not to run"},
      "camera":{"state":"disabled","waits_for":"waits for the keeper"}}})");
  EXPECT_EQ(progress(revision).text("/devices/0/waits_for"), "recorder waits for 'bus', which is not to run");
  bear.report(R"({"modules":{"recorder":{"state":"starting","waits_for":null}}})");
  EXPECT_FALSE(progress(revision).at("/devices/0").as_object().contains("waits_for"));
  bear.report(R"({"modules":{"recorder":{"waits_for":"waits for 'bus', which is not to run"}}})");
  const auto off = write(R"({"values":{"modules.recorder.enabled":false}})");
  EXPECT_FALSE(progress(off).at("/devices/0").as_object().contains("waits_for")) << "it waits no more";
}

TEST_F(ModuleProgress, AWriteThatChangesNothingSaysWhichChangeToAskAbout) {
  const std::string off = R"({"values":{"modules.recorder.enabled":false}})";
  const auto revision = write(off);
  write(R"({"values":{"hotword.threshold":0.7}})");
  const auto again = put("/api/v1/settings", off);
  EXPECT_TRUE(again.at("/revision").is_null()) << again.response.body;
  EXPECT_EQ(again.at("/unchanged_since"), Json(revision));
  enrol(1, "bear");
  enrol(2, "duck");
  const std::string path = "/api/v1/changes/" + std::to_string(revision) + "/progress";
  EXPECT_EQ(get(path).at("/targeted"), Json(2));
  EXPECT_EQ(get(path + "?device=duck").at("/targeted"), Json(1)) << "of those who are asked about";
  EXPECT_EQ(get(path + "?device=nobody").status, 404);
  const auto nothing = put("/api/v1/settings", R"({"values":{"modules.player.enabled":null}})");
  EXPECT_FALSE(nothing.body.as_object().contains("unchanged_since")) << nothing.response.body;
  const auto changed = put("/api/v1/settings", R"({"values":{"modules.recorder.enabled":true}})");
  EXPECT_FALSE(changed.body.as_object().contains("unchanged_since")) << changed.response.body;
}

TEST_F(ModuleProgress, ARefusedModuleSaysWhyAndHoldsUpNoSettings) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  const auto enabled = write(R"({"values":{"modules.recorder.enabled":true}})");
  bear.answer(bear.updates(Section::modules).at(0), Phase::refused,
              {{"modules.recorder.enabled", "exit status 1"}});
  const auto refused = progress(enabled);
  EXPECT_EQ(refused.at("/refused"), Json(1)) << refused.response.body;
  EXPECT_EQ(refused.text("/devices/0/errors/0/key"), "modules.recorder.enabled");
  EXPECT_EQ(refused.text("/devices/0/errors/0/message"), "exit status 1");

  const auto set = write(R"({"values":{"hotword.threshold":0.7}})");
  bear.apply_settings();
  EXPECT_EQ(progress(set).at("/applied"), Json(1)) << progress(set).response.body;
  const auto device = get("/api/v1/devices/" + uuid(1));
  EXPECT_EQ(device.text("/sync/status"), "refused");
  EXPECT_EQ(device.text("/sync/settings_status"), "in_sync");
  EXPECT_EQ(device.text("/sync/modules/status"), "refused");
  EXPECT_EQ(device.text("/sync/modules/errors/0/message"), "exit status 1");
  EXPECT_EQ(device.at("/sync/errors").as_array().size(), 0u);

  const auto both = write(R"({"values":{"hotword.threshold":0.8,"modules.recorder.enabled":false}})");
  bear.apply_settings();
  EXPECT_EQ(progress(both).at("/pending"), Json(1)) << "one of the two sections is waited for";
}

TEST_F(ModuleProgress, AChangeIsJudgedByWhatItSaysAndByNothingOlder) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"broken", "recorder"});
  const std::vector<protocol::KeyError> older{{"modules.broken.enabled", "no such file"}};
  const auto broken = write(R"({"values":{"modules.broken.enabled":true}})");
  bear.answer(bear.updates(Section::modules).at(0), Phase::refused, older);
  const auto recorder = write(R"({"values":{"modules.recorder.enabled":true}})");
  const auto update = bear.updates(Section::modules).at(0);
  bear.answer(update, Phase::provisional, older);
  EXPECT_TRUE(bear.updates(Section::modules).empty()) << "it has been told";
  EXPECT_EQ(progress(recorder).at("/pending"), Json(1));
  bear.answer(update, Phase::refused, older);
  EXPECT_EQ(progress(recorder).at("/applied"), Json(1)) << progress(recorder).response.body;
  EXPECT_EQ(progress(recorder).at("/refused"), Json(0));
  EXPECT_EQ(progress(broken).at("/refused"), Json(1)) << "that it still does not have";

  const auto both = write(R"({"values":{"modules.recorder.enabled":false,"hotword.threshold":0.7}})");
  for (const auto& told : bear.peer.take_all<protocol::ConfigUpdate>()) {
    const bool modules = told.section == Section::modules;
    bear.answer(told, modules ? Phase::refused : Phase::applied,
                modules ? older : std::vector<protocol::KeyError>{});
  }
  EXPECT_EQ(progress(both).at("/applied"), Json(1)) << progress(both).response.body;

  const auto several = write(R"({"values":{"modules.recorder.enabled":true,"modules.broken.enabled":null}})");
  const auto last = bear.updates(Section::modules).at(0);
  bear.answer(last, Phase::refused, {{"modules.recorder.enabled", "exit status 1"}});
  EXPECT_EQ(progress(several).at("/devices/0/errors").as_array().size(), 1u);
  bear.answer(last, Phase::refused, {{"", "the disk is full"}});
  EXPECT_EQ(progress(several).text("/devices/0/errors/0/message"), "the disk is full") << "it has none of it";
  EXPECT_EQ(progress(broken).at("/overtaken"), Json(1)) << "it is taken away";
}

TEST_F(ModuleProgress, WhoHasGoneStandsByItsLastAnswer) {
  enrol(1, "bear");
  const std::vector<std::string> modules{"broken", "recorder"};
  const std::vector<protocol::KeyError> older{{"modules.broken.enabled", "no such file"}};
  auto bear = std::make_unique<LinkedDevice>(*this, uuid(1), modules);
  const auto broken = write(R"({"values":{"modules.broken.enabled":true}})");
  bear->answer(bear->updates(Section::modules).at(0), Phase::refused, older);
  const auto recorder = write(R"({"values":{"modules.recorder.enabled":true}})");
  const auto update = bear->updates(Section::modules).at(0);
  bear->answer(update, Phase::provisional, older);
  bear->leave();
  EXPECT_EQ(progress(recorder).at("/offline"), Json(1)) << "nobody knows whether it has been ready";

  bear = std::make_unique<LinkedDevice>(*this, uuid(1), modules, protocol::SessionEpoch{1, 2});
  bear->answer(update, Phase::refused, older);
  bear->leave();
  EXPECT_EQ(progress(recorder).at("/applied"), Json(1)) << progress(recorder).response.body;
  EXPECT_EQ(progress(broken).at("/refused"), Json(1)) << progress(broken).response.body;
  EXPECT_EQ(progress(broken).text("/devices/0/errors/0/message"), "no such file");

  const auto later = write(R"({"values":{"modules.recorder.enabled":false}})");
  EXPECT_EQ(progress(later).at("/offline"), Json(1)) << "that it has never heard";
}

TEST_F(ModuleProgress, WhoWentBeforeAChangeHasNotAppliedIt) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"player", "recorder"});
  const auto own = write(R"({"values":{"modules.recorder.enabled":true},"target":{"device":"bear"}})");
  apply_all(bear);
  bear.leave();
  const auto same = write(R"({"values":{"modules.recorder.enabled":true},"target":{"fleet":true}})");
  EXPECT_EQ(progress(same).at("/offline"), Json(1)) << "though its document was so before";
  EXPECT_EQ(progress(own).at("/applied"), Json(1));
  const auto later = write(R"({"values":{"modules.player.enabled":true}})");
  EXPECT_EQ(progress(own).at("/applied"), Json(1)) << "whatever else waits for it";
  EXPECT_EQ(progress(same).at("/offline"), Json(1));
  EXPECT_EQ(progress(later).at("/offline"), Json(1));
}

TEST_F(ModuleProgress, WhoWentAfterAChangeHasAppliedItWhereOnlyOneOfItsSectionsAltered) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  write(R"({"values":{"modules.recorder.enabled":true}})");
  apply_all(bear);
  const auto both = write(
      R"({"values":{"modules.recorder.enabled":true,"hotword.threshold":0.7},"target":{"device":"bear"}})");
  apply_all(bear);
  bear.leave();
  EXPECT_EQ(progress(both).at("/applied"), Json(1)) << progress(both).response.body;
}

TEST_F(ModuleProgress, WhoHasGoneWithHalfAChangeGetsTheRest) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"broken", "recorder"});
  const std::vector<protocol::KeyError> older{{"modules.broken.enabled", "no such file"}};
  write(R"({"values":{"modules.broken.enabled":true}})");
  bear.answer(bear.updates(Section::modules).at(0), Phase::refused, older);
  const auto both = write(R"({"values":{"modules.recorder.enabled":true,"hotword.threshold":0.7}})");
  bear.answer(bear.updates(Section::modules).at(0), Phase::refused, older);
  bear.leave();
  EXPECT_EQ(progress(both).at("/offline"), Json(1)) << progress(both).response.body;
}

TEST_F(ModuleProgress, WhatHasNoFolderIsNotApplied) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"player", "recorder"});
  bear.report(R"({"modules":{"recorder":{"enabled":true,"state":"disabled","missing":true,
      "manifest_problem":"its folder is gone"},"player":{"enabled":true,"state":"idle"}}})");
  const auto both = write(R"({"values":{"modules.recorder.enabled":true,"modules.player.enabled":true}})");
  apply_all(bear);
  const auto told = progress(both);
  EXPECT_EQ(told.at("/refused"), Json(1)) << told.response.body;
  EXPECT_EQ(told.at("/devices/0/errors"),
            *parse_json(R"([{"key":"modules.recorder.enabled","message":"its folder is gone"}])"));
  bear.report(R"({"modules":{"recorder":{"missing":null,"manifest_problem":null}}})");
  EXPECT_EQ(progress(both).at("/applied"), Json(1)) << progress(both).response.body;
  bear.report(R"({"modules":{"recorder":{"missing":true,"manifest_problem":"its folder is gone"}}})");
  const auto off = write(R"({"values":{"modules.recorder.enabled":false}})");
  apply_all(bear);
  EXPECT_EQ(progress(off).at("/applied"), Json(1)) << "what is to be off need not be there";
  const auto on = write(R"({"values":{"modules.recorder.enabled":true}})");
  apply_all(bear);
  bear.leave();
  EXPECT_EQ(progress(on).at("/refused"), Json(1)) << "also when the device has gone";
}

TEST_F(ModuleProgress, ExplainTellsOfTheModuleAndNotOfItsNeighbours) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"broken", "recorder"});
  write(R"({"values":{"modules.recorder.enabled":true,"modules.broken.enabled":true}})");
  bear.report(R"({"modules":{"recorder":{"enabled":true},"broken":{"enabled":false}}})");
  const auto update = bear.updates(Section::modules).at(0);
  bear.answer(update, Phase::refused, {{"modules.broken.enabled", "no such file"}});
  const auto explain = [&](const std::string& module) {
    return get("/api/v1/settings/explain?device=bear&key=modules." + module + ".enabled");
  };
  EXPECT_EQ(explain("recorder").text("/sync"), "in_sync") << explain("recorder").response.body;
  EXPECT_EQ(explain("recorder").at("/running"), Json(true));
  EXPECT_EQ(explain("broken").text("/sync"), "refused");
  EXPECT_EQ(explain("broken").at("/running"), Json(false));
  bear.answer(update, Phase::refused, {{"", "the disk is full"}});
  EXPECT_EQ(explain("recorder").text("/sync"), "refused") << "nothing of it is in force";
}

TEST_F(ModuleProgress, ExplainAndDocumentShowTheSection) {
  enrol(1, "bear");
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  write(R"({"values":{"modules.recorder.enabled":true}})");
  bear.answer(bear.updates(Section::modules).at(0), Phase::applied);
  const auto explained = get("/api/v1/settings/explain?device=bear&key=modules.recorder.enabled");
  EXPECT_EQ(explained.at("/effective"), Json(true)) << explained.response.body;
  EXPECT_EQ(explained.at("/running"), Json(true));
  EXPECT_EQ(explained.text("/sync"), "in_sync");
  EXPECT_EQ(explained.at("/stack").as_array().size(), 1u) << "a module has no default";
  const std::string settings = "/api/v1/devices/" + uuid(1) + "/settings";
  const auto got = get(settings);
  EXPECT_EQ(got.at("/settings/modules.recorder.enabled/value"), Json(true)) << got.response.body;
  EXPECT_EQ(got.text("/settings/modules.recorder.enabled/layer"), "fleet");
  const std::string before = settings + "?at=" + std::to_string(got.at("/revision").as_int64() - 1);
  EXPECT_FALSE(get(before).at("/settings").as_object().contains("modules.recorder.enabled"));
  const auto document = get("/api/v1/devices/" + uuid(1) + "/document");
  EXPECT_EQ(document.at("/sections/modules/recorder/enabled"), Json(true)) << document.response.body;
}

}  // namespace
}  // namespace starling::hub
