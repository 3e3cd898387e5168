// The keeper and the agent that it starts: restarted, counted, and in the end stopped with everything else.
#include "e2e/keeper_fixture.hpp"

namespace starling::e2e {

namespace {

using namespace keeper;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

pid_t pid_in(const std::filesystem::path& file) {
  pid_t pid = 0;
  eventually(file.filename().string(), [&] {
    const std::string text = read_text(file);
    if (!text.ends_with('\n')) return false;
    pid = std::stoi(text);
    return true;
  });
  return pid;
}

class KeptAgent : public KeeperTest {
 protected:
  std::filesystem::path file(const char* name) const { return folder_ / name; }
  // For a script: leaves its process id in a file.
  std::string sign(const char* name) const { return "echo $$ > " + file(name).string() + "; "; }
};

TEST_F(KeptAgent, KnowsTheSocketAndWritesWhereTheKeeperWrites) {
  start("echo \"the socket is $STARLING_KEEPER\"; echo and this is an error >&2; " + std::string(idle));
  await_log("the socket is " + std::filesystem::canonical(folder_.path()).string() + "/state/keeper.sock\n");
  await_log("and this is an error");
}

TEST_F(KeptAgent, IsStartedAgainWhenItFails) {
  const std::string tries = file("tries").string();
  start("echo x >> " + tries + "; [ $(wc -l < " + tries + ") -gt 3 ] || exit 1; " + sign("agent") + idle);
  pid_in(file("agent"));
  KeeperWire agent = attach();
  EXPECT_EQ(agent.welcome().starts, 4u);
  EXPECT_EQ(agent.welcome().crashes, 3u);
  EXPECT_EQ(agent.welcome().unrecorded, 0u);
  EXPECT_EQ(agent.welcome().keeper_pid, keeper_->pid());

  agent.send(Healthy{});
  agent.list();  // it has been heard
  EXPECT_EQ(attach().welcome().starts, 0u);
  EXPECT_EQ(attach().welcome().crashes, 0u);
}

TEST_F(KeptAgent, IsStartedAgainWhenItEndsWellWhichIsNoCrash) {
  const std::string once = file("once").string();
  start("[ -e " + once + " ] || { touch " + once + "; exit 0; }; " + sign("agent") + idle);
  pid_in(file("agent"));
  EXPECT_EQ(attach().welcome().starts, 2u);
  EXPECT_EQ(attach().welcome().crashes, 0u);
}

TEST_F(KeptAgent, MayBeKilledWhileItsModulesRunOn) {
  start(sign("agent") + idle);
  const pid_t first = pid_in(file("agent"));
  const pid_t module = attach().spawn(shell("module", idle)).pid;
  std::filesystem::remove(file("agent"));
  ::kill(first, SIGKILL);
  EXPECT_NE(pid_in(file("agent")), first);
  KeeperWire next = attach();
  EXPECT_EQ(next.welcome().crashes, 1u);
  ASSERT_THAT(next.children(), SizeIs(1));
  EXPECT_EQ(next.children().front().pid, module);
  EXPECT_EQ(next.children().front().state, ChildState::running);
}

TEST_F(KeptAgent, IsCountedAcrossKeepersAndPowerCuts) {
  for (unsigned power_cut = 0; power_cut < 3; ++power_cut) {
    start(sign("agent") + idle);
    const pid_t agent = pid_in(file("agent"));
    const Welcome welcome = attach().welcome();
    EXPECT_EQ(welcome.starts, power_cut + 1);
    EXPECT_EQ(welcome.unrecorded, power_cut);
    EXPECT_EQ(welcome.crashes, 0u);
    ::kill(agent, SIGSTOP);  // it does not hear of what comes
    keeper_->signal(SIGKILL);
    keeper_->wait();
    ::kill(agent, SIGKILL);
    std::filesystem::remove(file("agent"));
  }
  start(sign("agent") + idle);
  pid_in(file("agent"));
  keeper_->signal(SIGTERM);
  EXPECT_EQ(keeper_->wait(), 0);
  start();
  EXPECT_EQ(attach().welcome().unrecorded, 3u) << "a good end is written down";
}

TEST_F(KeptAgent, EndsWithAKeeperThatIsKilled) {
  start(sign("agent") + idle);
  const pid_t agent = pid_in(file("agent"));
  keeper_->signal(SIGKILL);
  eventually("the end of the agent", [&] { return !process_is_alive(agent); });
}

TEST_F(KeptAgent, ThatCannotBeExecutedIsToldAndTriedAgain) {
  start_process("starling-keeper",
                {"--state", state().string(), "--log-format", "text", "--", file("late").string()});
  await_log("the agent cannot be executed");
  EXPECT_THAT(keeper_->output(), HasSubstr("No such file or directory"));
  write_text(file("late"), "#!/bin/sh\n" + sign("agent") + idle + "\n", 0755);
  pid_in(file("agent"));
}

class KeptAgentGivesUp : public KeptAgent, public testing::WithParamInterface<int> {};

TEST_P(KeptAgentGivesUp, AndTheKeeperEndsWithItAfterItsModules) {
  const Gate gate(file("gate"));
  start(gate.wait() + "exit " + std::to_string(GetParam()));
  const pid_t module = attach().spawn(shell("module", idle)).pid;
  gate.open();
  EXPECT_EQ(keeper_->wait(), GetParam());
  EXPECT_FALSE(process_is_there(module));
}
INSTANTIATE_TEST_SUITE_P(WithAWrongCommandLineOrConfiguration, KeptAgentGivesUp, testing::Values(2, 78));

// --- one that hangs

TEST_F(KeptAgent, ThatHangsIsEndedIfItAskedForThat) {
  start(sign("agent") + idle);
  const pid_t first = pid_in(file("agent"));
  pid_t module = 0;
  {
    KeeperWire agent = attach();
    module = agent.spawn(shell("module", idle)).pid;
    std::filesystem::remove(file("agent"));
    agent.send(Watch{1});
    EXPECT_NE(pid_in(file("agent")), first);
  }
  EXPECT_THAT(keeper_->output(), HasSubstr("hangs"));
  KeeperWire next = attach();
  EXPECT_EQ(next.welcome().crashes, 1u);
  ASSERT_THAT(next.children(), SizeIs(1));
  EXPECT_EQ(next.children().front().pid, module);
}

TEST_F(KeptAgent, ThatDoesNotEvenHearThatItIsToEndIsKilled) {
  start("trap '' ABRT; " + sign("agent") + idle);
  const pid_t first = pid_in(file("agent"));
  ::kill(first, SIGSTOP);
  std::filesystem::remove(file("agent"));
  attach().send(Watch{1});
  EXPECT_NE(pid_in(file("agent")), first);
}

// --- the end

TEST_F(KeptAgent, IsAskedToStopAndThenNothingIsLeft) {
  start(sign("agent") + idle);
  const pid_t agent_pid = pid_in(file("agent"));
  pid_t module = 0;
  {
    KeeperWire agent = attach();
    module = agent.spawn(shell("module", idle)).pid;
    keeper_->signal(SIGTERM);
    agent.expect<Stop>();
    EXPECT_TRUE(process_is_alive(module)) << "the agent stops it";
    agent.send(SignalRequest{"module", SIGTERM, SignalScope::group});
    EXPECT_EQ(agent.expect<Exited>().exit.status, SIGTERM);
    agent.send(Forget{"module"});
    agent.list();
    EXPECT_TRUE(process_is_alive(agent_pid)) << "it ends by itself when it has stopped everything";
  }
  EXPECT_EQ(keeper_->wait(), 0);
  EXPECT_FALSE(process_is_there(agent_pid));
  EXPECT_FALSE(process_is_there(module));
  EXPECT_FALSE(std::filesystem::exists(socket()));
}

TEST_F(KeptAgent, ThatLeavesModulesBehindHasThemStoppedByTheKeeper) {
  start(sign("agent") + idle);
  pid_in(file("agent"));
  ToldChild module =
      attach().spawn(shell("module", "trap 'echo bye; exit 0' TERM; echo up; tail -f /dev/null & wait"));
  EXPECT_EQ(read_pipe(module.handle(Handle::out), 3), "up\n");
  keeper_->signal(SIGTERM);
  EXPECT_EQ(keeper_->wait(), 0);
  EXPECT_EQ(read_pipe(module.handle(Handle::out)), "bye\n");
  EXPECT_FALSE(process_is_there(module.pid));
}

TEST_F(KeptAgent, ASecondSignalEndsWhatIgnoresTheFirst) {
  start("trap '' TERM; " + sign("agent") + idle);
  const pid_t agent = pid_in(file("agent"));
  KeeperWire wire = attach();
  const ToldChild module =
      wire.spawn(shell("module", "trap '' TERM; setsid sh -c 'echo $$ > " + file("escaped").string() + "; " +
                                     idle + "' & " + idle));
  const pid_t escaped = pid_in(file("escaped"));
  keeper_->signal(SIGTERM);
  await_log("stopping");
  EXPECT_TRUE(process_is_alive(module.pid));
  keeper_->signal(SIGTERM);
  EXPECT_EQ(keeper_->wait(), 0);
  for (const pid_t pid : {agent, module.pid, escaped})
    EXPECT_FALSE(process_is_there(pid));
}

}  // namespace
}  // namespace starling::e2e
