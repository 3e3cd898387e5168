#include "agent/control/doctor.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <iterator>
#include <sstream>

#include "agent/control/control_server.hpp"
#include "agent/control/ctl.hpp"
#include "agent/supervisor/supervisor_fixture.hpp"
#include "base/files.hpp"
#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

MATCHER_P2(Finds, kind, what, "") {
  return arg.kind == kind && arg.what.find(what) != std::string::npos;
}

class DoctorTest : public testing::Test {
 protected:
  void write(std::string_view name, std::string_view text) const { std::ofstream(folder_ / name) << text; }

  TemporaryFolder folder_;
};

TEST_F(DoctorTest, FolderThatIsNotThereIsTheFirstThingSaid) {
  const auto findings = examine({folder_ / "none", {}, {}});
  EXPECT_EQ(findings.front().kind, Finding::Kind::problem);
  EXPECT_THAT(findings.front().advice, HasSubstr("--state"));
}

TEST_F(DoctorTest, NewFolderHasNoIdentityAndNoAgent) {
  const auto findings = examine({folder_.path(), {}, {}});
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::problem, "no identity yet")));
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::warning, "no hub has enrolled")));
  EXPECT_EQ(findings.front().kind, Finding::Kind::problem) << "whatever else there is, that is first";
  EXPECT_THAT(findings.front().what, HasSubstr("no agent runs on "));
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::warning, "was not tried")));
}

TEST_F(DoctorTest, TheUnitIsAdvisedWhereItStartsTheAgent) {
  const auto advice = [this](const std::filesystem::path& unit_state) {
    std::string all;
    for (const Finding& one : examine({folder_.path(), {}, {}, unit_state})) {
      all += one.advice + "\n";
      for (const std::string& command : one.commands)
        all += command + "\n";
    }
    return all;
  };
  EXPECT_THAT(advice(folder_.path()), HasSubstr("\nsystemctl status starling-agent\n"));
  for (const std::filesystem::path& unit_state : {folder_ / "other", std::filesystem::path()}) {
    EXPECT_THAT(advice(unit_state), Not(HasSubstr("systemctl")));
    EXPECT_THAT(advice(unit_state), HasSubstr("what starling-keeper writes"));
  }
  const auto lock = FileLock::acquire(folder_ / "agent.lock");
  ASSERT_TRUE(lock);
  EXPECT_THAT(advice(folder_.path()), HasSubstr("\njournalctl -u starling-agent -n 50\n"));
}

TEST_F(DoctorTest, AgentWithoutModulesRuns) {
  const auto lock = FileLock::acquire(folder_ / "agent.lock");
  ASSERT_TRUE(lock);
  const Finding first = examine({folder_.path(), {}, {}}).front();
  EXPECT_EQ(first.kind, Finding::Kind::warning);
  EXPECT_THAT(first.what, HasSubstr("an agent runs"));
}

TEST_F(DoctorTest, ClockIsNotSaidToBeWrong) {
  for (const Finding& each : examine({folder_.path(), {}, {}})) {
    if (each.what.find("clock") == std::string::npos || each.kind == Finding::Kind::good) continue;
    EXPECT_EQ(each.kind, Finding::Kind::warning);
    EXPECT_THAT(each.what, HasSubstr("the clock says 2"));
    EXPECT_THAT(each.advice, HasSubstr("nothing need be done"));
  }
}

class DoctorOfModules : public SupervisorFixture {
 protected:
  std::vector<Finding> findings() {
    if (!supervisor) start();
    ControlServer server(context.get_executor(), *supervisor, Logger());
    server.tell_of(left_out);
    EXPECT_TRUE(server.start(folder / ControlServer::socket_name));
    auto examined = std::async(std::launch::async, [this] { return examine({folder.path(), {}, {}}); });
    eventually([&] { return examined.wait_for(Milliseconds(0)) == std::future_status::ready; });
    finish(server.stop());
    return examined.get();
  }

  std::vector<std::string> left_out;  // of the agent's component files
};

TEST_F(DoctorOfModules, TheComponentFilesAreThoseOfTheAgent) {
  std::filesystem::create_directories(folder / "components");
  std::ofstream(folder / "components/mended.json") << "is none";  // since the agent began
  left_out = {"audio.json: is no component"};
  std::vector<Finding> of_components = findings();
  std::erase_if(of_components, [](const Finding& one) { return !one.what.starts_with("a component file"); });
  ASSERT_EQ(of_components.size(), 1u);
  EXPECT_THAT(of_components.front(),
              Finds(Finding::Kind::problem, "is left out: audio.json: is no component"));
}

TEST_F(DoctorOfModules, SaysWhichAreInTrouble) {
  write_module("broken", "exec = 1\n", "enabled = true\n");
  write_module("unused", "exec = 1\n");
  write_module("camera", "exec = 'run'\nrequires = ['bus']\n", "enabled = true\n");
  write_module("ear", "exec = 'run'\n");
  const auto all = findings();
  EXPECT_THAT(all.front(), Finds(Finding::Kind::good, "the agent runs"));
  EXPECT_THAT(
      all, Contains(Finds(Finding::Kind::problem, "module broken cannot be started: broken/module.toml:1")));
  EXPECT_THAT(all, Contains(Finds(Finding::Kind::warning, "module unused cannot be started")));
  EXPECT_THAT(all, Contains(Finds(Finding::Kind::warning, "module camera does not run: it waits for 'bus'")));
  EXPECT_THAT(all, Not(Contains(Finds(Finding::Kind::problem, "module ear"))));
}

// What a finding says of a module.
Finding about(const std::vector<Finding>& findings, std::string_view module) {
  for (const Finding& one : findings)
    if (one.what.starts_with("module " + std::string(module) + " ")) return one;
  return {};
}

