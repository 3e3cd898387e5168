// The keeper and the main processes that are named to it: real ones, whose parents end, live on or reap them.
#include <sys/wait.h>

#include <cerrno>

#include "agent/supervisor/processes/process_table.hpp"
#include "e2e/keeper_fixture.hpp"

namespace starling::e2e {
namespace {

using namespace keeper;
using testing::IsEmpty;
using testing::SizeIs;

class KeeperMain : public KeeperTest {
 protected:
  static NameMain name(const std::string& id, pid_t pid) {
    return {id, pid, agent::ProcessTable().entry(pid).value().start_time};
  }
  static void take(KeeperWire& agent, const NameMain& named) {
    agent.send(named);
    const auto taken = agent.expect<MainTaken>();
    EXPECT_EQ(taken.pid, named.pid);
    EXPECT_EQ(taken.start, named.start);
  }
  static pid_t told_pid(ToldChild& child) { return std::stoi(read_line(child.handle(Handle::out))); }
  static void await_end(pid_t pid) {
    eventually("the end of a process", [&] { return !process_is_alive(pid); });
  }
  // Its parent ends when the gate is opened.
  SpawnRequest forking(const Gate& gate) {
    return shell("daemon", "tail -f /dev/null & echo $!; " + gate.wait() + "exit 3");
  }
};

TEST_F(KeeperMain, TheOneThatWasNamedCountsAndNotItsParent) {
  start();
  KeeperWire agent = attach();
  const Gate gate(folder_ / "gate");
  ToldChild child = agent.spawn(forking(gate));
  const pid_t main = told_pid(child);
  take(agent, name("daemon", main));
  gate.open();
  await_end(child.pid);
  const auto listed = agent.list();
  ASSERT_THAT(listed, SizeIs(1)) << "nothing was told of the end of the parent";
  EXPECT_EQ(listed[0].state, ChildState::running);
  EXPECT_EQ(listed[0].pid, main);
  EXPECT_EQ(listed[0].start, name("daemon", main).start);
  EXPECT_EQ(listed[0].leader, child.pid);
  EXPECT_EQ(listed[0].leader_start, child.start);
  agent.send(SignalRequest{"daemon", SIGTERM, SignalScope::main});
  const auto exited = agent.expect<Exited>();
  EXPECT_EQ(exited.pid, main);
  EXPECT_EQ(exited.exit.kind, ExitKind::killed);
  EXPECT_EQ(exited.exit.status, SIGTERM);
  EXPECT_TRUE(process_is_there(child.pid) && process_is_there(main)) << "their numbers are kept from others";
  agent.send(Forget{"daemon"});
  EXPECT_THAT(agent.list(), IsEmpty());
  EXPECT_FALSE(process_is_there(child.pid) || process_is_there(main));
}

TEST_F(KeeperMain, ItCanBeNamedAfterItsParentHasEndedAndOutlivesTheAgent) {
  start();
  const Gate gate(folder_ / "gate"), end(folder_ / "end");
  pid_t main = 0;
  {
    KeeperWire agent = attach();
    ToldChild child =
        agent.spawn(shell("daemon", "(" + end.wait() + "exit 5) & echo $!; " + gate.wait() + "exit 3"));
    main = told_pid(child);
    gate.open();
    EXPECT_EQ(agent.expect<Exited>().exit.status, 3);
    take(agent, name("daemon", main));
  }
  {
    KeeperWire next = attach();
    ASSERT_THAT(next.children(), SizeIs(1));
    EXPECT_EQ(next.children()[0].state, ChildState::running);
    EXPECT_EQ(next.children()[0].pid, main);
  }
  end.open();
  await_end(main);
  KeeperWire last = attach();
  ASSERT_THAT(last.children(), SizeIs(1));
  EXPECT_EQ(last.children()[0].state, ChildState::exited);
  EXPECT_EQ(last.children()[0].pid, main);
  EXPECT_EQ(last.children()[0].exit->kind, ExitKind::exited);
  EXPECT_EQ(last.children()[0].exit->status, 5);
}

TEST_F(KeeperMain, OfOneThatAnotherReapsOnlyTheEndIsKnown) {
  start();
  KeeperWire agent = attach();
  ToldChild child = agent.spawn(shell("daemon", "tail -f /dev/null & echo $!; wait; exec tail -f /dev/null"));
  const pid_t main = told_pid(child);
  take(agent, name("daemon", main));
  ::kill(main, SIGKILL);
  const auto exited = agent.expect<Exited>();
  EXPECT_EQ(exited.pid, main);
  EXPECT_EQ(exited.exit.kind, ExitKind::killed);
  EXPECT_EQ(exited.exit.status, 0);
  EXPECT_TRUE(process_is_alive(child.pid));
  agent.send(SignalRequest{"daemon", SIGTERM, SignalScope::main});
  EXPECT_EQ(agent.expect<SignalFailed>().error, ESRCH) << "it has ended";
  agent.send(SignalRequest{"daemon", SIGKILL, SignalScope::group});
  agent.send(Forget{"daemon"});
  EXPECT_THAT(agent.list(), IsEmpty());
  eventually("the parent to be reaped", [&] { return !process_is_there(child.pid); });
}

TEST_F(KeeperMain, TheNextOneReplacesIt) {
  start();
  KeeperWire agent = attach();
  const Gate gate(folder_ / "gate");
  ToldChild child = agent.spawn(
      shell("daemon", "tail -f /dev/null & echo $!; tail -f /dev/null & echo $!; " + gate.wait() + "exit 3"));
  const pid_t first = told_pid(child), second = told_pid(child);
  take(agent, name("daemon", first));
  take(agent, name("daemon", second));
  take(agent, name("daemon", child.pid));
  EXPECT_EQ(agent.list()[0].leader, 0) << "the one that was spawned is the main one again";
  take(agent, name("daemon", first));
  gate.open();
  await_end(child.pid);
  take(agent, name("daemon", second));
  ::kill(first, SIGKILL);
  eventually("the former one to be reaped", [&] { return !process_is_there(first); });
  EXPECT_EQ(agent.list()[0].state, ChildState::running) << "its end was no end of the child's";
  ::kill(second, SIGTERM);
  EXPECT_EQ(agent.expect<Exited>().exit.status, SIGTERM);
}

TEST_F(KeeperMain, WhatDoesNotLiveIsRefusedAndChangesNothing) {
  start();
  KeeperWire agent = attach();
  const Gate gate(folder_ / "gate");
  ToldChild child = agent.spawn(forking(gate));
  const pid_t main = told_pid(child);
  NameMain older = name("daemon", main);
  --older.start;
  const pid_t zombie = ::fork();
  if (zombie == 0) ::_exit(0);
  await_end(zombie);
  for (const NameMain& wrong :
       {older, name("nobody", main), name("daemon", zombie), NameMain{"daemon", 0, 0}}) {
    agent.send(wrong);
    const auto refused = agent.expect<MainRefused>();
    EXPECT_EQ(refused.pid, wrong.pid);
    EXPECT_EQ(refused.error, wrong.pid == 0 ? EINVAL : ESRCH);
  }
  ::waitpid(zombie, nullptr, 0);
  EXPECT_EQ(agent.list()[0].pid, child.pid);
  gate.open();
  EXPECT_EQ(agent.expect<Exited>().pid, child.pid);
}

TEST_F(KeeperMain, OneWhoseParentLivesIsAskedToEndWithTheDevice) {
  start();
  std::optional<ToldChild> child;
  {
    KeeperWire agent = attach();
    child.emplace(agent.spawn(
        shell("daemon",
              "setsid sh -c 'tail -f /dev/null & trap \"kill $!; echo bye; exit\" TERM; echo $$; wait' & "
              "trap '' TERM; echo deaf; wait")));
    const std::string said =
        read_line(child->handle(Handle::out)) + " " + read_line(child->handle(Handle::out));
    const auto digit = said.find_first_of("0123456789");
    take(agent, name("daemon", std::stoi(said.substr(digit))));
  }
  keeper_->signal(SIGTERM);
  EXPECT_EQ(keeper_->wait(), 0);
  EXPECT_EQ(read_pipe(child->handle(Handle::out)), "bye\n");
}

TEST_F(KeeperMain, WithoutPidfdThereIsNone) {
  start(idle, {"--without", "pidfd"});
  KeeperWire agent = attach();
  const Gate gate(folder_ / "gate");
  ToldChild child = agent.spawn(forking(gate));
  agent.send(name("daemon", told_pid(child)));
  EXPECT_EQ(agent.expect<MainRefused>().error, ENOSYS);
}

}  // namespace
}  // namespace starling::e2e
