#include <gmock/gmock.h>

#include <boost/json/parse.hpp>

#include "cli/application_fixture.hpp"

namespace starling::cli {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

#define BEAR "0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11"

constexpr auto bears_modules =
    R"({"device":")" BEAR R"(","status":"online","sync":{"status":"refused","errors":[
    {"key":"modules.player.enabled","message":"exit status 1"}]},"items":[
    {"module":"old","on_device":false,"desired":null,"reported":{"state":"idle"},"differs":false},
    {"module":"other","on_device":false,"desired":null,"reported":{"state":"idle","unmanaged":true},"differs":false},
    {"module":"player","on_device":true,"differs":true,"desired":{"enabled":true,"layer":"group:room=lab","revision":12},
     "reported":{"enabled":false,"state":"crashed","cause":"died","detail":"exit status 1","attempt":3,"restarts":2,
       "deaths":3,"next_retry":"2026-11-20T22:33:05Z","quarantine":"exit status 1, three times",
       "last_death":{"class":"exit-code","confidence":"certain","text":"exit status 1","fingerprint":"ab12","release":"v1.2.3",
       "evidence":["waitid: exited, status 1"],"last_lines":["no \u001bmodel","bye"]}}},
    {"module":"recorder","on_device":true,"differs":false,"desired":{"enabled":true,"layer":"fleet","revision":9},
     "reported":{"enabled":true,"state":"idle","cause":"none","pid":417,"use":{"cpu_percent":2.5,"memory_kb":1536}}}]})";
constexpr auto fleets_modules = R"({"items":[{"module":"recorder","devices":3,"enabled":2,"failing":1,
    "by_state":{"idle":1,"recording":1,"crashed":1},"deaths":4,"crashes":[{"text":"killed by SIGSEGV",
    "last_seen":"not a time"}]}],"next":null})";
