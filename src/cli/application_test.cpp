#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <filesystem>
#include <fstream>

#include "base/files.hpp"
#include "base/temporary_folder.hpp"
#include "base/uuid.hpp"
#include "cli/application_fixture.hpp"
#include "cli/fake_hub.hpp"

namespace starling::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr auto written = R"({"revision":412,"changed":["x"],"masked":[],"masked_count":0,"targeted":3})";

TEST_F(ApplicationTest, UsageErrorsExitWithTwoAndHelp) {
  const struct {
    std::vector<std::string> arguments;
    std::string_view message;
  } cases[] = {
      {{}, "subcommand is required"},
      {{"devcie"}, "no command 'devcie'; did you mean 'device'?"},
      {{"device", "lsit"}, "did you mean 'list'?"},
      {{"module", "enabel"}, "no command 'enabel'; did you mean 'enable'?\n  See: starling module --help"},
      {{"changes", "shwo", "7"}, "no command 'shwo'; did you mean 'show'?\n  See: starling changes --help"},
      {{"nothing-like-it"}, "no command 'nothing-like-it'\n  See: starling --help"},
      {{"--fleet", "lab", "module", "nothing-like-it"},
       "no command 'nothing-like-it'\n  See: starling module --help"},
      {{"device", "show"}, "starling device show --help"},
      {{"device", "list", "--sync", "lost"}, "--sync"},
      {{"device", "label", "bear-1", "room"}, "neither KEY=VALUE nor KEY-"},
      {{"device", "identify"}, "name a device"},
      {{"settings", "set", "hotword.threshold"}, "KEY=VALUE"},
      {{"settings", "set", "a.b=1", "--on", "x", "--device", "y"}, "excludes"},
      {{"settings", "set", "a.b=1", "--policy", "--persona", "TARS"}, "--persona"},
      {{"settings", "set", "a.b=1", "--device", "y", "--future"}, "--on"},
      {{"settings", "diff", "bear-1"}, "two devices"},
      {{"settings", "diff", "--device", "bear-1", "--from", "3"}, "two devices"},
      {{"key", "create", "alice"}, "--role"},
      {{"key", "create", "alice", "--role", "king"}, "--role"},
      {{"persona", "switch", "TARS", "--wait-timeout", "5"}, "--wait"},
      {{"module", "enable"}, "NAME"},
      {{"module", "restart", "recorder"}, "give --device DEVICE or --on SELECTOR"},
      {{"module", "act", "recorder", "start", "seconds", "--device", "x"}, "KEY=VALUE"},
      {{"module", "logs", "recorder"}, "--device"},
      {{"module", "logs", "recorder", "--device", "x", "-n", "5000"}, "-n"},
      {{"-o", "xml", "device", "list"}, "--output"},
  };
  for (const auto& c : cases) {
    const Ran ran = run(c.arguments);
    EXPECT_EQ(ran.code, 2) << testing::PrintToString(c.arguments) << ran.err;
    EXPECT_THAT(ran.err, HasSubstr(c.message));
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(ApplicationTest, EveryCommandHasHelp) {
  const Ran help = run({"--help"});
  EXPECT_EQ(help.code, 0);
  for (const auto part :
       {"device", "persona", "settings", "STARLING_KEY", "Exit codes", "3  some devices refused"}) {
    EXPECT_THAT(help.out, HasSubstr(part));
  }
  EXPECT_THAT(run({"settings", "diff", "--help"}).out, HasSubstr("starling settings diff bear-1 bear-2"));
  EXPECT_EQ(run({"--version"}).out, "starling " STARLING_VERSION "\n");
  for (const auto shell : {"bash", "zsh", "fish"}) {
    EXPECT_THAT(run({"completion", shell}).out, HasSubstr("switch")) << shell;
  }
}

TEST_F(ApplicationTest, ListsDevicesOverAllPages) {
  hub().on("GET /api/v1/devices",
           R"({"items":[{"device_uuid":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11","device_name":
      "bear-1","status":"online","problems":[],"sync":{"status":"in_sync"},"labels":{"room":"nursery"},"persona":{"desired":"TARS",
      "running":"Jarvis"},"release":{"desired":"v1.1.0","running":"v1.0.0"}}],"next":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11"})");
  hub().on("GET /api/v1/devices",
           R"({"items":[{"device_uuid":"0192f0c1-7a31-7cc0-8a51-3d2b6f0e9a12","device_name":
      "f\u001brog","status":"offline","sync":{"status":"offline"},
      "release":{"desired":null,"running":"v1.1.0"}}],"next":null})");
  const Ran ran = run({"device", "list", "--on", "room=nursery", "--fleet", "lab"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out,
            "NAME      STATUS   SYNC     PROBLEMS  RELEASE          PERSONA        LABELS        LAST SEEN  "
            "VERSION  "
            "ID\n"
            "bear-1    online   in_sync         -  v1.0.0 → v1.1.0  Jarvis → TARS  room=nursery  -          "
            "-        "
            "0192f0c1-7a30\n"
            "f\\x1brog  offline  offline         -  v1.1.0           -              -             -          "
            "-        "
            "0192f0c1-7a31\n");
  const auto asked = hub().asked();
  ASSERT_EQ(asked.size(), 2U);
  EXPECT_EQ(asked[0].line, "GET /api/v1/devices?fleet=lab&selector=room%3Dnursery&limit=1000");
  EXPECT_EQ(asked[0].key, "Bearer sk_test");
  EXPECT_EQ(asked[0].idempotency_key, "");
  EXPECT_THAT(asked[1].line, HasSubstr(std::string("after=") + bear));
}