TEST_F(DoctorOfModules, WhatItSuggestsCanBePasted) {
  write_module("camera", "exec = 'run'\nrequires = ['bus']\n");
  write_module("ear", "exec = 'run'\nrequires = ['bus']\n", "enabled = true\n");
  write_module("eye", "exec = 'run'\nafter = ['nose']\n");
  write_module("nose", "exec = 'run'\nafter = ['eye']\n");
  write_module("odd", "exec = 'run'\n", "enabled = perhaps\n");
  start();
  device->section().toggle("camera", true, [](const Result<ModuleState>&) {});
  supervisor->command("nose", ModuleCommand::start, {});  // in vain
  std::size_t commands = 0;
  for (const Finding& one : findings()) {
    for (const std::string& command : one.commands) {
      ++commands;
      SCOPED_TRACE(command);
      const std::string begin = "starling-agent ctl --state " + folder.path().string() + " ";
      ASSERT_TRUE(command.starts_with(begin));
      std::istringstream rest("--state DIR " + command.substr(begin.size()));
      const std::vector<std::string> words{std::istream_iterator<std::string>(rest), {}};
      EXPECT_TRUE(check_ctl(words));
    }
    EXPECT_THAT(one.advice, Not(HasSubstr("starling-agent ctl"))) << "it would not be checked";
  }
  EXPECT_GE(commands, 3u);
}

TEST_F(DoctorOfModules, TheRemedyIsThatOfTheProblem) {
  write_module("Bad-Name", "exec = 'run'\n");
  write_module("eye", "exec = 'run'\nafter = ['nose']\n", "enabled = true\n");
  write_module("nose", "exec = 'run'\nafter = ['eye']\n");
  std::filesystem::create_directories(modules() / "lib");
  const auto all = findings();
  EXPECT_THAT(about(all, "Bad-Name").what, HasSubstr("rename it"));
  EXPECT_THAT(about(all, "eye").what, HasSubstr("is a cycle"));
  EXPECT_THAT(about(all, "lib").what, HasSubstr("move the folder away"));
  for (const Finding& one : all)
    EXPECT_THAT(one.advice, Not(HasSubstr("module.toml"))) << one.what;
}

TEST_F(DoctorOfModules, WhatRunsOnIsNotSaidToBeUnableToStart) {
  write_module("ear", "exec = 'run'\n", "enabled = true\n");
  start();
  const auto ear_now = [this] { return supervisor->statuses().front(); };
  eventually([&] { return ear_now().state == ModuleState::starting; });
  constexpr std::int32_t of_no_process = 0x7000'0001;
  say(keeper::Spawned{{.id = "ear:" + std::to_string(ear_now().run), .pid = of_no_process, .start = 1}});
  eventually([&] { return ear_now().pid != 0; });
  write_module("ear", "exec = 1\n", "enabled = true\n");
  eventually([&] {  // a changed file is looked at a while later
    clock.advance(Milliseconds(100));
    supervisor->tick();
    return !ear_now().manifest_problem.empty();
  });
  const Finding ear = about(findings(), "ear");
  EXPECT_EQ(ear.kind, Finding::Kind::warning);
  EXPECT_THAT(ear.what, HasSubstr("runs, and could not be started again: ear/module.toml:1"));
}

TEST_F(DoctorOfModules, WhatIsDisabledSinceIsNoProblem) {
  write_module("camera", "exec = 'run'\nrequires = ['bus']\n");
  start();
  for (const bool enabled : {true, false})
    device->section().toggle("camera", enabled, [](const Result<ModuleState>&) {});
  EXPECT_EQ(about(findings(), "camera").kind, Finding::Kind::good);
}

TEST_F(DoctorOfModules, SaysThatNoneIsInTrouble) {
  write_module("ear", "exec = 'run'\n");
  EXPECT_THAT(findings(), Contains(Finds(Finding::Kind::good, "none of its 1 modules is in trouble")));
}

TEST_F(DoctorOfModules, SaysWhatCouldNotBeEnabled) {
  write_module("camera", "exec = 'run'\nrequires = ['bus']\n");
  start();
  device->section().toggle("camera", true, [](const Result<ModuleState>&) {});
  end_agent();
  EXPECT_THAT(findings(), Contains(Finds(Finding::Kind::problem,
                                         "module camera could not be enabled: it waits for 'bus'")));
}

TEST_F(DoctorTest, EnrolledDeviceIsNamed) {
  write("identity.json", R"({"device_id":"0190c5c7-0000-7000-8000-000000000001"})");
  write("token", "secret");
  const auto findings = examine({folder_.path(), {}, {}});
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::good, "0190c5c7-0000-7000-8000-000000000001")));
  EXPECT_THAT(findings, Contains(Finds(Finding::Kind::good, "has enrolled this device")));
}

TEST_F(DoctorTest, DamagedIdentityIsAProblem) {
  write("identity.json", "{\"device_");
  EXPECT_THAT(examine({folder_.path(), {}, {}}),
              Contains(Finds(Finding::Kind::problem, "identity.json cannot be read")));
}

TEST_F(DoctorTest, HubThatIsNotThereIsAProblemWithAdvice) {
  // Nobody listens on the port of tcpmux here.
  const auto findings = examine({folder_.path(), "http://127.0.0.1:1", {}});
  EXPECT_EQ(findings.back().kind, Finding::Kind::problem);
  EXPECT_THAT(findings.back().what, HasSubstr("cannot be reached"));
  EXPECT_FALSE(findings.back().advice.empty());
}

TEST_F(DoctorTest, AddressThatIsNoneIsAProblem) {
  EXPECT_EQ(examine({folder_.path(), "hub:port", {}}).back().kind, Finding::Kind::problem);
}

}  // namespace
}  // namespace starling::agent