constexpr auto online = R"({"device_uuid":")" BEAR R"(","device_name":"bear-1","status":"online"})";

class ModuleCommands : public ApplicationTest {
 protected:
  ModuleCommands() {
    hub().on("GET /api/v1/devices",
             R"({"items":[{"device_uuid":")" BEAR R"(","device_name":"bear-1"}],"next":null})");
    hub().on("GET /api/v1/devices/" BEAR "/modules", bears_modules);
    hub().on("GET /api/v1/modules", fleets_modules);
    lies("recorder", R"("targeted":3)");
  }
  void lies(const std::string& module, const std::string& where) {
    hub().on("GET /api/v1/modules/" + module, "{" + where + "}");
  }
  // The first request that begins so.
  FakeHub::Asked asked(const std::string& line) {
    for (const auto& asked : hub().asked()) {
      if (asked.line.starts_with(line)) return asked;
    }
    ADD_FAILURE() << line << " was not asked";
    return {};
  }
  // The next question for devices that match; the fleet has that one.
  void nobody_matches_then(const std::string& device) {
    hub().on("GET /api/v1/devices", R"({"items":[],"next":null})");
    hub().on("GET /api/v1/devices", R"({"items":[)" + device + R"(],"next":null})");
    run({"module", "show", "player", "--device", "bear-1"});  // takes the answer that all get
  }
  void expect_nothing_written() {
    for (const auto& asked : hub().asked())
      EXPECT_TRUE(asked.line.starts_with("GET")) << asked.line;
  }
  Json body_of(const std::string& line) { return boost::json::parse(asked(line).body); }
};

TEST_F(ModuleCommands, TheFleetAndADeviceAreListed) {
  EXPECT_EQ(run({"module", "list", "--on", "room=lab"}).out,
            "MODULE    DEVICES  ENABLED  IDLE  RECORDING  FAILING  DEATHS  NEWEST CAUSE\n"
            "recorder        3        2     1          1        1       4  killed by SIGSEGV (not a time)\n");
  EXPECT_THAT(asked("GET /api/v1/modules").line, HasSubstr("selector=room%3Dlab"));
  const Ran ran = run({"module", "list", "--device", "bear-1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "MODULE    DESIRED  STATE      SINCE  PID  RESTARTS    CPU  MEMORY  CAUSE\n"
            "old       -        gone       -        -         -      -       -  -\n"
            "other     -        unmanaged  -        -         -      -       -  -\n"
            "player    enabled  crashed    -        -         2      -       -  exit status 1, three times\n"
            "recorder  enabled  idle       -      417         -  2.5 %  1.5 MB  -\n");
}

TEST_F(ModuleCommands, AModuleShowsWhyItDoesNotRun) {
  const Ran ran = run({"module", "show", "player", "--device", "bear-1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  for (const auto* part :
       {"enabled (group room=lab, revision 12)", "refused", "next retry", "quarantine",
        "exit status 1, three times", "certain", "ab12", "release      v1.2.3\n",
        "evidence\n  waitid: exited, status 1\n", "its last lines\n  no \\x1bmodel\n  bye\n"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
  const Ran wrong = run({"module", "show", "recoder", "--device", "bear-1"});
  EXPECT_EQ(wrong.code, 1);
  EXPECT_THAT(wrong.err, HasSubstr("bear-1 has no module 'recoder'; did you mean 'recorder'?"));
}

TEST_F(ModuleCommands, WhyADeviceTookNothingOfWhatIsDesiredIsTold) {
  hub().on("GET /api/v1/devices/" BEAR "/modules",
           R"({"device":")" BEAR R"(","status":"online","sync":{"status":"refused","errors":[
      {"key":"","message":"no space left on device"}]},"items":[
      {"module":"player","on_device":true,"differs":true,"desired":{"enabled":true,"layer":"fleet","revision":12},
       "reported":{"enabled":false,"state":"disabled","cause":"none"}},
      {"module":"recorder","on_device":true,"differs":false,"desired":null,
       "reported":{"enabled":true,"state":"idle","cause":"none"}}]})");
  run({"module", "list", "--device", "bear-1"});  // takes the answer that all get
  EXPECT_THAT(run({"module", "list", "--device", "bear-1"}).err,
              HasSubstr("the newest change of modules is not in force: no space left on device"));
  EXPECT_THAT(run({"module", "show", "player", "--device", "bear-1"}).out,
              ContainsRegex("refused +no space left on device"));
  EXPECT_THAT(run({"module", "show", "recorder", "--device", "bear-1"}).out,
              testing::Not(HasSubstr("no space left")));
}

TEST_F(ModuleCommands, CrashesAreShownByWhatTheyHaveInCommon) {
  hub().on("GET /api/v1/crashes",
           R"({"items":[{"module":"recorder","fingerprint":"f1","class":"signal","text":
      "killed by SIGSEGV","devices":14,"deaths":31,"first_seen":"a","last_seen":"b","first_release":"1.2.0","releases":[{"version":"1.2.0",
      "devices":14},{"version":"1.3.0","devices":2}]},{"module":"recorder","fingerprint":"f2","text":"out of memory",
      "devices":1,"deaths":1,"first_seen":"a","last_seen":"b","first_release":"","releases":[]}],"count":4})");
  EXPECT_EQ(run({"module", "crashes", "--module", "recorder"}).out,
            "MODULE    CAUSE              DEVICES  DEATHS  SINCE RELEASE  RELEASES (DEVICES)     FIRST SEEN  "
            "LAST SEEN  FINGERPRINT\n"
            "recorder  killed by SIGSEGV       14      31  1.2.0          1.2.0 (14), 1.3.0 (2)  a           "
            "b          f1\n"
            "recorder  out of memory            1       1  -              -                      a           "
            "b          f2\n"
            "... and 2 more\n");
  EXPECT_EQ(asked("GET /api/v1/crashes").line, "GET /api/v1/crashes?module=recorder");
  const Ran json = run({"module", "crashes", "-o", "json"});
  EXPECT_EQ(parse_json(json.out)->at("items").at(0).at("first_release"), Json("1.2.0")) << json.out;
}

TEST_F(ModuleCommands, AFolderThatNoModuleCanBeCalledIsListedForTheFleetToo) {
  hub().on("GET /api/v1/modules", R"({"items":[{"module":"Bad-Name","devices":2}],"next":null})");
  run({"module", "list"});  // takes the answer that all get
  EXPECT_THAT(run({"module", "list"}).out, ContainsRegex("\nBad-Name +2 .* no module can be called so"));
}

