// What is told of modules in trouble, up to the report: as long as it is so, and one thing of each.
#include <gmock/gmock.h>

#include <csignal>

#include "agent/supervisor/supervisor_fixture.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SupervisorAlerts : public SupervisorFixture {
 protected:
  ModuleStatus ear() const { return supervisor->statuses().front(); }
  std::vector<std::string> alerts() const {
    JsonObject report;
    supervisor->add_to(report);
    std::vector<std::string> kinds;
    if (const Json* all = report.if_contains("alerts"))
      for (const Json& alert : all->as_array())
        kinds.emplace_back(alert.at("kind").as_string());
    return kinds;
  }
  void pass(Milliseconds time) {
    clock.advance(time);
    supervisor->tick();
  }
  void die(keeper::Exit how) {
    eventually([&] { return pass(Milliseconds(100)), ear().state == ModuleState::starting; });
    const std::string id = "ear:" + std::to_string(ear().run);
    const auto pid = static_cast<std::int32_t>(0x7000'0000 + ear().run);  // of no process
    say(keeper::Spawned{{.id = id, .pid = pid, .start = 1}});
    eventually([&] { return ear().pid != 0; });
    say(keeper::Exited{id, pid, how});
    eventually([&] { return ear().pid == 0; });
  }
};

TEST_F(SupervisorAlerts, OneThatGivesUpIsInNoCrashLoopAnyMore) {
  write_module("ear", "exec = 'run'\n", "enabled = true\n");
  start();
  for (std::size_t i = 0; i < RestartPolicy::loop_failures; ++i)
    die({.kind = keeper::ExitKind::killed, .status = SIGSEGV});
  EXPECT_THAT(alerts(), ElementsAre("crash_loop"));
  pass(RestartPolicy::slow_delay);
  die({.kind = keeper::ExitKind::exited, .status = SupervisedModule::exit_not_configured});
  EXPECT_THAT(alerts(), ElementsAre("needs_help"));
  supervisor->command("ear", ModuleCommand::start, {});
  EXPECT_THAT(alerts(), IsEmpty()) << "somebody has helped";
}

TEST_F(SupervisorAlerts, OneThatWasMendedNeedsNoHelp) {
  write_module("ear", "exec = 1\n", "enabled = true\n");
  start();
  eventually([&] { return !alerts().empty(); });
  EXPECT_THAT(alerts(), ElementsAre("needs_help"));
  write_module("ear", "exec = 'run'\n");
  eventually([&] { return pass(Milliseconds(100)), ear().manifest_problem.empty(); });
  EXPECT_THAT(alerts(), IsEmpty());
}

}  // namespace
}  // namespace starling::agent
