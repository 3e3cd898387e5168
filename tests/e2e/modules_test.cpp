// Modules of devices, from the operator's command line to the process and back: a real hub, keepers, agents.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <map>

#include "base/build_folders.hpp"
#include "e2e/fleet.hpp"
#include "e2e/supervised_device.hpp"

namespace starling::e2e {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class FleetModules : public testing::Test {
 protected:
  FleetModules() { hub.start(); }

  SupervisedDevice& add(const std::string& name, const std::string& room) {
    auto device = std::make_unique<SupervisedDevice>(
        std::vector<std::string>{"--key", hub.make_enrolment_key(), "--name", name, "--label",
                                 "room=" + room},
        hub.url());
    device->install(source_folder() / "examples/modules/recorder", "recorder");
    write_text(device->modules() / "recorder/config.txt", "enabled = false\n");
    fs::create_directories(device->modules() / "recorder/recordings");
    device->write_module("broken", "exec = \"nothing-here\"\n");
    device->start();
    eventually(name + " to be connected", [&] {
      return hub.command({"device", "show", name}).output.find("recorder") != std::string::npos;
    });
    return *devices.emplace(name, std::move(device)).first->second;
  }
  std::string starling(std::vector<std::string> words, int status = 0) {
    const Finished done = hub.command(std::move(words));
    EXPECT_EQ(done.status, status) << done.output;
    return done.output;
  }

  static int offers(const SupervisedDevice& device) {
    const std::string log = device.log();
    int count = 0;
    for (auto at = log.find("modules section applied"); at != std::string::npos;
         at = log.find("modules section applied", at + 1))
      ++count;
    return count;
  }

