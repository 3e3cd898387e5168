// What many modules at once cost the disk: an fsync on an SD card is tens of milliseconds of the agent's
// thread, so all that is written for the device as a whole is written for all of them together.
#include <gmock/gmock.h>

#include "agent/device_bench.hpp"

namespace starling::agent {
namespace {

using testing::HasSubstr;

std::vector<std::string> names_of(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i)
    names.push_back("m" + std::to_string(i));
  return names;
}

std::vector<Commanded> all_of(const std::vector<std::string>& names, ModuleCommand what) {
  std::vector<Commanded> commands;
  for (const std::string& name : names)
    commands.push_back({name, what, {}});
  return commands;
}

// Of one file that is replaced.
std::uint64_t steps_of_a_file() {
  FakeDisk disk;
  EXPECT_TRUE(replace_file(disk, "config.txt", "enabled = true\n"));
  return disk.steps();
}

// The config.txt files of this bench are not on its disk.
class ManyModules : public testing::Test, public SupervisorBench {
 protected:
  struct Steps {
    std::uint64_t asked = 0, ready = 0;  // until they were asked for, and from then on
  };
  Steps enable(int count, Readiness readiness) {
    disk = FakeDisk();
    board = FakeBoard();
    manifests.clear();
    const auto names = names_of(count);
    for (const std::string& name : names)
      module(name).readiness = readiness;
    start_agent();
    pass(Seconds(1));
    const std::uint64_t before = disk.steps();
    core->command(all_of(names, ModuleCommand::enable));
    Steps steps;
    steps.asked = disk.steps() - before;
    for (const std::string& name : names)
      readiness == Readiness::notify ? up(name) : make(name);
    pass(Seconds(10));
    for (const std::string& name : names)
      EXPECT_TRUE(board.config[name] && state(name) == ModuleState::idle) << name;
    steps.ready = disk.steps() - before - steps.asked;
    return steps;
  }
};

TEST_F(ManyModules, AskedForAtOnceAreWrittenDownOnce) {
  EXPECT_EQ(enable(1, Readiness::notify).asked, steps_of_a_file());
  EXPECT_EQ(enable(200, Readiness::notify).asked, steps_of_a_file());
}

TEST_F(ManyModules, ThatProveThemselvesAtOnceAreWrittenDownOnce) {
  EXPECT_EQ(enable(200, Readiness::exec).ready, enable(2, Readiness::exec).ready);
}

// Each says it once only: a next agent has to know.
TEST_F(ManyModules, ThatProveThemselvesOneByOneCostAFileEach) {
  const std::uint64_t few = enable(2, Readiness::notify).ready;
  EXPECT_LE(enable(200, Readiness::notify).ready, few + 198 * steps_of_a_file());
}

TEST_F(ManyModules, AskedForAtOnceAreAllOnDiskBeforeTheFirstIsStarted) {
  const auto names = names_of(20);
  for (const std::string& name : names)
    module(name);
  start_agent();
  std::vector<std::string> files;
  board.at_spawn = [&] { files.push_back(disk.content(SessionRecovery::path).value_or("")); };
  core->command(all_of(names, ModuleCommand::enable));
  ASSERT_EQ(files.size(), names.size());
  for (const std::string& name : names)
    EXPECT_THAT(files.front(), HasSubstr("\"" + name + "\"")) << name;
}

TEST_F(ManyModules, EachIsAnsweredForItself) {
  module("a");
  start_agent();
  std::vector<Commanded> commands;
  for (const char* name : {"nobody", "a"}) {
    commands.push_back({name, ModuleCommand::start, [this, name](const Result<ModuleState>& settled) {
                          answers.push_back(name + std::string(settled ? " runs" : " does not"));
                        }});
  }
  core->command(std::move(commands));
  up("a");
  EXPECT_THAT(answers, testing::ElementsAre("nobody does not", "a runs"));
}

// With the config.txt files, and what the rest of the device writes for a section.
std::uint64_t steps_of_a_section(int count) {
  DeviceBench device(1, FakeDisk::Unsynced::kept);
  const auto names = names_of(count);
  for (const std::string& name : names)
    device.install(name, true);
  device.start_agent();
  device.pass(Seconds(130));
  for (const std::string& name : names)
    device.hub->enable(name, true);
  const std::uint64_t before = device.disk.steps();
  device.push();
  device.pass(Seconds(130));
  for (const std::string& name : names)
    EXPECT_EQ(device.config(name), true) << name;
  return device.disk.steps() - before;
}

TEST(ManyModulesOfASection, CostTheirConfigFilesAndTheirProofs) {
  EXPECT_LE(steps_of_a_section(100), steps_of_a_section(10) + 90 * 2 * steps_of_a_file());
}

}  // namespace
}  // namespace starling::agent
