#include "hub/api/linked_device.hpp"

namespace starling::hub {
namespace {

using protocol::Phase;
using protocol::Section;

std::string crashed(int deaths, const std::string& fingerprint = "f1", const std::string& release = {}) {
  return R"({"state":"crashed","enabled":true,"use":{"cpu_percent":2.5,"memory_kb":1000},"deaths":)" +
         std::to_string(deaths) +
         R"(,"last_death":{"class":"signal","confidence":"certain","text":"killed by SIGSEGV","fingerprint":")" +
         fingerprint + (release.empty() ? "" : R"(","release":")" + release) + R"("}})";
}

class ModulesApi : public ApiTest {
 protected:
  ModulesApi() {
    enrol(1, "bear", R"({"room":"nursery"})");
    enrol(2, "duck", R"({"room":"lab"})");
  }
  std::string metrics() { return get("/metrics").response.body; }
};

TEST_F(ModulesApi, ADeviceShowsWhatIsDesiredBesideWhatIsReported) {
  LinkedDevice bear(*this, uuid(1), {"player", "recorder"});
  put("/api/v1/settings", R"({"values":{"modules.recorder.enabled":true},"target":{"device":"bear"}})");
  bear.report(R"({"modules":{"recorder":{"state":"disabled","enabled":false},"old":{"state":"idle"}}})");
  const auto shown = get("/api/v1/devices/" + uuid(1) + "/modules");
  ASSERT_EQ(shown.status, 200) << shown.response.body;
  ASSERT_EQ(shown.at("/items").as_array().size(), 3u);
  EXPECT_EQ(shown.text("/sync/status"), "pending");
  EXPECT_EQ(shown.text("/items/0/module"), "old");
  EXPECT_EQ(shown.at("/items/0/on_device"), Json(false));
  EXPECT_EQ(shown.text("/items/1/module"), "player");
  EXPECT_TRUE(shown.at("/items/1/desired").is_null());
  EXPECT_TRUE(shown.at("/items/1/reported").is_null());
  EXPECT_EQ(shown.at("/items/2/desired/enabled"), Json(true));
  EXPECT_EQ(shown.text("/items/2/desired/layer"), "device:" + uuid(1));
  EXPECT_EQ(shown.at("/items/2/differs"), Json(true));
  EXPECT_EQ(get("/api/v1/devices/" + uuid(9) + "/modules").status, 404);
  EXPECT_EQ(get_as(token_of(uuid(2)), "/api/v1/devices/" + uuid(1) + "/modules").status, 404);
}

TEST_F(ModulesApi, AFolderWhoseNameNoModuleCanHaveIsThereWithItsReason) {
  LinkedDevice bear(*this, uuid(1), {"player"});
  bear.report(R"({"modules":{"Bad-Name":{"state":"disabled","enabled":false,
      "manifest_problem":"Bad-Name: rename it"},"player":{"state":"idle","enabled":true}}})");
  const auto shown = get("/api/v1/devices/" + uuid(1) + "/modules");
  EXPECT_EQ(shown.text("/items/0/module"), "Bad-Name");
  EXPECT_EQ(shown.at("/items/0/on_device"), Json(true));
  EXPECT_EQ(shown.text("/items/0/reported/manifest_problem"), "Bad-Name: rename it");
  const auto fleet = get("/api/v1/modules");
  EXPECT_EQ(fleet.text("/items/0/module"), "Bad-Name");
  EXPECT_EQ(fleet.at("/items/0/devices"), Json(1));
  EXPECT_EQ(fleet.at("/items/0/failing"), Json(0)) << "nobody has enabled it";
  EXPECT_EQ(get("/api/v1/modules?limit=1&after=Bad-Name").text("/items/0/module"), "player");
  EXPECT_EQ(metrics().find("Bad-Name"), std::string::npos) << "it is no module's";
  bear.report(
      R"({"modules":{"player":{"state":"disabled","enabled":false,"manifest_problem":"exec is missing"}}})");
  EXPECT_EQ(get("/api/v1/modules").at("/items/1/failing"), Json(0)) << "a disabled one may be as it likes";
  bear.report(R"({"modules":{"player":{"state":"crashed","enabled":false}}})");
  EXPECT_EQ(get("/api/v1/modules").at("/items/1/failing"), Json(1)) << "somebody has started it";
  bear.report(
      R"({"modules":{"player":{"state":"disabled","enabled":true,"manifest_problem":"exec is missing"}}})");
  EXPECT_EQ(get("/api/v1/modules").at("/items/1/failing"), Json(1));
}

