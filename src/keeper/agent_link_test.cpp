#include "keeper/agent_link.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/temporary_folder.hpp"
#include "keeper/unix_address.hpp"

namespace starling::keeper {
namespace {

using namespace std::literals;

class AgentLinkTest : public testing::Test, protected AgentLink::Receiver {
 protected:
  void attached() override { heard_ += "attached "; }
  void requested(const Request& request) override { heard_ += encode(request).value_or("?") + " "; }
  void detached() override { heard_ += "detached "; }

  FileDescriptor connect() const {
    const UnixAddress address = *UnixAddress::of(path_);
    FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(socket.number(), address.get(), address.size), 0);
    return socket;
  }
  static void say(const FileDescriptor& socket, std::string_view packet) {
    EXPECT_EQ(::send(socket.number(), packet.data(), packet.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(packet.size()));
  }
  static bool is_closed(const FileDescriptor& socket) {
    char byte = 0;
    return ::recv(socket.number(), &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
  }
  // Everything that is there to be served.
  std::string serve() {
    constexpr int more_than_is_there = 20;
    for (int i = 0; i < more_than_is_there; ++i)
      poller_.wait(Milliseconds(0));
    return std::exchange(heard_, {});
  }

  const TemporaryFolder folder_;
  const std::string path_ = folder_ / "keeper.sock";
  SystemClock clock_;
  Log log_{clock_, Log::Format::text};
  Poller poller_;
  std::string heard_;
  std::unique_ptr<AgentLink> link_ = AgentLink::listen(path_, poller_, *this, log_).value();
};

TEST_F(AgentLinkTest, OnlyAHelloTakesTheAgentsPlace) {
  const FileDescriptor agent = connect();
  say(agent, "hello\0version=1"sv);
  EXPECT_EQ(serve(), "attached ");
  const FileDescriptor silent = connect();
  EXPECT_EQ(serve(), "");
  for (const std::string_view packet : {"list"sv, "hello"sv, "\x01?"sv}) {  // the second has no version
    const FileDescriptor rude = connect();
    say(rude, packet);
    EXPECT_EQ(serve(), "");
    EXPECT_TRUE(is_closed(rude));
  }
  say(agent, "healthy"sv);
  EXPECT_EQ(serve(), "healthy ");
  EXPECT_FALSE(is_closed(agent));

  const FileDescriptor next = connect();
  say(next, "hello\0version=1"sv);
  EXPECT_EQ(serve(), "detached attached ");
  EXPECT_TRUE(is_closed(agent));
  say(next, "healthy"sv);
  EXPECT_EQ(serve(), "healthy ");
}

TEST_F(AgentLinkTest, AHelloCountsAlsoWhereTheNextConnectionIsThereAlready) {
  const FileDescriptor agent = connect();
  say(agent, "hello\0version=1"sv);
  const FileDescriptor silent = connect();
  EXPECT_EQ(serve(), "attached ");
  EXPECT_FALSE(is_closed(agent));
}

TEST_F(AgentLinkTest, OneConnectionIsWaitedForAtATime) {
  const FileDescriptor first = connect();
  EXPECT_EQ(serve(), "");
  const FileDescriptor second = connect();
  EXPECT_EQ(serve(), "");
  EXPECT_TRUE(is_closed(first));
  say(second, "hello\0version=1"sv);
  EXPECT_EQ(serve(), "attached ");
}

}  // namespace
}  // namespace starling::keeper