TEST_F(ModuleCommands, EnablingIsAWriteOfASetting) {
  hub().on("PUT /api/v1/settings",
           R"({"revision":412,"changed":["x"],"masked":[],"masked_count":0,"targeted":3})");
  hub().on("GET /api/v1/changes/412/progress",
           R"({"revision":412,"targeted":3,"applied":1,"pending":0,"refused":1,
      "offline":0,"lacks_module":1,"devices":[{"device":"u","name":"bear-1","state":"refused","errors":[{"key":
      "modules.recorder.enabled","message":"exit status 1"}]},{"device":"v","name":"owl","state":"lacks_module"}]})");
  const Ran ran = run({"module", "enable", "recorder", "--on", "room=lab", "--reason", "week 31", "--wait"});
  EXPECT_EQ(ran.code, 3) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("revision 412: enabled recorder on room=lab (3 devices)\n"));
  EXPECT_THAT(ran.out, HasSubstr("bear-1  modules.recorder.enabled  exit status 1\n"));
  EXPECT_THAT(ran.out, HasSubstr("without the module: owl\n"));
  EXPECT_THAT(ran.err,
              HasSubstr("'starling module logs recorder --device bear-1' shows what it wrote, if it ran;"));
  EXPECT_THAT(ran.err, HasSubstr("'starling module start recorder --device bear-1 --wait' tries again"));
  EXPECT_EQ(body_of("PUT"), boost::json::parse(R"({"values":{"modules.recorder.enabled":true},
      "target":{"selector":"room=lab"},"reason":"week 31"})"));
}

TEST_F(ModuleCommands, WhatIsThatWayAlreadyIsWaitedForUntilDevicesAre) {
  hub().on("PUT /api/v1/settings", R"({"revision":null,"unchanged_since":12,"changed":[],"targeted":1})");
  hub().on("GET /api/v1/changes/12/progress", R"({"revision":12,"targeted":1,"applied":0,"pending":1,
      "devices":[{"device":"u","name":"bear-1","state":"pending"}]})");
  hub().on("GET /api/v1/changes/12/progress", R"({"revision":12,"targeted":1,"applied":1,"devices":[]})");
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":1})");
  hub().on("GET /api/v1/actions/a1", R"({"id":"a1","devices":[]})");
  const Ran ran = run({"module", "disable", "recorder", "--device", "bear-1", "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "nothing to change: it is that way already, since revision 12\n"
            "revision 12 applied by 1 of 1 device\n");
  EXPECT_THAT(asked("GET /api/v1/changes/12/progress").line, HasSubstr("device=" BEAR));
}

TEST_F(ModuleCommands, WhatAModuleWaitsForIsSaidOnceAndAtOnce) {
  hub().on("PUT /api/v1/settings", R"({"revision":412,"targeted":1})");
  for (int i = 0; i < 2; ++i) {
    hub().on("GET /api/v1/changes/412/progress", R"({"revision":412,"targeted":1,"pending":1,"devices":[
        {"device":"u","name":"bear-1","state":"pending","waits_for":"recorder waits for 'bus', which is not to run"}]})");
  }
  hub().on("GET /api/v1/changes/412/progress", R"({"revision":412,"targeted":1,"applied":1,"devices":[]})");
  const Ran ran = run({"module", "enable", "recorder", "--device", "bear-1", "--wait"});
  EXPECT_EQ(ran.code, 0) << "and the last answer says nothing of it";
  const std::string said = "on bear-1 recorder waits for 'bus', which is not to run";
  ASSERT_THAT(ran.err, HasSubstr(said));
  EXPECT_EQ(ran.err.find(said), ran.err.rfind(said)) << ran.err;
}

TEST_F(ModuleCommands, WhatChangesNothingIsReconciledWithWhatCommandsHaveDone) {
  hub().on("PUT /api/v1/settings", R"({"revision":null,"changed":[],"targeted":2})");
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":2})");
  hub().on("GET /api/v1/actions/a1", R"({"id":"a1","devices":[
      {"name":"bear-1","state":"done","status":"online","result":{"state":"disabled"}},
      {"name":"owl","state":"waiting","status":"offline"}]})");
  const Ran ran = run({"module", "disable", "recorder", "--on", "room=lab", "--policy", "--wait"});
  EXPECT_EQ(ran.code, 4) << ran.err << "who is away is not waited for";
  EXPECT_EQ(ran.out, "nothing to change: it is that way already\n");
  EXPECT_THAT(ran.err, HasSubstr("no answer from owl: what was started or stopped there"));
  EXPECT_EQ(body_of("POST"), boost::json::parse(R"({"action":"module","expires_in_seconds":60,
      "parameters":{"module":"recorder","command":"reconcile"},"target":{"selector":"room=lab"}})"));
}

