// What could not be enabled because of what it requires, when that comes up after all: up to the section.
#include <gmock/gmock.h>

#include "agent/supervisor/supervisor_fixture.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SupervisorDependents : public SupervisorFixture {
 protected:
  void SetUp() override {
    write_module("a", "exec = 'run'\n");
    write_module("b", "exec = 'run'\nrequires = ['a']\n");
    write_module("c", "exec = 'run'\nrequires = ['b']\n");
    write_module("d", "exec = 'run'\n");
    start();
  }
  ModuleStatus status(const std::string& module) const {
    for (const ModuleStatus& status : supervisor->statuses())
      if (status.name == module) return status;
    return {};
  }
  std::vector<std::string> in_quarantine() const {
    std::vector<std::string> names;
    for (const ModuleStatus& status : supervisor->statuses())
      if (!status.quarantine.empty()) names.push_back(status.name);
    return names;
  }
  void want_all() { want({{"a", true}, {"b", true}, {"c", true}, {"d", true}}); }
  void toggle(const std::string& module, bool enabled) {
    device->section().toggle(module, enabled, [](const Result<ModuleState>&) {});
  }
  void mend(const std::string& module) {
    supervisor->command(module, ModuleCommand::start, [](const Result<ModuleState>&) {});
    up(module);
  }
  std::int32_t make(const std::string& module) {
    eventually([&] { return status(module).state == ModuleState::starting; });
    const std::int32_t pid = ++last_pid_;
    say(keeper::Spawned{{.id = id(module), .pid = pid, .start = 1}});
    eventually([&] { return status(module).pid != 0; });
    return pid;
  }
  void up(const std::string& module) {
    make(module);
    clock.advance(Seconds(1));
    supervisor->tick();
    ASSERT_EQ(status(module).state, ModuleState::idle);
  }
  void fail_to_start(const std::string& module) {
    const std::int32_t pid = make(module);
    const keeper::Exit how{.kind = keeper::ExitKind::exited, .status = SupervisedModule::exit_not_configured};
    say(keeper::Exited{id(module), pid, how});
    eventually([&] { return status(module).state == ModuleState::disabled; });
  }

 private:
  std::string id(const std::string& module) const {
    return module + ":" + std::to_string(status(module).run);
  }

  std::int32_t last_pid_ = 0x7000'0000;  // of no process
};

TEST_F(SupervisorDependents, AreTriedAgainOneByOneAsEachComesUp) {
  want_all();
  fail_to_start("a");
  fail_to_start("d");
  ASSERT_THAT(in_quarantine(), ElementsAre("a", "b", "c", "d"));
  mend("a");
  EXPECT_THAT(in_quarantine(), ElementsAre("c", "d"));
  up("b");
  EXPECT_THAT(in_quarantine(), ElementsAre("d"));
  up("c");
  EXPECT_EQ(device->settings().module_quarantine().size(), 1u) << "d requires none of them";
}

TEST_F(SupervisorDependents, AreTriedAgainWithoutAHubToo) {
  for (const char* module : {"a", "b", "c"})
    toggle(module, true);
  fail_to_start("a");
  ASSERT_THAT(in_quarantine(), ElementsAre("a", "b", "c"));
  EXPECT_THAT(device->section().pending_edits(), IsEmpty());
  mend("a");
  up("b");
  up("c");
  EXPECT_THAT(in_quarantine(), IsEmpty());
  EXPECT_TRUE(status("c").enabled);
  EXPECT_EQ(device->section().pending_edits().size(), 2u) << "a was started, and not enabled";
}

TEST_F(SupervisorDependents, StayOffWhereSomebodyHasTurnedThemOff) {
  want_all();
  fail_to_start("a");
  toggle("b", false);
  mend("a");
  EXPECT_FALSE(status("b").enabled);
  EXPECT_EQ(status("b").state, ModuleState::disabled);
  EXPECT_FALSE(status("c").enabled);
}

TEST_F(SupervisorDependents, ThatFailByThemselvesAreNotTriedAgain) {
  want_all();
  up("a");
  fail_to_start("b");
  supervisor->command("a", ModuleCommand::stop, [](const Result<ModuleState>&) {});
  say(keeper::Exited{"a:" + std::to_string(status("a").run),
                     status("a").pid,
                     {.kind = keeper::ExitKind::killed, .status = SIGTERM}});
  eventually([&] { return status("a").state == ModuleState::disabled; });
  mend("a");
  EXPECT_FALSE(status("b").enabled) << "its start may be what ends the other";
}

TEST_F(SupervisorDependents, OfWhichTheHubHasTakenItsWishBackAreNotTriedAgain) {
  want_all();
  fail_to_start("a");
  const std::string before = *disk.content(ModuleHistory::path);
  want({});
  end_agent();
  disk.put(ModuleHistory::path, before);  // the power was cut before it was written
  start();
  mend("a");
  EXPECT_FALSE(status("b").enabled);
  EXPECT_THAT(device->section().pending_edits(), IsEmpty());
}

TEST_F(SupervisorDependents, ThatFailAgainAreInQuarantineAgain) {
  want_all();
  fail_to_start("a");
  mend("a");
  fail_to_start("b");
  EXPECT_THAT(in_quarantine(), ElementsAre("b", "c"));
  EXPECT_EQ(status("a").state, ModuleState::idle);
  mend("b");
  up("c");
  EXPECT_TRUE(device->settings().module_quarantine().empty());
}

}  // namespace
}  // namespace starling::agent