TEST_F(ModulesApi, WhatIsHeldBackIsAProblem) {
  LinkedDevice bear(*this, uuid(1), {"app", "bus", "spare"});
  bear.report(R"({"modules":{"app":{"state":"disabled","enabled":true,"held_up":true,
      "waits_for":"waits for 'bus', which is not to run"},
      "spare":{"state":"disabled","enabled":true,"waits_for":"waits until 'bus' has started"}}})");
  const auto problems = [&] { return get("/api/v1/devices/" + uuid(1)).at("/problems"); };
  EXPECT_EQ(problems(), *parse_json(R"(["module app waits for 'bus', which is not to run"])"));
  EXPECT_EQ(get("/api/v1/devices?problems=true").at("/items").as_array().size(), 1u);
  EXPECT_EQ(get("/api/v1/modules").at("/items/0/failing"), Json(1));
  bear.report(R"({"modules":{"app":{"waits_for":null}}})");
  EXPECT_EQ(problems(), *parse_json(R"(["module app waits for what it requires"])"))
      << "if texts had no room";
  bear.report(R"({"modules":{"app":{"enabled":false}}})");
  EXPECT_EQ(problems(), Json(JsonArray()));
}

TEST_F(ModulesApi, WhatIsWrongOnADeviceIsToldWhateverItsSyncStatus) {
  LinkedDevice bear(*this, uuid(1), {"player", "recorder"});
  LinkedDevice duck(*this, uuid(2), {"player"});
  settle();
  const auto problems = [&] { return get("/api/v1/devices/" + uuid(1)).at("/problems"); };
  const auto with_problems = [&] { return get("/api/v1/fleet").at("/devices/with_problems"); };
  EXPECT_EQ(problems(), Json(JsonArray()));
  bear.report(R"({"modules":{"player":{"state":"crashed","enabled":true,"detail":"exit status 1"},
      "recorder":{"state":"disabled","enabled":false,"quarantine":"not ready in time"},
      "tried":{"state":"error","enabled":false,"detail":"exec is missing"},
      "unused":{"state":"disabled","enabled":false,"manifest_problem":"exec is missing",
                "render_problem":"no permission"},
      "wished":{"state":"disabled","enabled":false,
                "config_problem":"config.txt:1: enabled is 'yes', but must be true or false"}},
      "alerts":[{"kind":"crash_loop","modules":["player"],"text":"module 'player' fails again and again"},
                {"kind":"died_together","modules":["ear","player"],"text":"2 died at once"}],
      "software":{"state":"refused","wanted":"v1.1.0","failure":{"message":"no room"}},
      "board":{"alerts":["hot"]}})");
  EXPECT_EQ(problems(), *parse_json(R"(["module player is crashed: exit status 1",
      "module recorder could not be enabled: not ready in time",
      "module tried is error: exec is missing",
      "module wished has a problem: config.txt:1: enabled is 'yes', but must be true or false",
      "release v1.1.0 is refused: no room",
      "2 died at once","board: hot"])"));
  EXPECT_EQ(with_problems(), Json(1));
  const auto listed = get("/api/v1/devices?problems=true");
  ASSERT_EQ(listed.at("/items").as_array().size(), 1u);
  EXPECT_EQ(listed.text("/items/0/device_name"), "bear");
  EXPECT_EQ(get("/api/v1/devices?problems=false").text("/items/0/device_name"), "duck");
  EXPECT_EQ(get("/api/v1/devices?problems=perhaps").status, 422);
  bear.report(R"({"modules":{"player":{"state":"idle","detail":null},"recorder":{"quarantine":null},
                             "tried":{"state":"disabled","detail":null},"wished":{"config_problem":null}},
      "alerts":[],"software":{"state":"confirmed","failure":null},"board":{"alerts":[]}})");
  EXPECT_EQ(problems(), Json(JsonArray()));
  EXPECT_EQ(with_problems(), Json(0));
  for (const char* file : {"config_problem", "render_problem"}) {
    const std::string name = file;
    bear.report(R"({"modules":{"player":{")" + name + R"(":"no permission"}}})");
    EXPECT_EQ(problems(), *parse_json(R"(["module player has a problem: no permission"])")) << file;
    EXPECT_EQ(with_problems(), Json(1)) << "it alone is found";
    bear.report(R"({"modules":{"player":{")" + name + R"(":null}}})");
  }
  const std::string long_reason(600, 'x');
  bear.report(R"({"modules":{"player":{"quarantine":")" + long_reason + R"("}}})");
  EXPECT_EQ(problems().as_array().at(0), Json("module player could not be enabled: " + long_reason))
      << "whole";
  bear.report(R"({"modules":{"player":{"quarantine":")" + long_reason + long_reason + R"("}}})");
  EXPECT_TRUE(problems().as_array().at(0).as_string().ends_with("x…"));
  bear.report(R"({"modules":{"player":{"quarantine":null}}})");
  put("/api/v1/settings", R"({"values":{"hotword.threshold":0.7}})");
  settle();
  const protocol::ConfigUpdate update = bear.updates(Section::settings).at(0);
  bear.answer(update, Phase::refused, {{"hotword.threshold", "no such model"}});
  EXPECT_EQ(problems(), *parse_json(R"(["setting hotword.threshold is refused: no such model"])"));
  EXPECT_EQ(with_problems(), Json(1));
  bear.answer(update, Phase::refused, {{"", "module 'player' keeps ending"}});
  EXPECT_EQ(problems(), *parse_json(R"(["the newest change is not in force: module 'player' keeps ending",)"
                                    R"("setting hotword.threshold is refused: no such model"])"));
}

