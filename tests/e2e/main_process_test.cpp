// A daemon that forks, names its child as the main process (MAINPID of sd_notify) and ends: the child is the
// module. Real processes, a real keeper, no hub.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <unistd.h>

#include <csignal>

#include "base/build_folders.hpp"
#include "e2e/keeper_wire.hpp"
#include "e2e/supervised_device.hpp"

namespace starling::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class MainProcess : public testing::Test {
 protected:
  // How it is told to fork: leave or stay.
  void start(const std::string& parent, const std::vector<std::string>& agent_by = {}) {
    device.install(source_folder() / "tests/modules/daemonizing", "daemon", {{"leave", parent}});
    device.start(agent_by);
    device.command("start", "daemon");
  }
  // The one that was named last, once it is the module; another one than `former`.
  pid_t await_main(pid_t former = 0) const {
    pid_t main = 0;
    eventually("the child to be the module", [&] {
      const std::string said = device.ctl({"module", "logs", "daemon"}).output;
      const auto last = said.rfind(" names ");
      if (last == std::string::npos) return false;
      main = std::stoi(said.substr(last + 7));
      const JsonObject shown = device.show("daemon");
      const Json* pid = shown.if_contains("pid");
      return main != former && pid != nullptr && *pid == Json(main) && shown.at("state") == Json("idle");
    });
    return main;
  }
  void await_alone(pid_t main) const {
    eventually("its parent to end", [&] { return device.module_processes() == std::vector{main}; });
  }
  // From then on nothing but its number tells whose it is.
  void hide(pid_t main) const {
    await_alone(main);
    ::kill(main, SIGHUP);
    eventually("what it says to be heard", [&] {
      const JsonObject shown = device.show("daemon");
      const Json* status = shown.if_contains("status");
      return status != nullptr && *status == Json("hidden");
    });
  }
  std::string last_death() const { return boost::json::serialize(device.show("daemon").at("last_death")); }
  void kill_agent() const {
    const pid_t former = device.agent();
    ::kill(former, SIGKILL);
    eventually("another agent to answer", [&] {
      return device.ctl({"module", "list"}).status == 0 && device.agent() != former;
    });
  }
  void expect_that_it_never_ended() const {
    EXPECT_THAT(device.ctl({"journal"}).output, Not(HasSubstr("crashed")));
    EXPECT_FALSE(device.show("daemon").contains("last_death"));
  }

  void expect_that_it_ends_whatever_it_casts_off() const {
    const pid_t main = await_main();
    hide(main);
    device.command("stop", "daemon");
    EXPECT_THAT(device.module_processes(), IsEmpty());
    device.command("start", "daemon");
    hide(await_main(main));
    kill_agent();  // the next one never saw its parent
    device.command("stop", "daemon");
    EXPECT_THAT(device.module_processes(), IsEmpty());
  }

  SupervisedDevice device;
};

TEST_F(MainProcess, IsTheModuleAfterItsParentHasEnded) {
  start("leave");
  const pid_t main = await_main();
  await_alone(main);
  expect_that_it_never_ended();
  ::kill(main, SIGUSR1);
  const pid_t next = await_main(main);
  EXPECT_THAT(last_death(), HasSubstr("exited with status 7"));
  await_alone(next);
  device.command("stop", "daemon");
  EXPECT_THAT(device.module_processes(), IsEmpty());
}

TEST_F(MainProcess, HandsOverToAnother) {
  start("leave");
  const pid_t main = await_main();
  ::kill(main, SIGUSR2);
  const pid_t next = await_main(main);
  eventually("the former one to end", [&] { return !process_is_there(main); });
  await_alone(next);
  expect_that_it_never_ended();
  device.command("restart", "daemon");
  await_alone(await_main(next));
}

TEST_F(MainProcess, TheNextAgentKnowsItAndHowItEnded) {
  start("leave");
  const pid_t main = await_main();
  eventually("that to be written down", [&] {
    return read_text(device.state() / "running_modules.json").find(std::to_string(main)) != std::string::npos;
  });
  kill_agent();
  EXPECT_EQ(await_main(), main);
  expect_that_it_never_ended();
  ::kill(device.agent(), SIGKILL);
  ::kill(main, SIGUSR1);
  const pid_t next = await_main(main);
  EXPECT_THAT(last_death(), HasSubstr("exited with status 7"));
  await_alone(next);
  device.keeper().signal(SIGTERM);
  EXPECT_EQ(device.keeper().wait(), 0) << device.log();
  EXPECT_FALSE(process_is_there(next));
}

TEST_F(MainProcess, EndsTheModuleAlsoIfItsParentLivesAndReapsIt) {
  start("stay");
  const pid_t main = await_main();
  EXPECT_THAT(device.module_processes(), SizeIs(2));
  ::kill(main, SIGKILL);
  await_main(main);
  EXPECT_THAT(last_death(), HasSubstr("only its parent process was told"));
  EXPECT_THAT(device.module_processes(), SizeIs(2));
  device.command("stop", "daemon");
  EXPECT_THAT(device.module_processes(), IsEmpty());
}

TEST_F(MainProcess, IsHeardAndEndedWhateverItHasCastOff) {
  start("leave");
  expect_that_it_ends_whatever_it_casts_off();
}

TEST_F(MainProcess, IsHeardAndEndedWithoutCgroupsToo) {
  start("leave", SupervisedDevice::without_cgroups());
  if (::geteuid() == 0) {
    EXPECT_THAT(device.log(), HasSubstr("without cgroups"));
  }
  expect_that_it_ends_whatever_it_casts_off();
  expect_that_it_never_ended();
}

TEST_F(MainProcess, IsEndedByAFactoryResetWhateverItHasCastOff) {
  start("leave");
  const pid_t main = await_main();
  hide(main);
  write_text(device.state() / "factory_reset", "an action's id");
  ASSERT_EQ(::kill(device.agent(), SIGKILL), 0);
  eventually("the reset to be carried out", [&] { return !fs::exists(device.state() / "factory_reset"); });
  EXPECT_FALSE(process_is_alive(main));
  eventually("an agent to answer", [&] { return device.ctl({"module", "list"}).status == 0; });
  EXPECT_THAT(device.log(), Not(HasSubstr("have not ended")));
}

}  // namespace
}  // namespace starling::e2e
