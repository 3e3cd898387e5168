// The client against a keeper that says what the test wants. The real keeper:
// tests/e2e/keeper_client_test.cpp.
#include "agent/supervisor/keeper/keeper_client.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <cstring>
#include <functional>

#include "base/temporary_folder.hpp"

namespace starling::agent {
namespace {

using namespace std::literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

// Writes down what it hears, one word each.
class Notes final : public KeeperListener {
 public:
  void attached(const KeeperGreeting& greeting, std::vector<KeptChild> kept) override {
    words.emplace_back("attached");
    keeper = greeting;
    children = std::move(kept);
  }
  void spawned(KeptChild child) override {
    words.push_back("spawned " + child.id);
    children.push_back(std::move(child));
  }
  void spawn_failed(const SpawnFailure& failure) override {
    words.push_back("spawn_failed " + failure.id + " " + std::to_string(static_cast<int>(failure.step)) +
                    " " + std::to_string(failure.error));
  }
  void exited(std::string_view id, const ChildExit& exit) override {
    words.push_back("exited " + std::string(id) + " " + std::to_string(exit.status));
    last_exit = exit;
  }
  void signal_failed(std::string_view id, int error) override {
    words.push_back("signal_failed " + std::string(id) + " " + std::to_string(error));
  }
  void main_taken(std::string_view id, std::int32_t pid, std::uint64_t start_time) override {
    words.push_back("main_taken " + std::string(id) + " " + std::to_string(pid) + " " +
                    std::to_string(start_time));
  }
  void main_refused(std::string_view id, std::int32_t pid, int error) override {
    words.push_back("main_refused " + std::string(id) + " " + std::to_string(pid) + " " +
                    std::to_string(error));
  }
  void lost() override { words.emplace_back("lost"); }
  void stop_asked() override { words.emplace_back("stop"); }

  std::vector<std::string> words;
  KeeperGreeting keeper;
  std::vector<KeptChild> children;
  ChildExit last_exit;
};

SpawnRequest request(const std::string& id, std::string argument) {
  SpawnRequest made;
  made.id = id;
  made.exec = "/bin/a";
  made.args.push_back(std::move(argument));
  return made;
}

class KeeperClientTest : public testing::Test {
 protected:
  KeeperClientTest() {
    listen();
    EXPECT_TRUE(client_.start(notes_));
  }
  ~KeeperClientTest() override {
    asio::co_spawn(context_, client_.stop(), asio::detached);
    context_.restart();
    context_.run();
  }