TEST_F(ModulesApi, ASectionThatIsRefusedAsAWholeIsAProblem) {
  LinkedDevice bear(*this, uuid(1), {"player"});
  settle();
  const auto problems = [&] { return get("/api/v1/devices/" + uuid(1)).at("/problems"); };
  put("/api/v1/settings", R"({"values":{"modules.player.enabled":true}})");
  settle();
  const protocol::ConfigUpdate update = bear.updates(Section::modules).at(0);
  bear.answer(update, Phase::refused, {{"", "no space left on device"}});
  EXPECT_EQ(problems(),
            *parse_json(R"(["the newest change of modules is not in force: no space left on device"])"));
  EXPECT_EQ(get("/api/v1/fleet").at("/devices/with_problems"), Json(1));
  EXPECT_EQ(get("/api/v1/devices?problems=true").at("/items").as_array().size(), 1u);
  bear.answer(update, Phase::refused, {{"modules.player.enabled", "exit status 1"}});
  EXPECT_EQ(problems(), Json(JsonArray())) << "its quarantine, which it reports, is one";
  bear.answer(update, Phase::applied);
  EXPECT_EQ(get("/api/v1/fleet").at("/devices/with_problems"), Json(0));
}

TEST_F(ModulesApi, WhereAModuleLiesAndWhereItCouldNotBeEnabledIsTold) {
  LinkedDevice bear(*this, uuid(1), {"player", "recorder"});
  LinkedDevice duck(*this, uuid(2), {"player"});
  put("/api/v1/settings",
      R"({"values":{"modules.recorder.enabled":true},"target":{"selector":"room=nursery"}})");
  settle();
  bear.answer(bear.updates(Section::modules).at(0), Phase::refused,
              {{"modules.recorder.enabled", "exit status 1"}});
  const auto all = get("/api/v1/modules/recorder");
  ASSERT_EQ(all.status, 200) << all.response.body;
  EXPECT_EQ(all.body, *parse_json(R"({"module":"recorder","targeted":2,
      "without":[{"device":")" + uuid(2) +
                                  R"(","name":"duck"}],"without_count":1,
      "quarantined":[{"message":"exit status 1","device":")" +
                                  uuid(1) + R"(","name":"bear"}],"quarantined_count":1,
      "layers":["group:room=nursery"]})"))
      << all.response.body;
  struct Case {
    const char* module;
    const char* query;
    int targeted, without, quarantined;
  };
  constexpr Case cases[] = {{"recorder", "?device=bear", 1, 0, 1},
                            {"recorder", "?selector=room%3Dlab", 1, 1, 0},
                            {"recorder", "?group=room%3Dnursery", 1, 0, 1},
                            {"player", "?device=bear", 1, 0, 0},
                            {"removed", "", 2, 2, 0}};
  for (const Case& each : cases) {
    const auto told = get(std::string("/api/v1/modules/") + each.module + each.query);
    EXPECT_EQ(told.at("/targeted"), Json(each.targeted)) << each.query << told.response.body;
    EXPECT_EQ(told.at("/without_count"), Json(each.without)) << each.query;
    EXPECT_EQ(told.at("/quarantined_count"), Json(each.quarantined)) << each.query;
  }
  EXPECT_EQ(get("/api/v1/modules/Recorder").status, 422);
  EXPECT_NE(get("/api/v1/modules/Recorder").text("/detail").find("a-z, 0-9, _ and -"), std::string::npos);
  EXPECT_EQ(get("/api/v1/modules/recorder?device=bear&group=x").status, 422);
  EXPECT_EQ(get("/api/v1/modules/recorder?device=nobody").status, 404);
  const std::string lab = make_key_of(R"({"name":"l","role":"viewer","selector":"room=lab"})");
  EXPECT_EQ(get_as(lab, "/api/v1/modules/recorder").at("/targeted"), Json(1)) << "its own devices";
  bear.report(R"({"modules":{"player":{"state":"idle"},"recorder":{"state":"disabled"}}})");
  EXPECT_EQ(get("/api/v1/modules").at("/items/0/failing"), Json(0));
  EXPECT_EQ(get("/api/v1/modules").at("/items/1/failing"), Json(1)) << "whatever its state is";
}