TEST_F(ApplicationTest, ProblemsAreSeenFirst) {
  hub().on("GET /api/v1/devices", R"({"items":[
      {"device_uuid":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11","device_name":"ape","status":"online",
       "sync":{"status":"in_sync"}},
      {"device_uuid":"0192f0c1-7a31-7cc0-8a51-3d2b6f0e9a12","device_name":"bear","status":"online",
       "sync":{"status":"in_sync"},"problems":["module ear is crashed","board: hot"]},
      {"device_uuid":"0192f0c1-7a32-7cc0-8a51-3d2b6f0e9a13","device_name":"cow","status":"online",
       "sync":{"status":"refused"}}],"next":null})");
  const Ran ran = run({"device", "list", "--problems"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_THAT(ran.out, testing::ContainsRegex("\nbear +online +in_sync +2 .*\ncow .*\nape .*\n$"));
  EXPECT_EQ(ran.err, "note: which problems: starling device show bear\n");
  EXPECT_THAT(hub().asked().back().line, HasSubstr("problems=true"));
  hub().on("GET /api/v1/fleet",
           R"({"fleet":"default","revision":7,"devices":{"total":3,"online":3,"by_sync":{"in_sync":3},
               "with_problems":1}})");
  EXPECT_THAT(run({"fleet", "status"}).out, HasSubstr("on 1 device: starling device list --problems\n"));
}

TEST_F(ApplicationTest, JsonOutputIsTheApisOwn) {
  hub().on("GET /api/v1/fleet",
           R"({"fleet":"default","revision":7,"devices":{"total":0,"online":0,"by_sync":{}}})");
  const Ran ran = run({"fleet", "status", "-o", "json"});
  EXPECT_EQ(boost::json::parse(ran.out).at("revision"), Json(7));
  EXPECT_EQ(ran.err, "");
}

TEST_F(ApplicationTest, WritesCarryTargetReasonAndIdempotencyKey) {
  hub().on(
      "GET /api/v1/devices",
      R"({"items":[{"device_uuid":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11","device_name":"bear-1"}],"next":null})");
  hub().on("GET /api/v1/components", R"({"items":[{"x-component":"hotword","properties":{"threshold":
      {"type":"number","x-alias":"HOTWORD_THRESHOLD"},"phrase":{"type":"string"}}}],"next":null})");
  hub().on("PUT /api/v1/settings", R"({"revision":412,"changed":["hotword.threshold"],"masked":[{"key":
      "hotword.threshold","device":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11","device_name":"bear-1","layer":"policy"}],
      "masked_count":1,"targeted":1})");
  const Ran ran =
      run({"settings", "set", "HOTWORD_THRESHOLD=0.6", "hotword.phrase=12", "--device", "bear-1", "--policy",
           "--expect", "hotword.threshold=0.5", "--expect", "hotword.phrase=null", "--reason", "case 71"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "revision 412: set hotword.threshold = 0.6, hotword.phrase = 12 on bear-1 (1 device)\n");
  EXPECT_THAT(ran.err, HasSubstr("1 written value not in force"));
  EXPECT_THAT(ran.err, HasSubstr("bear-1  hotword.threshold  policy"));
  EXPECT_THAT(ran.err, HasSubstr("'starling settings unset hotword.threshold --policy' takes the first"));
  const auto put = hub().asked().back();
  EXPECT_EQ(boost::json::parse(put.body), boost::json::parse(R"({
      "values":{"hotword.threshold":0.6,"hotword.phrase":"12"},
      "expected":{"hotword.threshold":0.5,"hotword.phrase":null},
      "target":{"device":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11","policy":true},"reason":"case 71"})"));
  EXPECT_TRUE(is_uuid(put.idempotency_key)) << put.idempotency_key;
}

TEST_F(ApplicationTest, ConflictsShowBothValues) {
  hub().on("GET /api/v1/components",
           R"({"items":[{"x-component":"a","properties":{"b":{"type":"number"}}}]})");
  hub().on("PUT /api/v1/settings", R"({"type":"about:blank","title":"Conflict","status":409,"code":"conflict",
      "detail":"somebody was faster","conflicts":[{"key":"a.b","expected":0.5,"actual":0.7}]})",
           409);
  const Ran ran = run({"settings", "set", "a.b=1", "--expect", "a.b=0.5"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "starling: somebody was faster\n  a.b: you expected 0.5, it is 0.7\n");
}

