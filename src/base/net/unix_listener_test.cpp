#include "base/net/unix_listener.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <fstream>

#include "base/temporary_folder.hpp"

namespace starling::net {
namespace {

namespace fs = std::filesystem;

struct UnixListenerTest : testing::Test {
  // Accepts once; what came is in `accepted`, "nobody" if it was stopped.
  void accept() {
    asio::co_spawn(context, listener.accept(Logger()), [this](std::exception_ptr, auto socket) {
      ended = true;
      peer = std::move(socket);
    });
  }
  bool connects() {
    asio::local::stream_protocol::socket client(context);
    boost::system::error_code error;
    client.connect(asio::local::stream_protocol::endpoint(path.string()), error);
    return !error;
  }

  const TemporaryFolder made;
  const fs::path folder = made.path();
  fs::path path = folder / "a.sock";
  asio::io_context context;
  UnixListener listener{context.get_executor()};
  bool ended = false;
  std::optional<UnixListener::Socket> peer;
};

TEST_F(UnixListenerTest, IsForItsOwnUserOnly) {
  const mode_t former = ::umask(0);
  ASSERT_TRUE(listener.listen(path));
  EXPECT_EQ(::umask(former), 0u) << "what others make is as open as before";
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(UnixListenerTest, AcceptsUntilItIsClosed) {
  ASSERT_TRUE(listener.listen(path));
  accept();
  ASSERT_TRUE(connects());
  context.run();
  EXPECT_TRUE(peer);
  context.restart();
  ended = false;
  accept();
  context.poll();
  EXPECT_FALSE(ended);
  listener.close();
  context.restart();
  context.run();
  EXPECT_TRUE(ended);
  EXPECT_FALSE(peer);
  EXPECT_FALSE(fs::exists(path));
  EXPECT_FALSE(connects());
}

TEST_F(UnixListenerTest, ReplacesWhatAFormerStartLeft) {
  {
    asio::local::stream_protocol::acceptor dead(context);
    dead.open();
    dead.bind(asio::local::stream_protocol::endpoint(path.string()));
  }
  ASSERT_TRUE(fs::exists(path));
  EXPECT_FALSE(connects());
  ASSERT_TRUE(listener.listen(path));
  EXPECT_TRUE(connects());
  listener.close();
  std::ofstream(path) << "no socket at all";
  ASSERT_TRUE(listener.listen(path));
  EXPECT_TRUE(connects());
}

TEST_F(UnixListenerTest, SaysWhyItCannotListenAndTriesAgain) {
  const auto too_long = listener.listen(folder / std::string(108, 'x'));
  ASSERT_FALSE(too_long);
  EXPECT_EQ(too_long.error().code, ErrorCode::invalid_argument);
  EXPECT_NE(too_long.error().message.find("shorter folder"), std::string::npos);
  const auto nowhere = listener.listen(folder / "missing" / "a.sock");
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, ErrorCode::io);
  EXPECT_NE(nowhere.error().message.find("missing/a.sock"), std::string::npos);
  listener.close();
  ASSERT_TRUE(listener.listen(path));
  EXPECT_TRUE(connects());
}

}  // namespace
}  // namespace starling::net