TEST_F(ModulesApi, WhenAModuleCameIntoItsStateIsATime) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  bear.report(R"({"modules":{"recorder":{"state":"idle","since_ms":1795732385000}}})");
  const auto shown = get("/api/v1/devices/" + uuid(1) + "/modules");
  EXPECT_EQ(shown.text("/items/0/reported/since"), "2026-11-26T22:33:05.000Z") << shown.response.body;
  EXPECT_FALSE(shown.at("/items/0/reported").as_object().contains("since_ms"));
  bear.report(R"({"modules":{"recorder":{"since_ms":"then"}}})");
  EXPECT_EQ(get("/api/v1/devices/" + uuid(1) + "/modules").status, 200);
}

TEST_F(ModulesApi, TheFleetIsCountedAsReportsCome) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  LinkedDevice duck(*this, uuid(2), {"recorder"});
  bear.report(R"({"modules":{"recorder":)" + crashed(2) +
              R"(},"alerts":[{"kind":"crash_loop","modules":["recorder"],"text":"x"},{"kind":"new"}],
              "board":{"temperature_c":61.4,"alerts":["hot","disk-low"],
                       "disk_total_kb":1000,"disk_free_kb":40,"memory_total_kb":0}})");
  duck.report(
      R"({"modules":{"recorder":{"state":"idle","enabled":true,"restarts":3,"use":{"memory_kb":500,"descriptors":7}}},
          "board":{"alerts":["disk-low"],"disk_total_kb":1000,"disk_free_kb":30}})");
  const auto all = get("/api/v1/modules");
  ASSERT_EQ(all.status, 200) << all.response.body;
  EXPECT_EQ(all.at("/items/0/devices"), Json(2));
  EXPECT_EQ(all.at("/items/0/enabled"), Json(2));
  EXPECT_EQ(all.at("/items/0/failing"), Json(1));
  EXPECT_EQ(all.at("/items/0/by_state"), *parse_json(R"({"crashed":1,"idle":1})"));
  EXPECT_EQ(all.at("/items/0/deaths"), Json(2));
  EXPECT_EQ(all.text("/items/0/crashes/0/text"), "killed by SIGSEGV");
  EXPECT_EQ(get("/api/v1/modules?selector=room%3Dlab").at("/items/0/failing"), Json(0));
  const std::string text = metrics();
  EXPECT_NE(text.find(R"(starling_modules{fleet="default",module="recorder",state="idle"} 1)"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find(R"(starling_module_deaths_total{fleet="default",module="recorder",class="signal"} 2)"),
            std::string::npos);
  EXPECT_NE(text.find(R"(starling_module_memory_bytes{fleet="default",module="recorder"} 1536000)"),
            std::string::npos);
  EXPECT_NE(text.find(R"(starling_module_descriptors{fleet="default",module="recorder"} 7)"),
            std::string::npos);
  EXPECT_NE(text.find(R"(starling_module_restarts{fleet="default",module="recorder"} 3)"), std::string::npos);
  for (const char* line : {R"(starling_module_alerts{fleet="default",kind="crash_loop"} 1)",
                           R"(starling_module_alerts{fleet="default",kind="other"} 1)",
                           R"(starling_board_alerts{fleet="default",kind="hot"} 1)",
                           R"(starling_board_alerts{fleet="default",kind="disk-low"} 2)",
                           R"(starling_board_disk_free_min_ratio{fleet="default"} 0.03)"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(text.find("starling_board_memory"), std::string::npos) << "nobody told of it";
  EXPECT_NE(text.find(R"(starling_board_temperature_max_celsius{fleet="default"} 61)"), std::string::npos);

  bear.report(R"({"modules":{"recorder":{"state":"idle"}},"board":null,"alerts":null})");
  EXPECT_EQ(get("/api/v1/modules").at("/items/0/failing"), Json(0));
  EXPECT_EQ(metrics().find("celsius"), std::string::npos);
  EXPECT_EQ(metrics().find("starling_module_alerts"), std::string::npos);
  EXPECT_EQ(get("/api/v1/modules").at("/offline"), Json(0));
  bear.leave();
  EXPECT_EQ(get("/api/v1/modules").at("/offline"), Json(1));
  EXPECT_EQ(get("/api/v1/modules").at("/items/0/by_state"), *parse_json(R"({"idle":2})")) << "as it was";
  EXPECT_EQ(get("/api/v1/modules?selector=room%3Dnowhere").at("/offline"), Json(0));
  duck.leave();
  del("/api/v1/devices/" + uuid(1));
  EXPECT_EQ(get("/api/v1/modules").at("/items/0/devices"), Json(1));
  EXPECT_EQ(get("/api/v1/crashes").at("/items").as_array().size(), 0u);
}

TEST_F(ModulesApi, TheSameCrashOnSeveralDevicesIsOne) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  LinkedDevice duck(*this, uuid(2), {"recorder"});
  bear.report(R"({"modules":{"recorder":)" + crashed(3) + "}}");
  clock.advance(Seconds(60));
  duck.report(R"({"modules":{"recorder":)" + crashed(1) + "}}");
  duck.report(R"({"modules":{"recorder":)" + crashed(2, "f2") + "}}");
  duck.report(R"({"modules":{"recorder":)" + crashed(2, "f2") + "}}");
  const auto all = get("/api/v1/crashes");
  ASSERT_EQ(all.status, 200) << all.response.body;
  ASSERT_EQ(all.at("/items").as_array().size(), 2u) << all.response.body;
  const int same = all.text("/items/0/fingerprint") == "f1" ? 0 : 1;
  const std::string item = "/items/" + std::to_string(same);
  EXPECT_EQ(all.at(item + "/devices"), Json(2));
  EXPECT_EQ(all.at(item + "/deaths"), Json(4));
  EXPECT_EQ(all.at(item + "/releases"), JsonArray()) << "no release brought the module, whatever agent runs";
  EXPECT_LT(all.text(item + "/first_seen"), all.text(item + "/last_seen"));
  EXPECT_EQ(get("/api/v1/crashes?limit=1").at("/count"), Json(2));
  EXPECT_EQ(get("/api/v1/crashes?module=player").at("/count"), Json(0));

  const std::string nursery = make_key_of(R"({"name":"n","role":"viewer","selector":"room=nursery"})");
  const auto few = get_as(nursery, "/api/v1/crashes");
  ASSERT_EQ(few.at("/items").as_array().size(), 1u) << few.response.body;
  EXPECT_EQ(few.at("/items/0/deaths"), Json(3)) << "those of its own devices";
}

TEST_F(ModulesApi, ADeathIsOfTheReleaseThatBroughtTheModule) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  LinkedDevice duck(*this, uuid(2), {"recorder"});
  bear.report(R"({"modules":{"recorder":)" + crashed(1, "f1", "v1.0.0") + "}}");
  clock.advance(Seconds(60));
  bear.report(R"({"modules":{"recorder":)" + crashed(2, "f2", "v2.0.0") + "}}");
  duck.report(R"({"modules":{"recorder":)" + crashed(1, "f2", "v2.0.0") + "}}");
  duck.report(R"({"modules":{"recorder":)" + crashed(2, "f2", "v2.1.0") + "}}");
  const auto all = get("/api/v1/crashes");
  ASSERT_EQ(all.at("/items").as_array().size(), 2u) << all.response.body;
  const std::string first = all.text("/items/0/fingerprint") == "f1" ? "/items/0" : "/items/1";
  const std::string second = first == "/items/0" ? "/items/1" : "/items/0";
  EXPECT_EQ(all.at(first + "/releases"), *parse_json(R"([{"version":"v1.0.0","devices":1}])"));
  EXPECT_EQ(all.text(second + "/first_release"), "v2.0.0");
  EXPECT_EQ(all.at(second + "/releases"),
            *parse_json(R"([{"version":"v2.0.0","devices":2},{"version":"v2.1.0","devices":1}])"));
}