TEST_F(ApplicationTest, WaitingEndsByWhatTheDevicesSay) {
  const struct {
    std::string_view progress;
    int code;
    std::string_view said;
  } cases[] = {
      {R"({"revision":412,"targeted":3,"applied":3,"pending":0,"refused":0,"offline":0,"devices":[]})", 0,
       "revision 412 applied by 3 of 3 devices\n"},
      {R"({"revision":412,"targeted":3,"applied":2,"pending":0,"refused":1,"offline":0,"devices":[{"device":"u",
         "name":"bear-1","state":"refused","errors":[{"key":"hotword.models","message":"no such file"}]}]})",
       3, "bear-1  hotword.models  no such file\n"},
      {R"({"revision":412,"targeted":3,"applied":2,"pending":0,"refused":0,"offline":1,"devices":[{"device":"u",
         "name":"frog","state":"offline","errors":[]}]})",
       4, "offline, will get it when back: frog\n"},
      {R"({"revision":412,"targeted":3,"applied":2,"pending":0,"refused":0,"offline":0,"cannot_answer":1,"devices":[{
         "device":"u","name":"owl","state":"cannot_answer"}]})",
       0, "told, but of a kind that never answers: owl\n"},
      {R"({"revision":412,"targeted":3,"applied":2,"pending":1,"refused":0,"offline":0,"devices":[{"device":"u",
         "name":"owl","state":"pending","errors":[]}]})",
       4, "not done yet: owl\n"},
  };
  for (const auto& c : cases) {
    FakeHub fake;
    environment_["STARLING_HUB"] = fake.address();
    fake.on("POST /api/v1/personas/TARS/switch", written);
    fake.on("GET /api/v1/changes/412/progress",
            R"({"revision":412,"targeted":3,"applied":0,"pending":3,"refused":0,"offline":0,"devices":[]})");
    fake.on("GET /api/v1/changes/412/progress", c.progress);
    const Ran ran =
        run({"persona", "switch", "TARS", "--on", "room=nursery", "--wait", "--wait-timeout", "1"});
    EXPECT_EQ(ran.code, c.code) << ran.out << ran.err;
    EXPECT_THAT(ran.out, HasSubstr("revision 412: switched room=nursery to TARS (3 devices)\n"));
    EXPECT_THAT(ran.out, HasSubstr(c.said));
  }
}

TEST_F(ApplicationTest, NothingToChangeIsSaidAndNotWaitedFor) {
  hub().on("POST /api/v1/personas/none/switch",
           R"({"revision":null,"changed":[],"masked":[],"masked_count":0,"targeted":3})");
  const Ran ran = run({"persona", "switch", "none", "--wait"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ran.out, "nothing to change: it is that way already\n");
}

TEST_F(ApplicationTest, TakingAwayIsNotForThoseWhoMatch) {
  hub().on("GET /api/v1/devices", R"({"items":[],"next":null})");
  hub().on("GET /api/v1/components",
           R"({"items":[{"x-component":"a","properties":{"b":{"type":"number"}}}]})");
  hub().on("PUT /api/v1/settings", R"({"revision":412,"targeted":0})");
  hub().on("POST /api/v1/personas/none/switch", R"({"revision":413,"targeted":0})");
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"settings", "unset", "a.b", "--on", "room=old"},
                                             {"persona", "switch", "none", "--on", "room=old"}}) {
    const Ran ran = run(arguments);
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_THAT(hub().asked().back().body, HasSubstr(R"("selector":"room=old")"));
  }
  const Ran set = run({"settings", "set", "a.b=1", "--on", "room=old"});
  EXPECT_EQ(set.code, 1);
  EXPECT_THAT(set.err, HasSubstr("no device matches 'room=old'"));
}

