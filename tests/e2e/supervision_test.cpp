// What a device does with its modules when things go wrong: real processes, a real keeper, no hub.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "base/build_folders.hpp"
#include "e2e/keeper_wire.hpp"
#include "e2e/supervised_device.hpp"

namespace starling::e2e {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::IsEmpty;

const fs::path test_modules = source_folder() / "tests/modules";

class Supervision : public testing::Test {
 protected:
  static std::string shell(std::string_view script) {
    return "exec = \"/bin/sh\"\nready_after = \"50ms\"\nargs = [\"-c\", '''" + std::string(script) + "''']\n";
  }
  void sleeper(std::string_view name, bool enabled = true, std::string_view more = "") {
    device.write_module(name, shell("exec sleep 1000") + std::string(more), enabled);
  }
  void kill_agent() {
    const pid_t former = device.agent();
    ::kill(former, SIGKILL);
    eventually("another agent to answer", [&] {
      return device.ctl({"module", "list"}).status == 0 && device.agent() != former;
    });
  }
  std::string config(const std::string& module) const {
    return read_text(device.modules() / module / "config.txt");
  }
  std::string journal() const { return device.ctl({"journal"}).output; }

  SupervisedDevice device;
};

// ---- the agent and the keeper end

TEST_F(Supervision, ModulesOutliveTheAgent) {
  sleeper("one");
  sleeper("two");
  device.start();
  const pid_t one = device.await_ready("one"), two = device.await_ready("two");
  kill_agent();
  EXPECT_EQ(device.await_ready("one"), one);
  EXPECT_EQ(device.await_ready("two"), two);
  EXPECT_THAT(journal(), AllOf(HasSubstr("one: disabled -> starting (adopted)"),
                               testing::Not(HasSubstr("two: disabled -> starting (boot)"))));
}

TEST(AgentThatHangs, IsEndedByTheKeeperAndItsModulesLiveOn) {
  SupervisedDevice device({"--watchdog", "5"});
  device.write_module("one", "exec = \"/bin/sleep\"\nargs = [\"1000\"]\nready_after = \"20ms\"\n", true);
  device.start();
  const pid_t module = device.await_ready("one");
  const pid_t first = device.agent();
  ::kill(first, SIGSTOP);
  eventually("the end of the agent", [&] { return kill(first, 0) != 0; });
  eventually("the next one", [&] { return device.ctl({"module", "list"}).status == 0; });
  EXPECT_EQ(device.await_ready("one"), module);
  EXPECT_THAT(device.log(), HasSubstr("the agent hangs and is ended"));
}

TEST_F(Supervision, NothingThatAModuleSaysOrHowItEndsIsLostWhileTheAgentIsAway) {
  const fs::path pid_file = device.state() / "victim";
  device.write_module("witness", shell("read victim < " + pid_file.string() +
                                       "; kill -9 $victim; echo last words; echo and more >&2; exit 7"));
  device.start();
  device.ctl({"module", "list"});
  write_text(pid_file, std::to_string(device.agent()) + "\n");
  // Its command is not answered: the module ends the agent that should.
  EXPECT_NE(device.ctl({"module", "start", "witness"}).status, 0);
  eventually("the next agent to know how it ended", [&] {
    const Finished shown = device.ctl({"-o", "json", "module", "show", "witness"});
    return shown.status == 0 && shown.output.find("exited with status 7") != std::string::npos;
  });
  EXPECT_THAT(device.ctl({"module", "logs", "witness"}).output,
              AllOf(HasSubstr("out last words"), HasSubstr("err and more")));
}

TEST_F(Supervision, AfterTheKeeperEverythingComesBack) {
  sleeper("enabled");
  sleeper("started", false);
  device.start();
  const pid_t first = device.await_ready("enabled");
  device.command("start", "started");
  const pid_t second = device.await_ready("started");
  device.keeper().signal(SIGKILL);
  device.keeper().wait();
  device.start();
  EXPECT_NE(device.await_ready("enabled", first), first);
  EXPECT_NE(device.await_ready("started", second), second);
  EXPECT_THAT(journal(), HasSubstr("started: disabled -> starting (recovery)"));
  EXPECT_EQ(device.module_processes().size(), 2u);
  EXPECT_FALSE(process_is_alive(first)) << "nothing of the former keeper's lives";
  eventually("running_modules.json to say that the start of one is all that differs",
             [&] { return fs::exists(device.state() / "running_modules.json"); });
  device.command("stop", "started");
}

TEST_F(Supervision, AfterTheKeeperWhatNobodyWantsAnyMoreIsEndedToo) {
  const std::string deaf = shell("trap '' TERM; sleep 1000") + "stop_timeout = \"60s\"\n";
  device.write_module("stopped", deaf, true);
  device.write_module("removed", deaf, true);
  device.start();
  device.await_ready("stopped");
  device.await_ready("removed");
  const std::vector<pid_t> all = device.module_processes();
  EXPECT_EQ(all.size(), 4u) << "two shells and what each waits for";
  Process stop({.program = "starling-agent",
                .arguments = {"ctl", "--state", device.state().string(), "module", "disable", "stopped"},
                .environment = {},
                .output = device.state() / "stop.log"});
  device.await_state("stopped", "stopping");
  device.keeper().signal(SIGKILL);
  device.keeper().wait();
  stop.wait();
  fs::rename(device.modules() / "removed", device.state() / "removed");
  EXPECT_THAT(all, testing::Each(testing::Truly(process_is_alive)));
  device.start();
  eventually("nothing of them to live", [&] { return std::ranges::none_of(all, process_is_alive); });
}

TEST_F(Supervision, StoppingTheKeeperStopsEverything) {
  sleeper("one");
  device.install(test_modules / "forking", "forking");
  device.start();
  const pid_t one = device.await_ready("one");
  device.command("start", "forking");
  const std::vector<pid_t> all = device.module_processes();
  EXPECT_EQ(all.size(), 5u) << "a sleeper, a parent and its three grandchildren";
  device.keeper().signal(SIGTERM);
  EXPECT_EQ(device.keeper().wait(), 0) << device.log();
  for (const pid_t pid : all)
    EXPECT_NE(::kill(pid, 0), 0) << pid;
  EXPECT_NE(::kill(one, 0), 0);
}

// ---- enabling

TEST_F(Supervision, AnEnableThatFailsIsTakenBack) {
  device.write_module("missing", "exec = \"nothing-here\"\n");
  device.install(test_modules / "crashing", "crashing");
  device.start();
  const Finished missing = device.ctl({"module", "enable", "missing"});
  EXPECT_EQ(missing.status, 1);
  EXPECT_THAT(missing.output, AllOf(HasSubstr("disabled again"), HasSubstr("nothing-here")));
  const Finished crashing = device.ctl({"module", "enable", "crashing"});
  EXPECT_EQ(crashing.status, 1);
  EXPECT_THAT(crashing.output, HasSubstr("exited with status 1"));
  const auto expect_told = [&] {
    for (const char* name : {"missing", "crashing"}) {
      EXPECT_EQ(device.show(name).at("enabled"), Json(false));
      EXPECT_TRUE(device.show(name).contains("quarantine"));
      EXPECT_EQ(config(name), "enabled = false\n");
    }
    EXPECT_THAT(device.module_processes(), IsEmpty());
    EXPECT_EQ(device.show("crashing").at("last_death").at("last_lines").as_array().size(), 1u)
        << "those of the last of three attempts";
  };
  const auto three_deaths = [&] { return device.show("crashing").at("deaths") == Json(3); };
  expect_told();
  eventually("its deaths to be counted", three_deaths);
  kill_agent();
  expect_told();
  EXPECT_TRUE(three_deaths());
}

TEST_F(Supervision, WhatIsEnabledIsMirroredAndAnEditOfTheMirrorIsAToggle) {
  sleeper("module", false);
  device.start();
  device.command("enable", "module");
  eventually("config.txt to follow", [&] { return config("module") == "enabled = true\n"; });
  write_text(device.modules() / "module/config.txt", "# mine\nenabled = false\nrate = 3\n");
  device.await_state("module", "disabled");
  device.keeper().signal(SIGTERM);
  device.keeper().wait();
  write_text(device.modules() / "module/config.txt", "# mine\nenabled = true\nrate = 3\n");
  device.start();
  device.await_ready("module");
  device.command("disable", "module");
  eventually("config.txt to follow",
             [&] { return config("module") == "# mine\nenabled = false\nrate = 3\n"; });
}

// ---- trees, watchdogs, order

TEST_F(Supervision, NothingOfATreeIsLeft) {
  device.install(test_modules / "forking", "forking");
  device.start();
  device.command("start", "forking");
  EXPECT_EQ(device.module_processes().size(), 4u);
  device.command("stop", "forking");
  EXPECT_THAT(device.module_processes(), IsEmpty());
}

TEST_F(Supervision, WhatKeepsNothingButItsLogIsEndedWithoutCgroupsToo) {
  const auto await_child = [&](pid_t module) {
    eventually("it to have started its child", [&] {
      const std::string said = device.ctl({"module", "logs", "shy"}).output;
      return said.find("left by " + std::to_string(module) + "\n") != std::string::npos;
    });
  };
  device.write_module("shy",
                      shell("env -i setsid sh -c \"setsid env -i sleep 1000 & exit\"; echo left by $$; "
                            "exec sleep 1000"),
                      true);
  device.start(SupervisedDevice::without_cgroups());
  const pid_t first = device.await_ready("shy");
  await_child(first);
  const std::vector<pid_t> former = device.module_processes();
  EXPECT_EQ(former.size(), 2u);
  kill_agent();
  EXPECT_EQ(device.await_ready("shy"), first);
  ::kill(first, SIGKILL);
  await_child(device.await_ready("shy", first));
  for (const pid_t process : former)
    EXPECT_FALSE(process_is_alive(process));
  device.command("disable", "shy");
  device.await_state("shy", "disabled");
  EXPECT_THAT(device.module_processes(), IsEmpty());
}

TEST_F(Supervision, AModuleThatHangsIsEndedByItsWatchdogAndComesBack) {
  device.install(test_modules / "hanging", "hanging");
  device.start();
  device.command("start", "hanging");
  const pid_t first = device.await_ready("hanging");
  device.await_ready("hanging", first);
  const JsonObject shown = device.show("hanging");
  EXPECT_EQ(shown.at("last_death").at("class"), Json("watchdog")) << boost::json::serialize(shown);
  device.command("stop", "hanging");
  EXPECT_THAT(device.module_processes(), IsEmpty()) << "it hears no SIGTERM";
}

TEST_F(Supervision, StartsInOrderAndRefusesCycles) {
  sleeper("database");
  sleeper("server", true, "requires = [\"database\"]\n");
  sleeper("a", true, "after = [\"b\"]\n");
  sleeper("b", true, "after = [\"a\"]\n");
  device.start();
  device.await_ready("server");
  const std::string text = journal();
  EXPECT_LT(text.find("database: starting -> idle"), text.find("server: disabled -> starting"));
  EXPECT_THAT(boost::json::serialize(device.show("a")), HasSubstr("a -> b -> a"));
  device.command("stop", "database");
  device.await_state("server", "disabled");
  device.command("start", "database");
  device.await_ready("server");
}

// ---- settings

TEST_F(Supervision, OnlyThoseThatUseASettingHearOfIt) {
  sleeper("listener", true, "uses = [\"hotword\"]\non_change = \"restart\"\n");
  sleeper("stranger", true, "uses = [\"audio\"]\non_change = \"restart\"\n");
  device.write_module("rendered",
                      shell("trap 'cat x.conf' HUP; while :; do sleep 0.1; done") +
                          "uses = [\"hotword\"]\non_change = \"signal\"\n"
                          "render = [{ template = \"x.in\", file = \"x.conf\" }]\n",
                      true);
  write_text(device.modules() / "rendered/x.in", "threshold {{hotword.threshold}}\n");
  device.start();
  const pid_t listener = device.await_ready("listener"), stranger = device.await_ready("stranger");
  device.await_ready("rendered");
  EXPECT_EQ(read_text(device.modules() / "rendered/x.conf"), "threshold 0.5\n");
  write_text(device.state() / "config_override.json", R"({"HOTWORD_THRESHOLD": 0.75})");
  device.await_ready("listener", listener);
  EXPECT_EQ(device.await_ready("stranger"), stranger);
  eventually("the file to be made anew and the module told", [&] {
    return device.ctl({"module", "logs", "rendered"}).output.find("out threshold 0.75") != std::string::npos;
  });
}

// ---- bad input: a clear error on that module, the others untouched

struct BadManifest {
  const char* name;
  const char* text;
  const char* says;
};

TEST_F(Supervision, BrokenManifestsAreErrorsOfTheirModules) {
  const BadManifest broken[] = {
      {"no_toml", "exec = [", "module.toml"},
      {"no_exec", "args = []", "exec"},
      {"wrong_type", "exec = 5", "exec"},
      {"unknown_field", "exec = \"/bin/true\"\ncolour = 1", "colour"},
      {"forking_daemon", "exec = \"/bin/true\"\nreadiness = \"forking\"", "foreground"},
      {"no_unit", "exec = \"/bin/true\"\nstart_timeout = \"30\"", "start_timeout"},
      {"no_user", "exec = \"/bin/true\"\n[limits]\nuser = \"nobody-here\"", "nobody-here"},
      {"no_signal", "exec = \"/bin/true\"\nstop_signal = \"SIGNOTHING\"", "stop_signal"},
      {"no_template",
       "exec = \"/bin/sleep\"\nargs = [\"100\"]\nrender = [{ template = \"none.in\", file = \"x\" }]",
       "none.in"},
  };
  sleeper("good");
  for (const BadManifest& one : broken)
    device.write_module(one.name, one.text);
  fs::create_directories(device.modules() / "Not A Name");
  device.start();
  const pid_t good = device.await_ready("good");
  for (const BadManifest& one : broken) {
    const Finished refused = device.ctl({"module", "enable", one.name});
    EXPECT_EQ(refused.status, 1) << one.name;
    EXPECT_THAT(refused.output, HasSubstr(one.says)) << one.name;
  }
  EXPECT_EQ(device.await_ready("good"), good);
  // Mended while the agent runs.
  device.write_module("no_exec", shell("exec sleep 1000"));
  eventually("the mended manifest to be read", [&] {
    return device.ctl({"module", "enable", "no_exec"}).status == 0;
  });
}

TEST_F(Supervision, AFloodOfOneModuleHarmsNoOther) {
  sleeper("good");
  device.install(test_modules / "chatty", "notifies");
  device.install(test_modules / "chatty", "writes", {{R"("notify", "10000")", R"("line", "1000000000")"}});
  device.install(test_modules / "wrong_protocol", "wrong");
  device.start();
  const pid_t good = device.await_ready("good");
  for (const char* name : {"notifies", "writes", "wrong"})
    device.command("start", name);
  eventually("the long line to end", [&] {
    return device.ctl({"module", "logs", "writes"}).output.find("the line is over") != std::string::npos;
  });
  EXPECT_THAT(device.ctl({"module", "logs", "writes"}).output, HasSubstr("note"));
  eventually("the flood to be a problem of who floods", [&] {
    const JsonObject shown = device.show("notifies");
    const Json* problem = shown.if_contains("problem");
    return problem != nullptr && problem->as_string().find("messages a second") != JsonString::npos;
  });
  EXPECT_EQ(device.await_ready("good"), good);
  std::uintmax_t written = 0;
  for (const auto& entry : fs::directory_iterator(device.state() / "logs"))
    written += entry.file_size();
  EXPECT_LT(written, 32u << 20);
}

struct WrongWay {
  const char* way;
  const char* problem;
};

TEST_F(Supervision, WhoSpeaksTheModuleProtocolWronglyIsToldSoAndNobodyElse) {
  const WrongWay ways[] = {{"garbage", "invalid JSON"},
                           {"binary", "invalid JSON"},
                           {"first", "the first line must be hello"},
                           {"twice", "hello comes once, first"},
                           {"long", "a line is longer than"},
                           {"unknown", "unknown message type 'sing'"},
                           {"answers", "it has not been asked"},
                           {"state", "'dancing' is no state"},
                           {"silent", "no hello came in time"}};
  sleeper("good");
  for (const WrongWay& one : ways) {
    const std::string args = "args = [\"" + std::string(one.way) + "\", \"" + one.way + "\"]";
    device.install(test_modules / "wrong_protocol", one.way, {{"args = [\"garbage\"]", args}});
  }
  device.start();
  const pid_t good = device.await_ready("good");
  const Json before = device.show("good").at("epoch");
  for (const WrongWay& one : ways)
    device.command("start", one.way);
  for (const WrongWay& one : ways) {
    eventually(std::string("the problem of ") + one.way,
               [&] { return device.show(one.way).contains("problem"); });
    EXPECT_THAT(std::string(device.show(one.way).at("problem").as_string()), HasSubstr(one.problem))
        << one.way;
    EXPECT_EQ(device.state_of(one.way), "idle");
  }
  EXPECT_THAT(device.ctl({"module", "list"}).output, HasSubstr("'dancing' is no state"));
  EXPECT_EQ(device.await_ready("good"), good);
  EXPECT_EQ(device.show("good").at("epoch"), before);
  EXPECT_FALSE(device.show("good").contains("problem"));
}

TEST_F(Supervision, GarbageInItsOwnFilesIsToldAndOutlived) {
  sleeper("module");
  fs::create_directories(device.state());
  write_text(device.state() / "running_modules.json", "garbage{");
  write_text(device.state() / "mirrored_modules.json", "[1");
  write_text(device.state() / "module_edits.json", "\x01\x02");
  sleeper("confused");
  write_text(device.modules() / "confused/config.txt", "enabled = perhaps\n");
  device.start();
  device.await_ready("module");
  EXPECT_THAT(device.log(), HasSubstr("perhaps"));
  EXPECT_EQ(device.state_of("confused"), "disabled");
  EXPECT_THAT(device.log(), HasSubstr("running_modules.json cannot be used"));
}

TEST_F(Supervision, AProgramThatCannotBeExecutedSaysWhatToDo) {
  const struct {
    const char* name;
    const char* exec;
    const char* says;
  } cases[] = {{"bare", "sh", "PATH is not searched"},
               {"arguments", "/bin/sleep 1000", "belongs into args"},
               {"unmarked", "run", "chmod +x "},
               {"windows", "run", "end as on Windows"}};
  for (const auto& one : cases)
    device.write_module(one.name, "exec = \"" + std::string(one.exec) + "\"\n");
  write_text(device.modules() / "unmarked/run", "#!/bin/sh\n");
  write_text(device.modules() / "windows/run", "#!/bin/sh\r\nexec sleep 1000\r\n", 0755);
  device.start();
  for (const auto& one : cases) {
    const Finished refused = device.ctl({"module", "enable", one.name});
    EXPECT_EQ(refused.status, 1) << one.name;
    EXPECT_THAT(refused.output, HasSubstr(one.says)) << one.name;
  }
}

TEST_F(Supervision, TheFolderOfAllModulesMayComeLater) {
  fs::remove(device.modules());
  device.start();
  EXPECT_THAT(device.log(), HasSubstr("the folder of modules is not there"));
  fs::create_directory(device.modules());
  sleeper("late", true);
  eventually("it to be seen", [&] { return device.ctl({"module", "show", "late"}).status == 0; });
  device.await_ready("late");
}

TEST_F(Supervision, AModuleThatComesOrGoesWhileTheAgentRuns) {
  device.start();
  sleeper("late", false);
  eventually("it to be seen", [&] { return device.ctl({"module", "show", "late"}).status == 0; });
  device.command("enable", "late");
  fs::create_directories(device.modules() / "Not A Name");
  eventually("what cannot be a module to be shown", [&] {
    return device.ctl({"module", "list"}).output.find("rename it") != std::string::npos;
  });
  fs::remove_all(device.modules() / "late");
  eventually("it to be missed", [&] {
    const auto shown = device.ctl({"module", "show", "late"});
    return shown.output.find("its folder is gone") != std::string::npos && device.module_processes().empty();
  });
  EXPECT_EQ(device.ctl({"module", "start", "late"}).status, 1);
  device.command("disable", "late");
  eventually("nobody to miss it", [&] { return device.ctl({"module", "show", "late"}).status == 1; });
}

}  // namespace
}  // namespace starling::e2e