TEST_F(ModulesApi, WhatWasReportedIsCountedAgainAfterAStart) {
  {
    LinkedDevice bear(*this, uuid(1), {"recorder"});
    bear.report(R"({"modules":{"recorder":)" + crashed(3) + "}}");
  }
  hub->records().flush();
  settle();
  restart();
  EXPECT_EQ(get("/api/v1/crashes").at("/items/0/deaths"), Json(3)) << "at once";
  EXPECT_EQ(get("/api/v1/modules").at("/items/0/failing"), Json(1));
  restart();
  EXPECT_NE(metrics().find("starling_modules"), std::string::npos) << metrics();
  LinkedDevice bear(*this, uuid(1), {"recorder"}, {2, 1});
  EXPECT_EQ(get("/api/v1/modules").at("/items").as_array().size(), 0u) << "a new session, a new report";
  bear.report(R"({"modules":{"recorder":)" + crashed(3) + "}}");
  EXPECT_EQ(get("/api/v1/crashes").at("/items/0/deaths"), Json(3)) << "known already";
  bear.report(R"({"modules":{"recorder":)" + crashed(1) + "}}");
  EXPECT_EQ(get("/api/v1/crashes").at("/items/0/deaths"), Json(4)) << "the device counts anew";
}

TEST_F(ModulesApi, EachKindOfDeathIsCountedByItselfAlsoAfterAStart) {
  const auto report = [](int deaths, int of_f1, int of_f2) {
    const auto kind = [](int count, const char* text) {
      return R"({"class":"exit-code","confidence":"certain","release":"v1.0.0","text":")" +
             std::string(text) + R"(","deaths":)" + std::to_string(count) + "}";
    };
    return R"({"modules":{"recorder":{"state":"crashed","last_death":{"fingerprint":"f2"},"deaths":)" +
           std::to_string(deaths) + R"(,"deaths_by_kind":{"f1":)" + kind(of_f1, "exited with status 3") +
           R"(,"f2":)" + kind(of_f2, "exited with status 4") + "}}}}";
  };
  const auto deaths = [this](std::string_view fingerprint) {
    const auto crashes = get("/api/v1/crashes");
    for (const Json& crash : crashes.at("/items").as_array())
      if (crash.at("fingerprint") == Json(fingerprint)) return crash.at("deaths");
    return Json();
  };
  {
    LinkedDevice bear(*this, uuid(1), {"recorder"});
    bear.report(report(3, 2, 1));
    EXPECT_EQ(deaths("f1"), Json(2));
    EXPECT_EQ(deaths("f2"), Json(1));
  }
  hub->records().flush();
  settle();
  restart();
  LinkedDevice bear(*this, uuid(1), {"recorder"}, {2, 1});
  bear.report(report(3, 2, 1));
  EXPECT_EQ(deaths("f1"), Json(2)) << "known already";
  bear.report(report(6, 4, 2));
  EXPECT_EQ(deaths("f1"), Json(4));
  EXPECT_EQ(deaths("f2"), Json(2));
  bear.report(report(2, 1, 1));
  EXPECT_EQ(deaths("f1"), Json(5)) << "the device counts anew";
  EXPECT_EQ(get("/api/v1/crashes").text("/items/0/first_release"), "v1.0.0");
  EXPECT_NE(metrics().find(
                R"(starling_module_deaths_total{fleet="default",module="recorder",class="exit-code"} 5)"),
            std::string::npos)
      << metrics();
}