TEST_F(ModuleCommands, WhoMayWriteAndNotCommandHasWritten) {
  hub().on("PUT /api/v1/settings", R"({"revision":null,"changed":[],"targeted":2})");
  hub().on("POST /api/v1/actions",
           R"({"title":"Forbidden","status":403,"detail":"the role operator is needed",
      "code":"permission_denied"})",
           403);
  const Ran ran = run({"module", "disable", "recorder", "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("that stays: "));
  EXPECT_THAT(ran.out, HasSubstr("nothing to change"));
}

TEST_F(ModuleCommands, WhatNobodyHasTakenYetIsQueued) {
  hub().on("PUT /api/v1/settings", R"({"revision":412,"targeted":1})");
  hub().on("GET /api/v1/changes/412/progress", R"({"revision":412,"targeted":1,"applied":0,"pending":0,
      "refused":0,"offline":1,"devices":[{"device":"u","name":"bear-1","state":"offline"}]})");
  const Ran ran = run({"module", "enable", "recorder", "--device", "bear-1", "--wait"});
  EXPECT_EQ(ran.code, 4) << ran.err;
  EXPECT_THAT(ran.out, HasSubstr("revision 412 is queued for 1 device\n"
                                 "offline, will get it when back: bear-1\n"));
  EXPECT_THAT(ran.out, testing::Not(HasSubstr("applied")));
}

TEST_F(ModuleCommands, ADevicesNameIsNoSelector) {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"module", "enable", "recorder", "--on", "bear-1"},
                                             {"module", "restart", "recorder", "--on", "bear-1"},
                                             {"module", "act", "recorder", "start", "--on", "bear-1"}}) {
    nobody_matches_then(R"({"device_uuid":")" BEAR R"(","device_name":"bear-1"})");
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("'bear-1' is a device, and --on takes labels: write --device bear-1"));
  }
  expect_nothing_written();
}

TEST_F(ModuleCommands, WhatIsDoneOnceIsDoneForSomebody) {
  nobody_matches_then(R"({"device_name":"bear-1","labels":{"room":"lab"}})");
  const Ran ran = run({"module", "restart", "recorder", "--on", "room=labb"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err,
            "starling: no device matches 'room=labb' now; did you mean 'room=lab'?\n"
            "  'starling device list' shows the labels.\n");
  expect_nothing_written();
}

TEST_F(ModuleCommands, ASelectorThatNobodyMatchesIsASlipUnlessItIsForTheFuture) {
  nobody_matches_then(R"({"device_name":"bear-1","labels":{"room":"lab"}})");
  hub().on("PUT /api/v1/settings", R"({"revision":412,"targeted":0})");
  std::vector<std::string> arguments{"module", "enable", "recorder", "--on", "room=labb"};
  const Ran slip = run(arguments);
  EXPECT_EQ(slip.code, 1);
  EXPECT_THAT(slip.err, HasSubstr("no device matches 'room=labb' now; did you mean 'room=lab'?"));
  EXPECT_THAT(slip.err, HasSubstr("--future"));
  expect_nothing_written();
  arguments.emplace_back("--future");
  const Ran written = run(arguments);
  EXPECT_EQ(written.code, 0) << written.err;
  EXPECT_THAT(written.err, HasSubstr("it holds for those that will"));
}

TEST_F(ModuleCommands, EnablingOnceMoreTriesAgainWhereItCouldNotBe) {
  lies("player", R"("targeted":3,"quarantined_count":2,"quarantined":[
      {"device":")" BEAR R"(","name":"bear-1","message":"exit status 1"},
      {"device":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a12","name":"owl","message":"no such file"}])");
  hub().on("PUT /api/v1/settings", R"({"revision":null,"changed":[],"targeted":3})");
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":3})");
  hub().on("GET /api/v1/actions/a1", R"({"id":"a1","devices":[{"name":"bear-1","state":"done"},
      {"name":"owl","state":"failed","message":"no such file"},{"name":"frog","state":"done"}]})");
  const Ran ran = run({"module", "enable", "player", "--on", "room=lab", "--wait"});
  EXPECT_EQ(ran.code, 3) << ran.err;
  EXPECT_EQ(ran.out,
            "nothing to change: it is that way already\n"
            "trying again where it could not be enabled: bear-1, owl\n"
            "DEVICE  STATE   ANSWER\n"
            "owl     failed  no such file\n");
  EXPECT_THAT(asked("GET /api/v1/modules/player").line, HasSubstr("selector=room%3Dlab"));
  EXPECT_THAT(run({"module", "enable", "player", "--wait", "-o", "json"}).out, HasSubstr(R"("reconciled")"));
  EXPECT_THAT(run({"module", "disable", "player"}).out, testing::Not(HasSubstr("trying again")));
}