TEST_F(ApplicationTest, AnUnknownPersonaIsSuggested) {
  hub().on("POST /api/v1/personas/TRAS/switch",
           R"({"status":404,"code":"not_found","detail":"no persona is called 'TRAS'"})", 404);
  hub().on("GET /api/v1/personas", R"({"items":[{"name":"Jarvis"},{"name":"TARS"}],"next":null})");
  EXPECT_EQ(run({"persona", "switch", "TRAS"}).err,
            "starling: no persona is called 'TRAS'\n  'starling persona list' shows them all.\n"
            "  Did you mean 'TARS'?\n");
}

TEST_F(ApplicationTest, ImportsPersonasFromTheInput) {
  hub().on("POST /api/v1/personas/import", written);
  const Ran ran = run({"persona", "import", "-", "--reason", "toys"}, R"({"TARS":{"voice_id":"v"}})");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(hub().asked().back().line, "POST /api/v1/personas/import?reason=toys");
  EXPECT_EQ(hub().asked().back().body, R"({"TARS":{"voice_id":"v"}})");
  EXPECT_THAT(run({"persona", "import", "-"}, "[1]").err,
              HasSubstr("standard input: a JSON object is needed"));
  EXPECT_THAT(run({"persona", "import", "-"}, "{").err, HasSubstr("standard input: "));
  EXPECT_THAT(run({"persona", "import", "/nowhere/p.json"}).err, HasSubstr("/nowhere/p.json"));
}

TEST_F(ApplicationTest, ANewKeyIsAloneOnTheOutput) {
  hub().on("POST /api/v1/keys", R"({"id":"7f3","key":"ek_7f3_secret"})", 201);
  const Ran ran = run({"key", "create", "factory", "--enrolment", "--on", "room=lab", "--expires-days", "3"});
  EXPECT_EQ(ran.out, "ek_7f3_secret\n");
  EXPECT_THAT(ran.err, HasSubstr("only time"));
  EXPECT_EQ(hub().asked().back().body,
            R"({"name":"factory","kind":"enrolment","selector":"room=lab","expires_in_days":3})");
}

TEST_F(ApplicationTest, ANewKeyGoesToANewFileThatOnlyItsOwnerCanRead) {
  hub().on("POST /api/v1/keys", R"({"id":"7f3","key":"ek_7f3_secret"})", 201);
  hub().on("POST /api/v1/keys/7f3/rotate", R"({"id":"7f3","key":"ek_7f3_other"})");
  const TemporaryFolder folder;
  const std::string file = (folder / "a.key").string(), other = (folder / "b.key").string();
  const Ran ran = run({"key", "create", "factory", "--enrolment", "--to", file});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr(file));
  EXPECT_EQ(read_file(file, 100).value_or(""), "ek_7f3_secret\n");
  EXPECT_EQ(std::filesystem::status(file).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const Ran json = run({"-o", "json", "key", "rotate", "7f3", "--to", other});
  EXPECT_THAT(json.out, Not(HasSubstr("ek_7f3_other")));
  EXPECT_EQ(read_file(other, 100).value_or(""), "ek_7f3_other\n");

  const std::size_t asked = hub().asked().size();
  const Ran again = run({"key", "create", "factory", "--enrolment", "--to", file});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.err, HasSubstr("exists"));
  EXPECT_EQ(hub().asked().size(), asked) << "no key is made that nobody gets";
  const Ran nowhere = run({"key", "create", "factory", "--enrolment", "--to", file + "/c.key"});
  EXPECT_EQ(nowhere.code, 1);
  EXPECT_EQ(nowhere.out, "");
  EXPECT_EQ(hub().asked().size(), asked);
}