TEST_F(ModulesApi, ReportsOfAnyShapeAreTaken) {
  LinkedDevice bear(*this, uuid(1), {"recorder"});
  for (
      const char* report :
      {R"({"modules":7})", R"({"modules":{"recorder":7,"../x":{},"a":{"state":9,"use":7,"deaths":"x"}}})",
       R"({"modules":{"a":{"deaths":-1,"last_death":7},"b":{"deaths":1e300},"c":{"deaths":5,"last_death":{}}}})",
       R"({"modules":{"a":{"deaths":2,"deaths_by_kind":7},"b":{"deaths":2,"deaths_by_kind":{"x":{"class":[]}}}}})",
       R"({"board":{"alerts":{},"temperature_c":1e300}})", R"({"alerts":7})",
       R"({"alerts":[7,{},{"kind":7}],"board":{"alerts":[7,{}],"disk_total_kb":-1,"disk_free_kb":"x"}})"}) {
    bear.report(report);
    EXPECT_EQ(get("/api/v1/modules").status, 200);
    EXPECT_EQ(get("/api/v1/crashes").status, 200);
    EXPECT_EQ(get("/metrics").status, 200);
    EXPECT_EQ(get("/api/v1/devices/" + uuid(1) + "/modules").status, 200);
  }
}

}  // namespace
}  // namespace starling::hub