TEST_F(ModuleCommands, WhatIsChangedIsCarriedOutByItself) {
  hub().on("PUT /api/v1/settings", R"({"revision":412,"targeted":3})");
  EXPECT_EQ(run({"module", "enable", "recorder"}).code, 0);
  for (const auto& asked : hub().asked())
    EXPECT_FALSE(asked.line.starts_with("POST")) << asked.line;
}

TEST_F(ModuleCommands, DevicesWithoutTheModuleAreNamed) {
  hub().on("PUT /api/v1/settings", R"({"revision":415,"targeted":5})");
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":5})");
  lies("player", R"("targeted":5,"without_count":2,"without":[{"name":"owl"},{"name":"frog"}])");
  EXPECT_THAT(
      run({"module", "enable", "player", "--on", "room=lab"}).err,
      HasSubstr("2 of 5 devices have no module 'player', where the setting waits for it: owl, frog\n"));
  EXPECT_THAT(run({"module", "stop", "player", "--on", "room=lab"}).err,
              HasSubstr("2 of 5 devices have no module 'player': owl, frog\n"));
  lies("removed", R"("targeted":1,"without_count":1,"without":[{"name":"bear-1"}],"layers":["fleet"])");
  const Ran gone = run({"module", "disable", "removed", "--device", "bear-1"});
  EXPECT_EQ(gone.code, 0) << gone.err;
  EXPECT_THAT(gone.err, HasSubstr("the device has no module 'removed', where"));
}

TEST_F(ModuleCommands, CrashesOfNobodyAreASlip) {
  hub().on("GET /api/v1/crashes", R"({"items":[],"count":0})");
  EXPECT_EQ(run({"module", "crashes", "--module", "recorder"}).code, 0);
  const Ran ran = run({"module", "crashes", "--module", "recoder"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("did you mean 'recorder'?"));
}

TEST_F(ModuleCommands, SettingsGetKnowsModulesToo) {
  hub().on(
      "GET /api/v1/devices/" BEAR "/settings",
      R"({"revision":9,"settings":{"modules.recorder.enabled":{"value":true,"layer":"fleet","revision":9}}})");
  EXPECT_EQ(run({"settings", "get", "bear-1", "modules.recorder.enabled"}).out, "true\n");
  EXPECT_THAT(run({"settings", "get", "bear-1"}).out, HasSubstr("modules.recorder.enabled  true"));
  EXPECT_THAT(run({"settings", "get", "bear-1", "modules.player.enabled"}).err, HasSubstr("as it shipped"));
}

TEST_F(ModuleCommands, SettingsSetKnowsModulesToo) {
  hub().on("GET /api/v1/components", R"({"items":[]})");
  hub().on("PUT /api/v1/settings", R"({"revision":413,"targeted":1})");
  EXPECT_EQ(run({"settings", "set", "modules.recorder.enabled=false", "--device", "bear-1"}).out,
            "revision 413: set modules.recorder.enabled = false on bear-1 (1 device)\n");
  EXPECT_THAT(run({"settings", "set", "modules.recorder.enabled=no"}).err, HasSubstr("true or false"));
}

TEST_F(ModuleCommands, ASlipIsNoticedBeforeAnythingIsWritten) {
  for (const char* nobodys : {"recoder", "zzz", "to-come"})
    lies(nobodys, R"("targeted":3,"without_count":3)");
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"module", "enable", "recoder"},
                                             {"module", "disable", "zzz", "--device", "bear-1"},
                                             {"module", "stop", "recoder", "--on", "x"}}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("there is no module '" + arguments[2]));
    for (const auto& asked : hub().asked())
      EXPECT_TRUE(asked.line.starts_with("GET")) << asked.line;
  }
  hub().on("PUT /api/v1/settings", R"({"revision":414,"targeted":1})");
  const Ran ran = run({"module", "enable", "to-come"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_THAT(ran.err, HasSubstr("no device has reported a module 'to-come' so far"));
}

TEST_F(ModuleCommands, WhatCannotBeAModulesNameIsTold) {
  constexpr auto rule = "which has a-z, 0-9, _ and -, at most 64 of them, a letter or digit first";
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"module", "enable", "Recorder"}, {"module", "restart", "Recorder", "--device", "bear-1"}}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("'Recorder' is not the name of a module, " + std::string(rule) +
                                   "; did you mean 'recorder'?"));
  }
  EXPECT_THAT(run({"module", "disable", "a/b"}).err, HasSubstr(std::string(rule) + "\n"));
  hub().on("GET /api/v1/components", R"({"items":[]})");
  EXPECT_THAT(run({"settings", "set", "modules.Recorder.enabled=true"}).err,
              HasSubstr("modules.NAME.enabled; NAME has a-z"));
  expect_nothing_written();
}

