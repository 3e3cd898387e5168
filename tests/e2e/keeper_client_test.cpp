// The agent's client and the real keeper.
#include "agent/supervisor/keeper/keeper_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "e2e/keeper_fixture.hpp"

namespace starling::e2e {
namespace {

using agent::KeeperClient;
using agent::KeptChild;
using testing::SizeIs;

class Heard final : public agent::KeeperListener {
 public:
  void attached(const agent::KeeperGreeting& greeting, std::vector<KeptChild> kept) override {
    keeper = greeting;
    children = std::move(kept);
    ++attachments;
  }
  void spawned(KeptChild child) override { children.push_back(std::move(child)); }
  void spawn_failed(const agent::SpawnFailure& failure) override { failures.push_back(failure); }
  void exited(std::string_view, const agent::ChildExit& exit) override { exits.push_back(exit); }
  void signal_failed(std::string_view, int error) override { signal_errors.push_back(error); }
  void main_taken(std::string_view, std::int32_t, std::uint64_t) override {}
  void main_refused(std::string_view, std::int32_t, int) override {}
  void lost() override { ++losses; }
  void stop_asked() override { stops = true; }

  agent::KeeperGreeting keeper;
  std::vector<KeptChild> children;
  std::vector<agent::SpawnFailure> failures;
  std::vector<agent::ChildExit> exits;
  std::vector<int> signal_errors;
  int attachments = 0, losses = 0;
  bool stops = false;
};

// An agent's part that talks to the keeper, with a loop of its own.
class Attached {
 public:
  explicit Attached(const std::filesystem::path& socket)
      : client_(context_.get_executor(), socket, Logger()) {
    if (!client_.start(heard)) throw std::runtime_error("the client does not start");
    await("the list", [&] { return heard.attachments == 1; });
  }
  ~Attached() {
    asio::co_spawn(context_, client_.stop(), asio::detached);
    context_.restart();
    context_.run();
  }
  void await(std::string_view what, const std::function<bool()>& condition) {
    eventually(what, [&] {
      context_.restart();
      context_.poll();
      return condition();
    });
  }
  KeeperClient& client() { return client_; }
  Heard heard;

 private:
  asio::io_context context_;
  KeeperClient client_;
};

agent::SpawnRequest script(const std::string& id, const std::string& text) {
  agent::SpawnRequest request;
  request.id = id;
  request.exec = "/bin/sh";
  request.args = {"-c", text};
  request.environment = {{"PATH", "/usr/bin:/bin"}};
  request.notify = true;
  return request;
}

TEST_F(KeeperTest, TheClientFindsWhatItsForerunnerLeft) {
  start();
  pid_t pid = 0;
  {
    Attached first(socket());
    first.client().spawn(script("worker:1", "echo $NOTIFY_SOCKET; exec tail -f /dev/null"));
    first.await("the worker", [&] { return first.heard.children.size() == 1; });
    pid = first.heard.children.front().pid;
  }
  Attached second(socket());
  ASSERT_THAT(second.heard.children, SizeIs(1));
  KeptChild& child = second.heard.children.front();
  EXPECT_EQ(child.pid, pid);
  EXPECT_EQ(child.id, "worker:1");
  const std::string of_its_user = (state() / "notify" / "worker:1.notify").string();
  EXPECT_THAT(read_line(child.streams.out),
              testing::StartsWith(::geteuid() == 0 ? "@starling-notify-" : of_its_user));
  EXPECT_TRUE(child.streams.err);
  EXPECT_TRUE(child.streams.notify);

  second.client().signal("worker:1", SIGTERM, agent::SignalScope::main);
  second.await("its end", [&] { return second.heard.exits.size() == 1; });
  EXPECT_EQ(second.heard.exits.front().kind, agent::ChildExit::Kind::killed);
  second.client().signal("worker:1", SIGTERM, agent::SignalScope::main);
  second.await("refusal", [&] { return second.heard.signal_errors.size() == 1; });
  second.client().forget("worker:1");
  second.client().list();
  second.await("another list", [&] { return second.heard.attachments == 2; });
  EXPECT_THAT(second.heard.children, SizeIs(0));
}

TEST_F(KeeperTest, TheClientHearsWhatFailedAndWhenToStop) {
  start();
  Attached agent(socket());
  EXPECT_EQ(agent.heard.keeper.pid, keeper_->pid());
  EXPECT_EQ(agent.heard.keeper.starts, 1u);
  agent::SpawnRequest missing = script("missing:1", "");
  missing.exec = "/no/such/program";
  agent.client().spawn(missing);
  agent.await("the failure", [&] { return agent.heard.failures.size() == 1; });
  EXPECT_EQ(agent.heard.failures.front().step, agent::SpawnStep::exec);
  EXPECT_EQ(agent.heard.failures.front().error, ENOENT);
  keeper_->signal(SIGTERM);
  agent.await("the word to stop", [&] { return agent.heard.stops; });
  keeper_->signal(SIGTERM);
  agent.await("the keeper's end", [&] { return agent.heard.losses == 1; });
  EXPECT_EQ(keeper_->wait(), 0);
}

}  // namespace
}  // namespace starling::e2e