  TemporaryFolder folder;
  HubProcess hub{folder.path()};
  std::map<std::string, std::unique_ptr<SupervisedDevice>> devices;
};

TEST_F(FleetModules, AreEnabledForASelectorAndDoAsAsked) {
  SupervisedDevice& lab = add("lab-1", "lab");
  SupervisedDevice& kitchen = add("kitchen", "kitchen");
  EXPECT_THAT(starling({"module", "enable", "recorder", "--on", "room=lab", "--wait"}), HasSubstr("1 of 1"));
  EXPECT_EQ(lab.state_of("recorder"), "idle");
  EXPECT_EQ(kitchen.state_of("recorder"), "disabled");
  eventually("config.txt to follow",
             [&] { return read_text(lab.modules() / "recorder/config.txt") == "enabled = true\n"; });

  EXPECT_EQ(offers(lab), 1) << "each section is told once";

  starling({"module", "act", "recorder", "start", "--device", "lab-1", "--wait"});
  lab.await_state("recorder", "recording");
  eventually("the hub to know", [&] {
    return hub.command({"module", "show", "recorder", "--device", "lab-1"}).output.find("recording") !=
           std::string::npos;
  });
  const pid_t former = lab.await_ready("recorder");
  starling({"module", "restart", "recorder", "--device", "lab-1", "--wait"});
  EXPECT_NE(lab.await_ready("recorder", former), former);
  for (const auto& [command, state] : {std::pair("stop", "disabled"), std::pair("start", "idle")}) {
    starling({"module", command, "recorder", "--device", "lab-1", "--wait"});
    EXPECT_THAT(starling({"module", "show", "recorder", "--device", "lab-1"}), HasSubstr(state)) << "at once";
  }
  starling({"module", "enable", "recorder", "--wait"});  // the same on two devices of one machine
  kitchen.await_ready("recorder");
  starling({"module", "disable", "recorder", "--wait"});
  EXPECT_EQ(kitchen.state_of("recorder"), "disabled");
  EXPECT_EQ(lab.state_of("recorder"), "idle") << "its group says something else, and wins";
  EXPECT_THAT(starling({"changes", "-n", "4"}), HasSubstr("modules.recorder.enabled"));
}

TEST_F(FleetModules, ADisableIsDoneOnceNothingOfItLives) {
  SupervisedDevice& device = add("bear", "nursery");
  device.write_module("slow",
                      "exec = \"/bin/sh\"\nready_after = \"50ms\"\nstop_timeout = \"5min\"\n"
                      "args = [\"-c\", \"trap 'until [ -e may_end ]; do sleep 0.05; done; exit 0' TERM; "
                      "while :; do sleep 0.05; done\"]\n");
  eventually("the hub to know it", [&] {
    return hub.command({"module", "show", "slow", "--device", "bear"}).status == 0;
  });
  starling({"module", "enable", "slow", "--wait"});
  EXPECT_EQ(device.state_of("slow"), "idle");
  Process disable({.program = "starling",
                   .arguments = {"module", "disable", "slow", "--wait"},
                   .environment = {{"STARLING_HUB", hub.url()}, {"STARLING_KEY", hub.admin_key()}},
                   .output = folder / "disable.log"});
  eventually("the hub to know that it is under way", [&] {
    return hub.command({"module", "show", "slow", "--device", "bear"}).output.find("stopping") !=
           std::string::npos;
  });
  EXPECT_EQ(hub.device("bear").at("sync").at("modules").at("status"), Json("provisional"));
  EXPECT_TRUE(disable.running());
  write_text(device.modules() / "slow/may_end", "");
  EXPECT_EQ(disable.wait(), 0) << disable.output();
  EXPECT_EQ(device.state_of("slow"), "disabled");
  EXPECT_THAT(starling({"module", "show", "slow", "--device", "bear"}), HasSubstr("disabled"));
}

TEST_F(FleetModules, WhatIsSaidLaterCountsThoughTheHubHasNothingToChange) {
  SupervisedDevice& device = add("bear", "nursery");
  const std::vector<std::string> off{"module", "disable", "recorder", "--wait"};
  const std::vector<std::string> on{"module", "enable", "recorder", "--wait"};
  starling({"module", "start", "recorder", "--device", "bear", "--wait"});
  EXPECT_EQ(device.state_of("recorder"), "idle");
  EXPECT_THAT(starling(off), HasSubstr("revision "));
  EXPECT_EQ(device.state_of("recorder"), "disabled") << "nobody had said anything of it";
  starling({"module", "start", "recorder", "--device", "bear"});
  EXPECT_THAT(starling(off), HasSubstr("nothing to change")) << "it may not have started yet";
  EXPECT_EQ(device.state_of("recorder"), "disabled");
  starling(on);
  starling({"module", "stop", "recorder", "--device", "bear", "--wait"});
  EXPECT_EQ(device.state_of("recorder"), "disabled");
  EXPECT_THAT(starling(on), HasSubstr("nothing to change"));
  EXPECT_EQ(device.state_of("recorder"), "idle");
}

TEST_F(FleetModules, AnEnableOnTheDeviceThatIsHeldUpIsOlderThanWhatTheHubSaysNext) {
  SupervisedDevice& device = add("bear", "nursery");
  device.write_module("top",
                      "exec = \"/bin/sleep\"\nargs = [\"600\"]\nready_after = \"50ms\"\n"
                      "requires = [\"recorder\"]\n");
  eventually("the hub to know it", [&] {
    return hub.command({"module", "show", "top", "--device", "bear"}).status == 0;
  });
  Process enable({.program = "starling-agent",
                  .arguments = {"ctl", "--state", device.state().string(), "module", "enable", "top"},
                  .environment = {},
                  .output = folder / "enable.log"});
  eventually("the hub to have taken the edit", [&] {
    return hub.command({"settings", "explain", "bear", "modules.top.enabled"}).output.find("true") !=
           std::string::npos;
  });
  const Finished waited =
      hub.command({"module", "enable", "top", "--device", "bear", "--wait", "--wait-timeout", "3"});
  EXPECT_EQ(waited.status, 4) << waited.output;
  EXPECT_THAT(waited.output, HasSubstr("top waits for 'recorder', which is not to run"));
  starling({"module", "disable", "top", "--device", "bear", "--wait"});
  EXPECT_NE(enable.wait(), 0) << "it was overtaken";
  starling({"module", "enable", "recorder", "--wait"});
  EXPECT_EQ(device.state_of("recorder"), "idle");
  EXPECT_EQ(device.state_of("top"), "disabled") << "what was said last stands";
}

TEST_F(FleetModules, OneThatCannotStartIsQuarantinedAndHoldsUpNoSettings) {
  SupervisedDevice& device = add("bear", "nursery");
  const Finished refused = hub.command({"module", "enable", "broken", "--wait"});
  EXPECT_NE(refused.status, 0);
  EXPECT_THAT(refused.output, HasSubstr("nothing-here"));
  starling({"settings", "set", "audio.volume=35", "--wait"});
  EXPECT_THAT(starling({"module", "enable", "recorder", "--wait"}), HasSubstr("applied by 1 of 1"));
  EXPECT_EQ(offers(device), 2) << "each section is told once";
  EXPECT_THAT(hub.command({"device", "show", "bear"}).output, HasSubstr("nothing-here"));
  EXPECT_EQ(device.show("broken").at("enabled"), Json(false));
  // Mended on the device: it is tried again by itself, and the hub sees that all is as it should be.
  device.write_module("broken", "exec = \"/bin/sleep\"\nargs = [\"1000\"]\nready_after = \"50ms\"\n");
  device.await_ready("broken");
  eventually("the hub to see it", [&] {
    const std::string status = hub.sync_status("bear");
    return status == "in_sync" || status == "provisional";
  });
}

TEST_F(FleetModules, SettingsWithWhichAModuleNoLongerRunsAreTakenBack) {
  SupervisedDevice& device = add("bear", "nursery");
  device.write_module("picky",
                      "exec = \"/bin/sh\"\nready_after = \"50ms\"\n"
                      "args = [\"-c\", \"grep -q 35 volume.txt && exit 78; exec sleep 1000\"]\n"
                      "uses = [\"audio.volume\"]\non_change = \"restart\"\n"
                      "render = [{ template = \"volume.in\", file = \"volume.txt\" }]\n");
  write_text(device.modules() / "picky/volume.in", "{{audio.volume}}\n");
  eventually("it to be seen", [&] { return device.ctl({"module", "show", "picky"}).status == 0; });
  device.command("enable", "picky");
  const pid_t before = device.await_ready("picky");
  starling({"settings", "set", "audio.volume=35"});
  device.await_ready("picky", before);
  EXPECT_NE(read_text(device.modules() / "picky/volume.txt"), "35\n");
  eventually("the hub to know why", [&] {
    const std::string shown = hub.command({"device", "show", "bear"}).output;
    return shown.find("module 'picky' does not run since they are in force") != std::string::npos;
  });
}

TEST_F(FleetModules, SettingsAreTakenBackByAnAgentThatHasStartedSinceToo) {
  SupervisedDevice& device = add("bear", "nursery");
  device.write_module("picky",
                      "exec = \"/bin/sh\"\nready_after = \"50ms\"\nuses = [\"audio.volume\"]\n"
                      "args = [\"-c\", \"until [ -e broken ]; do sleep 0.05; done; exit 78\"]\n");
  eventually("it to be seen", [&] { return device.ctl({"module", "show", "picky"}).status == 0; });
  device.command("enable", "picky");
  device.await_ready("picky");
  const fs::path derived = device.state() / "config_override.json";
  starling({"settings", "set", "audio.volume=35"});
  eventually("them to be in force", [&] { return read_text(derived).find("35") != std::string::npos; });
  ::kill(device.agent(), SIGKILL);
  eventually("the next agent", [&] {
    return device.log().find("agent starts again") != std::string::npos &&
           device.ctl({"module", "list"}).status == 0;
  });
  write_text(device.modules() / "picky/broken", "");
  eventually("them to be taken back", [&] { return read_text(derived).find("35") == std::string::npos; });
  eventually("the hub to know why", [&] {
    const std::string shown = hub.command({"device", "show", "bear"}).output;
    return shown.find("module 'picky' does not run since they are in force") != std::string::npos;
  });
}

TEST_F(FleetModules, RunOnWhereAComponentFileOfTheDeviceCannotBeUsed) {
  SupervisedDevice& device = add("bear", "nursery");
  device.command("enable", "recorder");
  const pid_t before = device.await_ready("recorder");
  fs::create_directories(device.state() / "components");
  write_text(device.state() / "components/lamp.json", "{\"x-component\": \"lamp\"");
  ::kill(device.agent(), SIGKILL);
  eventually("the hub to know of the file", [&] {
    const std::string shown = hub.command({"device", "show", "bear"}).output;
    return shown.find("a component file is left out") != std::string::npos &&
           shown.find("components/lamp.json") != std::string::npos;
  });
  EXPECT_EQ(device.await_ready("recorder"), before);
  const Finished doctor = device.ctl({"doctor"});
  EXPECT_EQ(doctor.status, 1);
  EXPECT_THAT(doctor.output, HasSubstr("components/lamp.json"));
}

TEST_F(FleetModules, WhatFailsAnywayTakesNoSettingsBack) {
  SupervisedDevice& device = add("bear", "nursery");
  const auto write = [&](const char* name, const char* script) {
    device.write_module(name, std::string("exec = \"/bin/sh\"\nready_after = \"50ms\"\nargs = [\"-c\", \"") +
                                  script + "\"]\nuses = [\"audio.volume\"]\non_change = \"restart\"\n");
    eventually("it to be seen", [&] { return device.ctl({"module", "show", name}).status == 0; });
  };
  write("a_healthy", "exec sleep 1000");
  write("b_broken", "test -e broken && exit 78; exec sleep 1000");
  write("c_crashing", "exit 3");
  device.command("enable", "a_healthy");
  device.command("enable", "b_broken");
  const pid_t before = device.await_ready("a_healthy");
  write_text(device.modules() / "b_broken/broken", "");
  device.ctl({"module", "restart", "b_broken"});
  device.await_state("b_broken", "crashed");
  starling({"settings", "set", "audio.volume=35", "--wait"});
  device.await_ready("a_healthy", before);
  starling({"module", "enable", "c_crashing", "--wait"}, 3);
  EXPECT_THAT(starling({"settings", "get", "bear", "audio.volume"}), HasSubstr("35"));
  EXPECT_THAT(read_text(device.state() / "config_override.json"), HasSubstr("35"));
}

TEST_F(FleetModules, OneThatCouldNotBeEnabledIsTriedAgainWhenItIsEnabledOnceMore) {
  SupervisedDevice& device = add("bear", "nursery");
  starling({"module", "enable", "broken", "--wait"}, 3);
  EXPECT_THAT(starling({"module", "enable", "broken", "--wait"}, 3), HasSubstr("trying again"));
  const fs::path program = device.modules() / "broken/nothing-here";
  write_text(program, "#!/bin/sh\nexec sleep 1000\n");
  fs::permissions(program, fs::perms(0755));
  EXPECT_THAT(
      starling({"module", "enable", "broken", "--wait"}),
      AllOf(HasSubstr("trying again where it could not be enabled: bear"), HasSubstr("applied by 1 of 1")));
  EXPECT_EQ(device.state_of("broken"), "idle");
  EXPECT_THAT(starling({"settings", "get", "bear", "modules.broken.enabled"}), HasSubstr("true"));
  EXPECT_THAT(starling({"module", "enable", "broken", "--wait"}), Not(HasSubstr("trying again")));
}

TEST_F(FleetModules, WhatIsTakenBackIsAsItShipped) {
  SupervisedDevice& device = add("bear", "nursery");
  const auto expect_off = [&](const std::vector<std::string>& words) {
    starling({"module", "enable", "recorder", "--wait"});
    device.await_ready("recorder");
    starling(words);
    device.await_state("recorder", "disabled");
    eventually("config.txt to follow",
               [&] { return read_text(device.modules() / "recorder/config.txt") == "enabled = false\n"; });
  };
  expect_off({"settings", "unset", "modules.recorder.enabled"});
  expect_off({"settings", "rollback", "0"});
  EXPECT_THAT(starling({"settings", "get", "bear", "modules.recorder.enabled"}, 1), HasSubstr("shipped"));
}

TEST_F(FleetModules, AToggleOnTheDeviceGoesUpAlsoAfterTimeWithoutAHub) {
  SupervisedDevice& device = add("bear", "nursery");
  hub.kill();
  device.command("enable", "recorder");
  EXPECT_EQ(device.state_of("recorder"), "idle") << "at once";
  hub.start();
  eventually("the proposal to be in the log", [&] {
    return hub.command({"changes", "-n", "1"}).output.find("modules.recorder.enabled = true") !=
           std::string::npos;
  });
  eventually("it to be settled", [&] {
    return read_text(device.state() / "module_edits.json").find("recorder") == std::string::npos;
  });
  starling({"module", "disable", "recorder", "--device", "bear", "--wait"});
  EXPECT_EQ(device.state_of("recorder"), "disabled");
}

TEST_F(FleetModules, LogsAndCausesOfDeathReachTheOperator) {
  SupervisedDevice& device = add("bear", "nursery");
  device.write_module("talker",
                      "exec = \"/bin/sh\"\nready_after = \"50ms\"\n"
                      "args = [\"-c\", \"echo hello; sleep 0.2; echo oops >&2; exit 3\"]\n");
  eventually("it to be seen", [&] { return device.ctl({"module", "show", "talker"}).status == 0; });
  device.command("start", "talker");
  eventually("the crash to be known at the hub", [&] {
    return hub.command({"module", "crashes"}).output.find("exited with status 3") != std::string::npos;
  });
  EXPECT_THAT(starling({"module", "logs", "talker", "--device", "bear", "-n", "10"}),
              AllOf(HasSubstr("hello"), HasSubstr("oops")));
  device.command("stop", "talker");
  EXPECT_THAT(starling({"module", "show", "talker", "--device", "bear"}), HasSubstr("oops"));
}

TEST_F(FleetModules, DeathsOfWhichTheHubHeardNothingAreEachCountedByTheirKind) {
  SupervisedDevice& device = add("bear", "nursery");
  hub.kill();
  device.write_module(
      "talker",
      "exec = \"/bin/sh\"\nready_after = \"50ms\"\nargs = [\"-c\", \"sleep 0.2; echo >> runs; "
      "case `wc -l < runs` in 1|2) exit 3;; 3) exit 4;; esac; exec sleep 1000\"]\n");
  eventually("it to be seen", [&] { return device.ctl({"module", "show", "talker"}).status == 0; });
  device.command("start", "talker");
  eventually("it to have died three times", [&] {
    const JsonObject shown = device.show("talker");
    const Json* deaths = shown.if_contains("deaths");
    return deaths != nullptr && *deaths == Json(3);
  });
  const auto told = [&] {
    std::map<std::string, std::int64_t> deaths;
    const Json crashes = hub.call("GET", "/api/v1/crashes");
    for (const Json& crash : crashes.at("items").as_array())
      deaths[std::string(crash.at("text").as_string())] = crash.at("deaths").to_number<std::int64_t>();
    return deaths;
  };
  const std::map<std::string, std::int64_t> all{{"exited with status 3", 2}, {"exited with status 4", 1}};
  hub.start();
  eventually("the hub to hear of all", [&] { return told() == all; });
  ::kill(device.agent(), SIGKILL);
  eventually("the next agent", [&] { return device.ctl({"module", "list"}).status == 0; });
  EXPECT_EQ(device.show("talker").at("deaths_by_kind").as_object().size(), 2u);
  hub.kill();
  hub.start();
  // Whatever of it the killed hub had stored. A new session begins with nothing reported.
  const std::string modules =
      "/api/v1/devices/" + std::string(hub.device("bear").at("id").as_string()) + "/modules";
  eventually("the hub to hear of it again", [&] {
    const Json shown = hub.call("GET", modules);
    return shown.at("status") == Json("online") &&
           std::ranges::any_of(shown.at("items").as_array(), [](const Json& module) {
             return module.at("module") == Json("talker") && module.at("reported").is_object() &&
                    module.at_pointer("/reported/state") == Json("idle");
           });
  });
  EXPECT_EQ(told(), all);
  device.command("stop", "talker");
}

TEST_F(FleetModules, LogsAreFollowedLineByLine) {
  SupervisedDevice& device = add("bear", "nursery");
  const fs::path more = device.state() / "more";
  device.write_module("talker",
                      "exec = \"/bin/sh\"\nready_after = \"50ms\"\n"
                      "args = [\"-c\", \"echo one; until [ -e " +
                          more.string() + " ]; do sleep 0.05; done; echo two >&2; exec sleep 1000\"]\n");
  eventually("it to be seen", [&] { return device.ctl({"module", "show", "talker"}).status == 0; });
  device.command("start", "talker");
  Process follower({.program = "starling",
                    .arguments = {"module", "logs", "talker", "--device", "bear", "-f"},
                    .environment = {{"STARLING_HUB", hub.url()}, {"STARLING_KEY", hub.admin_key()}},
                    .output = folder / "followed.log"});
  eventually("what was there", [&] { return follower.output().find("one") != std::string::npos; });
  EXPECT_THAT(follower.output(), Not(HasSubstr("two")));
  write_text(more, "");
  eventually("what comes", [&] { return follower.output().find("two") != std::string::npos; });
  const std::string before = follower.output();
  device.command("restart", "talker");
  eventually("what the next run says",
             [&] { return follower.output().find("one", before.size()) != std::string::npos; });
  const auto times = [&](const std::string& text) {
    const std::string output = follower.output();
    int count = 0;
    for (auto at = output.find(text); at != std::string::npos; at = output.find(text, at + 1))
      ++count;
    return count;
  };
  eventually("all of it", [&] { return times(" err two") == 2; });
  ::kill(device.agent(), SIGKILL);
  eventually("the next agent", [&] { return device.ctl({"module", "list"}).status == 0; });
  device.command("restart", "talker");
  eventually("what the run after that says",
             [&] { return times(" out one") >= 3 && times(" err two") >= 3; });
  EXPECT_EQ(times(" out one"), 3) << follower.output();
  EXPECT_EQ(times(" err two"), 3) << follower.output();
  EXPECT_TRUE(follower.running());
  follower.signal(SIGINT);
  follower.wait();
  device.command("stop", "talker");
}

TEST_F(FleetModules, AFactoryResetForgetsAllButWhoItIs) {
  SupervisedDevice& device = add("bear", "nursery");
  const Json before = hub.device("bear");
  device.command("enable", "recorder");
  write_text(device.state() / "something", "of its owner");
  write_text(device.modules() / "recorder/recordings/1.wav", "of a child");
  const auto layer = [&] { return starling({"settings", "list", "--layer", "device:bear"}); };
  eventually("the hub to know of it",
             [&] { return layer().find("modules.recorder.enabled") != std::string::npos; });
  starling({"device", "reset", "bear", "--clear-settings", "--yes"});
  eventually("it to have forgotten", [&] {
    return !fs::exists(device.state() / "something") && !fs::exists(device.state() / "factory_reset") &&
           device.ctl({"module", "list"}).status == 0;
  });
  EXPECT_FALSE(fs::exists(device.modules() / "recorder/recordings/1.wav"));
  eventually("it to be back", [&] { return hub.sync_status("bear") != "offline"; });
  EXPECT_EQ(hub.device("bear").at("id"), before.at("id"));
  EXPECT_THAT(layer(), Not(HasSubstr("recorder"))) << "the former owner's is gone from the hub";
  EXPECT_EQ(device.state_of("recorder"), "disabled");
}

}  // namespace
}  // namespace starling::e2e