TEST_F(ModuleCommands, CommandsAndActionsGoToDevices) {
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":1})");
  hub().on("GET /api/v1/actions/a1",
           R"({"id":"a1","devices":[{"name":"bear-1","state":"waiting","status":"online"}]})");
  hub().on("GET /api/v1/actions/a1",
           R"({"id":"a1","devices":[{"name":"bear-1","state":"done","result":{"state":"idle"}},
      {"name":"owl","state":"failed","message":"no module is called 'recorder'"}]})");
  const Ran ran = run({"module", "restart", "recorder", "--device", "bear-1", "--wait"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_EQ(ran.err, "");
  EXPECT_THAT(ran.out, HasSubstr("bear-1  done    {\"state\":\"idle\"}\n"));
  EXPECT_THAT(ran.out, HasSubstr("owl     failed  no module is called 'recorder'\n"));
  EXPECT_EQ(body_of("POST"), boost::json::parse(R"({"action":"module","expires_in_seconds":60,
      "parameters":{"module":"recorder","command":"restart"},"target":{"device":")" BEAR R"("}})"));
}

TEST_F(ModuleCommands, WhoIsOfflineIsNamedAtOnce) {
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":3})");
  hub().on("GET /api/v1/actions/a1", R"({"id":"a1","devices":[
      {"name":"bear-1","state":"waiting","status":"offline","last_seen":"long ago"},
      {"name":"frog","state":"waiting","status":"offline","last_seen":null},
      {"name":"owl","state":"done","result":{"state":"recording"}}]})");
  const std::string note =
      "note: bear-1 is offline (last seen long ago), frog is offline; done there only if back within 30 s\n";
  std::vector<std::string> arguments{"module", "act",      "recorder",  "start",
                                     "--on",   "room=lab", "--expires", "30"};
  const Ran sent = run(arguments);
  EXPECT_EQ(sent.code, 0);
  EXPECT_EQ(sent.err, note);
  arguments.insert(arguments.end(), {"--wait", "--wait-timeout", "0"});
  const Ran waited = run(arguments);
  EXPECT_EQ(waited.code, 4);
  EXPECT_EQ(waited.err, note);
  EXPECT_EQ(waited.out,
            "DEVICE  STATE    ANSWER\n"
            "bear-1  waiting  offline (last seen long ago)\n"
            "frog    waiting  offline\n"
            "owl     done     {\"state\":\"recording\"}\n");
}

TEST_F(ModuleCommands, ParametersOfAnActionAreJsonOrText) {
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":2})");
  const Ran ran =
      run({"module", "act", "recorder", "start", "--on", "room=lab", "seconds=10", "name=week 31"});
  EXPECT_EQ(ran.out, "start of recorder goes to 2 devices; how it went: starling action show a1\n")
      << ran.err;
  EXPECT_EQ(body_of("POST").at("parameters"),
            boost::json::parse(
                R"({"module":"recorder","action":"start","parameters":{"seconds":10,"name":"week 31"}})"));
}