TEST_F(ApplicationTest, RefusalsSayWhatToDo) {
  const struct {
    int status;
    std::string_view problem, said;
  } cases[] = {
      {401, R"({"status":401,"code":"unauthenticated","detail":"no such key"})", "does not take this key"},
      {403, R"({"status":403,"code":"permission_denied","detail":"this needs operator"})",
       "starling key create"},
      {404, R"({"status":404,"code":"not_found","detail":"no persona is called 'X'"})",
       "no persona is called 'X'\n  'starling persona list' shows them all."},
      {404,
       R"({"status":404,"code":"not_found","detail":"no group is called 'X'","pointer":"/target/group"})",
       "no group is called 'X' (at /target/group)\n  'starling group list' shows them all."},
      {422, R"({"status":422,"code":"invalid_argument","detail":"too high","pointer":"/values/a.b"})",
       "too high (at /values/a.b)"},
      {429, R"({"status":429,"code":"rate_limited","detail":"too many requests"})", "Try again"},
      {500, R"({"detail":"\u001b[31moops"})", "\\x1b[31moops"},
      {502, "<html>bad gateway</html>", "not as a Starling hub"},
      {200, "[]", "not as a Starling hub"},
  };
  for (const auto& c : cases) {
    FakeHub fake;
    environment_["STARLING_HUB"] = fake.address();
    environment_["STARLING_KEY"] = "sk_wrong";
    fake.on("GET /api/v1/fleet", c.problem, c.status);
    const Ran ran = run({"fleet", "status"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.out, "");
    EXPECT_THAT(ran.err, HasSubstr(c.said));
    EXPECT_THAT(ran.err, Not(HasSubstr("\x1b")));
    EXPECT_THAT(ran.err, Not(HasSubstr("sk_wrong")));
  }
}

TEST_F(ApplicationTest, WithoutAKeyTheHintSaysWhereItIs) {
  hub().on("GET /api/v1/fleet", R"({"status":401,"code":"unauthenticated","detail":"no key was sent"})", 401);
  environment_.erase("STARLING_KEY");
  const Ran ran = run({"fleet", "status"});
  EXPECT_THAT(ran.err, HasSubstr("Set STARLING_KEY"));
  EXPECT_THAT(ran.err, HasSubstr("admin.key"));
  EXPECT_EQ(hub().asked().back().key, "");
}

TEST_F(ApplicationTest, TheKeyMayBeInAFile) {
  hub().on("GET /api/v1/fleet", "{}");
  const auto file = std::filesystem::temp_directory_path() / ("starling_key_" + make_uuid_v4());
  std::ofstream(file) << "  sk_from_file\n";
  EXPECT_EQ(run({"fleet", "status", "--key-file", file.string()}).code, 0);
  EXPECT_EQ(hub().asked().back().key, "Bearer sk_from_file");
  std::filesystem::permissions(file, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
  EXPECT_THAT(run({"fleet", "status", "--key-file", file.string()}).err, HasSubstr("chmod 600"));
  std::ofstream(file, std::ios::trunc) << "\n";
  EXPECT_THAT(run({"fleet", "status", "--key-file", file.string()}).err, HasSubstr("is empty"));
  std::filesystem::remove(file);
  EXPECT_THAT(run({"fleet", "status", "--key-file", file.string()}).err, HasSubstr(file.string()));
}

TEST_F(ApplicationTest, AHubThatIsNotThereIsNamed) {
  boost::asio::io_context io;
  boost::asio::ip::tcp::acceptor taken(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  const std::string address = "http://127.0.0.1:" + std::to_string(taken.local_endpoint().port());
  taken.close();
  const Ran ran = run({"--hub", address, "fleet", "status"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_THAT(ran.err, HasSubstr("cannot reach the hub at " + address));
  EXPECT_THAT(ran.err, HasSubstr("STARLING_HUB"));
  EXPECT_THAT(run({"--hub", "ftp://x", "fleet", "status"}).err,
              HasSubstr("'ftp://x' is no address of a hub"));
}

TEST_F(ApplicationTest, DeviceNamesThatLookLikeCommandsAreNames) {
  hub().on(
      "GET /api/v1/devices",
      R"({"items":[{"device_uuid":"0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11","device_name":"list"}],"next":null})");
  hub().on("GET /api/v1/devices/0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11", R"({"device_name":"list"})");
  EXPECT_THAT(run({"device", "show", "list"}).out, HasSubstr("name"));
}

}  // namespace
}  // namespace starling::cli