  void listen() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, socket_path().c_str(), sizeof(address.sun_path) - 1);
    listener_ = FileDescriptor(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    ASSERT_EQ(::bind(listener_.number(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    ASSERT_EQ(::listen(listener_.number(), 4), 0);
  }
  std::filesystem::path socket_path() const { return folder_ / "keeper.sock"; }

  void eventually(const std::function<bool()>& condition) {
    for (int turn = 0; turn < 3'000; ++turn) {
      if (condition()) return;
      context_.restart();
      context_.run_one_for(Milliseconds(10));
    }
    FAIL() << "waited in vain";
  }
  void await_words(std::size_t count) {
    eventually([&] { return notes_.words.size() >= count; });
  }
  void accept() {
    eventually([&] {
      keeper_ = FileDescriptor(::accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
      return static_cast<bool>(keeper_);
    });
  }
  // The next request, as text with blanks for NULs.
  std::string heard() {
    std::string packet(keeper::max_packet_bytes, '\0');
    ssize_t got = -1;
    eventually([&] { return (got = ::recv(keeper_.number(), packet.data(), packet.size(), 0)) >= 0; });
    packet.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
    std::ranges::replace(packet, '\0', ' ');
    return packet;
  }
  void say(std::string_view packet, std::vector<int> descriptors = {}) {
    iovec bytes{const_cast<char*>(packet.data()), packet.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
    msghdr message{};
    message.msg_iov = &bytes;
    message.msg_iovlen = 1;
    if (!descriptors.empty()) {
      message.msg_control = control.data();
      message.msg_controllen = CMSG_SPACE(descriptors.size() * sizeof(int));
      cmsghdr* header = CMSG_FIRSTHDR(&message);
      header->cmsg_level = SOL_SOCKET;
      header->cmsg_type = SCM_RIGHTS;
      header->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
      std::memcpy(CMSG_DATA(header), descriptors.data(), descriptors.size() * sizeof(int));
    }
    ASSERT_EQ(::sendmsg(keeper_.number(), &message, MSG_NOSIGNAL), static_cast<ssize_t>(packet.size()));
  }
  void greet() {
    accept();
    EXPECT_EQ(heard(), "hello version=3");
    say("welcome\0version=9\0pid=12\0starts=3\0crashes=1\0unrecorded=1\0mood=good"sv);
    say("listed"sv);
    await_words(notes_.words.size() + 1);
  }

  const TemporaryFolder folder_;
  asio::io_context context_;
  FileDescriptor listener_, keeper_;
  Notes notes_;
  KeeperClient client_{context_.get_executor(), socket_path(), Logger()};
};

TEST_F(KeeperClientTest, IsAttachedWhenTheListIsComplete) {
  accept();
  EXPECT_EQ(heard(), "hello version=3");
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const FileDescriptor out(ends[0]), in(ends[1]);
  say("welcome\0version=9\0pid=12\0starts=3\0crashes=1\0unrecorded=1\0mood=good"sv);
  say("child\0id=a:1\0pid=7\0start=99\0state=running\0cgroup=1\0fd=stderr\0fd=stdout"sv,
      {in.number(), out.number()});
  say("child\0id=b:2\0pid=8\0start=98\0state=exited\0code=dumped\0status=6\0at=5\0user_us=1\0system_us=2\0maxrss_kb=3"sv);
  say("listed"sv);
  await_words(1);
  EXPECT_THAT(notes_.words, ElementsAre("attached"));
  EXPECT_EQ(notes_.keeper.version, 9);
  EXPECT_EQ(notes_.keeper.starts, 3u);
  EXPECT_EQ(notes_.keeper.unrecorded, 1u);
  ASSERT_THAT(notes_.children, SizeIs(2));
  const KeptChild& running = notes_.children[0];
  EXPECT_EQ(running.start_time, 99u);
  EXPECT_TRUE(running.in_cgroup);
  EXPECT_FALSE(running.exit);
  EXPECT_FALSE(running.streams.notify);
  ASSERT_EQ(::write(running.streams.err.number(), "!", 1), 1);
  char byte = 0;
  EXPECT_EQ(::read(running.streams.out.number(), &byte, 1), 1) << "each descriptor is what its word says";
  const KeptChild& dead = notes_.children[1];
  ASSERT_TRUE(dead.exit);
  EXPECT_EQ(dead.exit->kind, ChildExit::Kind::dumped);
  EXPECT_EQ(dead.exit->largest_resident_kb, 3u);
}

TEST_F(KeeperClientTest, SaysWhatTheSupervisorWants) {
  greet();
  client_.spawn({.id = "a:1",
                 .exec = "/bin/a",
                 .args = {"x y", ""},
                 .environment = {{"HOME", "/"}},
                 .working_folder = "/w",
                 .credentials = SpawnRequest::Credentials{.uid = 1, .gid = 2, .groups = {3, 4}},
                 .nice = 5,
                 .limit_files = 6,
                 .limit_core_bytes = 7,
                 .limit_address_space_bytes = 8,
                 .umask = 022,
                 .cgroup = "/c",
                 .notify = true,
                 .mark = "m"});
  EXPECT_EQ(heard(),
            "spawn id=a:1 exec=/bin/a arg=x y arg= env=HOME=/ cwd=/w uid=1 gid=2 group=3 group=4 nice=5 "
            "limit_nofile=6 "
            "limit_core=7 limit_as=8 umask=22 cgroup=/c notify=1 mark=m");
  client_.signal("a:1", 15, SignalScope::group);
  EXPECT_EQ(heard(), "signal id=a:1 signal=15 scope=group");
  client_.signal("a:1", 9, SignalScope::main);
  EXPECT_EQ(heard(), "signal id=a:1 signal=9 scope=main");
  client_.forget("a:1");
  EXPECT_EQ(heard(), "forget id=a:1");
  client_.list();
  EXPECT_EQ(heard(), "list");
  client_.healthy();
  EXPECT_EQ(heard(), "healthy");
}

TEST_F(KeeperClientTest, PassesOnWhatTheKeeperTellsAndOverlooksTheRest) {
  greet();
  for (const std::string_view packet :
       {"sing\0song=la"sv, "exited\0id=a"sv, "\0\0"sv, "unsupported\0verb=dance"sv, "error\0message=no"sv,
        "spawn_failed\0id=a:1\0step=uid\0errno=1"sv, "spawn_failed\0id=a:2\0step=unheard\0errno=1"sv,
        "exited\0id=a:3\0pid=4\0code=exited\0status=7\0at=5\0user_us=1\0system_us=2\0maxrss_kb=3"sv,
        "signal_failed\0id=a:4\0errno=3"sv, "spawned\0id=a:5\0pid=4\0start=4\0state=running\0fd=stdout"sv,
        "stop"sv}) {
    say(packet);
  }
  await_words(6);
  EXPECT_THAT(notes_.words, ElementsAre("attached", "spawn_failed a:1 3 1", "exited a:3 7",
                                        "signal_failed a:4 3", "spawned a:5", "stop"));
  EXPECT_FALSE(notes_.children.back().streams.out) << "it was announced, and did not come";
}

TEST_F(KeeperClientTest, AMainProcessIsNamedAndTakenOrRefused) {
  greet();
  client_.name_main("a:1", 8, 80);
  EXPECT_EQ(heard(), "main id=a:1 pid=8 start=80");
  say("main_taken\0id=a:1\0pid=8\0start=80"sv);
  say("main_refused\0id=a:1\0pid=9\0errno=3"sv);
  say("exited\0id=a:1\0pid=8\0code=killed\0status=0\0at=5\0user_us=0\0system_us=0\0maxrss_kb=0"sv);
  await_words(4);
  EXPECT_THAT(notes_.words,
              ElementsAre("attached", "main_taken a:1 8 80", "main_refused a:1 9 3", "exited a:1 0"));
  EXPECT_EQ(notes_.last_exit.kind, ChildExit::Kind::unknown) << "no signal has the number 0";
}

TEST_F(KeeperClientTest, AListedChildIsItsMainProcess) {
  accept();
  heard();
  say("welcome\0version=2\0pid=12\0starts=3\0crashes=1\0unrecorded=1"sv);
  say("child\0id=a:1\0pid=8\0start=80\0state=running\0leader=7\0leader_start=70"sv);
  say("child\0id=b:1\0pid=9\0start=90\0state=running"sv);
  say("listed"sv);
  await_words(1);
  ASSERT_THAT(notes_.children, SizeIs(2));
  EXPECT_EQ(notes_.children[0].pid, 8);
  EXPECT_EQ(notes_.children[0].leader_pid, 7);
  EXPECT_EQ(notes_.children[0].leader_start_time, 70u);
  EXPECT_EQ(notes_.children[1].leader_pid, 9);
  EXPECT_EQ(notes_.children[1].leader_start_time, 90u);
}

TEST_F(KeeperClientTest, AKeeperThatIsOlderIsNotAskedForAnotherMainProcess) {
  accept();
  heard();
  say("welcome\0version=1\0pid=12\0starts=3\0crashes=1\0unrecorded=1"sv);
  say("listed"sv);
  await_words(1);
  client_.name_main("a:1", 8, 80);
  EXPECT_THAT(notes_.words, ElementsAre("attached")) << "not from within the call";
  await_words(2);
  EXPECT_THAT(notes_.words, ElementsAre("attached", "main_refused a:1 8 " + std::to_string(EPROTONOSUPPORT)));
  client_.list();
  EXPECT_EQ(heard(), "list");
}

TEST_F(KeeperClientTest, DescriptorsThatDidNotArriveAreAskedForAgain) {
  greet();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const FileDescriptor out(ends[0]), in(ends[1]);
  say("spawned\0id=a:1\0pid=4\0start=4\0state=running\0fd=stdout\0fd=stderr"sv, {out.number()});
  await_words(3);
  EXPECT_THAT(notes_.words, ElementsAre("attached", "spawned a:1", "lost"));
  EXPECT_TRUE(notes_.children.back().streams.out);
  EXPECT_FALSE(notes_.children.back().streams.err);
  accept();
  heard();
  say("welcome\0version=1\0pid=12\0starts=3\0crashes=1\0unrecorded=1"sv);
  say("child\0id=a:1\0pid=4\0start=4\0state=running\0fd=stdout"sv);
  say("listed"sv);
  await_words(5);
  EXPECT_THAT(notes_.words, ElementsAre("attached", "spawned a:1", "lost", "attached", "lost"));
  greet();
}

TEST_F(KeeperClientTest, ARequestThatCannotBeWrittenHasFailedLater) {
  greet();
  client_.spawn(request("a:1", "x\0y"s));
  client_.spawn(request("a:2", std::string(keeper::max_packet_bytes, 'x')));
  EXPECT_THAT(notes_.words, ElementsAre("attached")) << "not from within the call";
  await_words(3);
  const std::string refused = " " + std::to_string(static_cast<int>(SpawnStep::request)) + " ";
  EXPECT_THAT(notes_.words, ElementsAre("attached", "spawn_failed a:1" + refused + std::to_string(EINVAL),
                                        "spawn_failed a:2" + refused + std::to_string(E2BIG)));
}

TEST_F(KeeperClientTest, ConnectsAgainWhenTheKeeperIsGone) {
  greet();
  keeper_.reset();
  await_words(2);
  client_.healthy();  // to nobody
  greet();
  EXPECT_THAT(notes_.words, ElementsAre("attached", "lost", "attached"));
  client_.list();
  EXPECT_EQ(heard(), "list");
}

TEST_F(KeeperClientTest, AListThatIsCutOffIsForgotten) {
  accept();
  heard();
  say("welcome\0version=1\0pid=12\0starts=3\0crashes=1\0unrecorded=1"sv);
  say("child\0id=a:1\0pid=7\0start=99\0state=running\0cgroup=1"sv);
  keeper_.reset();
  await_words(1);
  greet();
  EXPECT_THAT(notes_.words, ElementsAre("lost", "attached"));
  EXPECT_THAT(notes_.children, IsEmpty());
}

TEST_F(KeeperClientTest, WaitsForAKeeperThatReadsLate) {
  greet();
  constexpr int count = 2'000;
  for (int i = 0; i < count; ++i)
    client_.signal("a:" + std::to_string(i), 15, SignalScope::main);
  for (int i = 0; i < count; ++i)
    ASSERT_EQ(heard(), "signal id=a:" + std::to_string(i) + " signal=15 scope=main");
}

TEST_F(KeeperClientTest, LeavesAKeeperThatDoesNotRead) {
  greet();
  const SpawnRequest large = request("a:1", std::string(60'000, 'x'));
  for (std::size_t sent = 0; sent < 2 * KeeperClient::max_unsent_bytes; sent += 60'000)
    client_.spawn(large);
  await_words(2);
  EXPECT_THAT(notes_.words, ElementsAre("attached", "lost"));
  greet();
}

TEST(KeeperClientPath, TooLongForASocketIsRefused) {
  asio::io_context context;
  Notes notes;
  KeeperClient client(context.get_executor(), std::string(200, 'x'), Logger());
  EXPECT_EQ(client.start(notes).error().code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace starling::agent