http::Response log_stream(std::vector<std::pair<std::string, std::string>> events) {
  http::Response response;
  response.stream = [events = std::move(events)](std::shared_ptr<http::EventStream> stream) {
    for (const auto& [name, data] : events)
      stream->send(name, {}, data);
    stream->close();
  };
  return response;
}

TEST_F(ModuleCommands, LogsAreReadThroughTheHub) {
  const std::string path = "GET /api/v1/devices/" BEAR "/modules/recorder/logs";
  const std::pair<std::string, std::string> line{
      "log", R"({"lines":[{"at":"then","stream":"stderr","text":"disk \u001bfull"}]})"};
  hub().on("GET /api/v1/devices/" BEAR, online);
  hub().on(path, log_stream({line, line, {"end", R"({"message":""})"}}));
  hub().on(path, log_stream({line, {"end", R"({"message":"the device went away"})"}}));
  const Ran all = run({"module", "logs", "recorder", "--device", "bear-1", "-n", "2"});
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_EQ(all.out, "then err disk \\x1bfull\nthen err disk \\x1bfull\n");
  EXPECT_THAT(hub().asked().back().line, HasSubstr("?lines=2&follow=false"));
  const Ran gone = run({"module", "logs", "recorder", "--device", "bear-1", "-f", "-o", "json"});
  EXPECT_EQ(gone.code, 1);
  EXPECT_THAT(gone.out, HasSubstr(R"("stream":"stderr")"));
  EXPECT_EQ(gone.err, "starling: the device went away\n");
  hub().on(path, log_stream({line}));
  run({"module", "logs", "recorder", "--device", "bear-1"});  // takes the answer that was left
  EXPECT_THAT(run({"module", "logs", "recorder", "--device", "bear-1"}).err, HasSubstr("run it again"));
  lies("recoder", R"("targeted":1,"without_count":1)");
  EXPECT_THAT(run({"module", "logs", "recoder", "--device", "bear-1"}).err, HasSubstr("'recorder'?"));
}

TEST_F(ModuleCommands, ALogWithoutALineSaysSo) {
  hub().on("GET /api/v1/devices/" BEAR, online);
  hub().on("GET /api/v1/devices/" BEAR "/modules/recorder/logs", log_stream({{"end", R"({"message":""})"}}));
  const Ran none = run({"module", "logs", "recorder", "--device", "bear-1"});
  EXPECT_EQ(none.code, 0);
  EXPECT_EQ(none.out, "");
  EXPECT_EQ(none.err, "note: recorder has written nothing yet\n");
  EXPECT_EQ(run({"module", "logs", "recorder", "--device", "bear-1", "-n", "0"}).err, "") << "none is wanted";
}

// Events of a log: a line for each character.
std::pair<std::string, std::string> log_lines(const std::string& texts) {
  std::string all;
  for (const char text : texts)
    all += std::string(all.empty() ? "" : ",") + R"({"at":"then","stream":"stdout","text":")" + text + "\"}";
  return {"log", R"({"lines":[)" + all + "]}"};
}
constexpr auto log_of_recorder = "GET /api/v1/devices/" BEAR "/modules/recorder/logs";
const std::pair<std::string, std::string> device_gone{
    "end", R"({"message":"the device has gone offline","link_lost":true})"};
const std::pair<std::string, std::string> log_over{"end", R"({"message":"the folder is gone"})"};

TEST_F(ModuleCommands, LogsAreFollowedAcrossAnAbsence) {
  const std::string path = log_of_recorder;
  hub().on("GET /api/v1/devices/" BEAR, online);
  hub().on(path, log_stream({log_lines("ab"), device_gone}));
  hub().on(path, R"({"status":503,"code":"unavailable","detail":"the device is offline"})", 503);
  hub().on(path, log_stream({log_lines("xab"), log_lines("c")}));
  hub().on(path, log_stream({log_lines("bc"), log_lines("d"), log_over}));
  const Ran ran = run({"module", "logs", "recorder", "--device", "bear-1", "-f", "-n", "2"});
  EXPECT_EQ(ran.out, "then out a\nthen out b\nthen out c\nthen out d\n");
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err,
            "note: the device has gone offline; going on when it is back\n"
            "note: the connection to the hub was lost; going on when it is back\n"
            "starling: the folder is gone\n");
  EXPECT_THAT(hub().asked().back().line, HasSubstr("?lines=1000&follow=true"));
}

TEST_F(ModuleCommands, AReadingThatHasNotBegunIsAskedForAsBefore) {
  hub().on("GET /api/v1/devices/" BEAR, online);
  hub().on(log_of_recorder, R"({"status":503,"code":"unavailable","detail":"the device is offline"})", 503);
  hub().on(log_of_recorder, log_stream({log_lines("ab"), log_over}));
  const Ran ran = run({"module", "logs", "recorder", "--device", "bear-1", "-f", "-n", "2"});
  EXPECT_EQ(ran.out, "then out a\nthen out b\n");
  EXPECT_EQ(ran.err,
            "note: the device is offline; going on when it is back\n"
            "starling: the folder is gone\n");
  EXPECT_THAT(hub().asked().back().line, HasSubstr("?lines=2&follow=true"));
}

TEST_F(ModuleCommands, WhatWasWrittenWhileAwayIsShownAlsoIfNothingWasBefore) {
  hub().on("GET /api/v1/devices/" BEAR, online);
  hub().on(log_of_recorder, log_stream({device_gone}));
  hub().on(log_of_recorder, log_stream({log_lines("ab"), log_over}));
  const Ran ran = run({"module", "logs", "recorder", "--device", "bear-1", "-f", "-n", "0"});
  EXPECT_EQ(ran.out, "then out a\nthen out b\n");
  EXPECT_THAT(asked(log_of_recorder).line, HasSubstr("?lines=0&follow=true"));
  EXPECT_THAT(hub().asked().back().line, HasSubstr("?lines=1000&follow=true"));
}

TEST_F(ModuleCommands, LogsOfADeviceAreCollected) {
  hub().on("GET /api/v1/devices/" BEAR, online);
  hub().on("POST /api/v1/actions", R"({"id":"a1","targeted":1})");
  hub().on("GET /api/v1/actions/a1",
           R"({"id":"a1","devices":[{"name":"bear-1","state":"done","result":{"logs":{
      "player":"one\ntwo\n","recorder":"three"}}}]})");
  const Ran ran = run({"device", "logs", "bear-1", "--module", "player", "--module", "recorder"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "==> player <==\none\ntwo\n==> recorder <==\nthree\n");
  EXPECT_EQ(body_of("POST").at("parameters"), boost::json::parse(R"({"modules":["player","recorder"]})"));
  EXPECT_EQ(hub().asked().back().line, "GET /api/v1/actions/a1?device=" BEAR);
}

TEST_F(ModuleCommands, AnOfflineDeviceHasItsLogsForItself) {
  hub().on("GET /api/v1/devices/" BEAR, R"({"device_name":"bear-1","status":"offline"})");
  for (const auto& arguments : std::vector<std::vector<std::string>>{
           {"device", "logs", "bear-1"}, {"module", "logs", "recorder", "--device", "bear-1"}}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 1);
    EXPECT_THAT(ran.err, HasSubstr("bear-1 is offline"));
    EXPECT_THAT(ran.err, HasSubstr("starling module show"));
  }
}

TEST_F(ModuleCommands, ADeviceShowsItsModulesInShort) {
  hub().on("GET /api/v1/devices/" BEAR,
           R"({"device_name":"bear-1","pending_edits":2,"sync":{"status":"refused","errors":[],"modules":{
      "errors":[{"key":"modules.player.enabled","message":"exit status 1"}]}},"reported":{"modules":{
      "player":{"state":"crashed"},"recorder":{"state":"idle","pid":4}}}})");
  const Ran ran = run({"device", "show", "bear-1"});
  EXPECT_THAT(ran.out, HasSubstr("player=crashed, recorder=idle\n"));
  EXPECT_THAT(ran.out, ContainsRegex("pending edits +2\n"));
  EXPECT_THAT(ran.out, HasSubstr("modules.player.enabled  exit status 1\n"));
}

}  // namespace
}  // namespace starling::cli
