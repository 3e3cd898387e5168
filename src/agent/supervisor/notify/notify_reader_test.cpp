#include "agent/supervisor/notify/notify_reader.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstring>

#include "agent/supervisor/notify/notify_socket.hpp"

namespace starling::agent {
namespace {

using testing::ElementsAre;

// A bound datagram socket that tells who sends, as the keeper makes it.
struct NotifySocketPair {
  NotifySocketPair() : reader(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    const int yes = 1;
    EXPECT_EQ(::setsockopt(reader.number(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes), 0);
    address.sun_family = AF_UNIX;
    sockaddr_un any{};
    any.sun_family = AF_UNIX;
    // Bound to a name that the kernel chooses.
    EXPECT_EQ(::bind(reader.number(), reinterpret_cast<sockaddr*>(&any), sizeof(sa_family_t)), 0);
    EXPECT_EQ(::getsockname(reader.number(), reinterpret_cast<sockaddr*>(&address), &size), 0);
  }
  // True if it was taken; false if the socket is full.
  bool send(std::string_view text, int descriptor = -1) const {
    const int sender = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un to = address;
    iovec part{const_cast<char*>(text.data()), text.size()};
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = size;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
    if (descriptor >= 0) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(rights), &descriptor, sizeof descriptor);
    }
    const bool sent = ::sendmsg(sender, &message, MSG_DONTWAIT) == static_cast<ssize_t>(text.size());
    ::close(sender);
    return sent;
  }

  FileDescriptor reader;
  sockaddr_un address{};
  socklen_t size = sizeof address;
};

// Whether the last other end of a pipe has been closed.
bool hung_up(int reader) {
  pollfd waiting{reader, POLLIN, 0};
  return ::poll(&waiting, 1, 0) == 1 && (waiting.revents & POLLHUP) != 0;
}

TEST(NotifySocket, TellsTheSenderAndClosesDescriptors) {
  const NotifySocketPair socket;
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const FileDescriptor reader(ends[0]);
  FileDescriptor writer(ends[1]);
  ASSERT_TRUE(socket.send("BARRIER=1", writer.number()));
  writer.reset();
  EXPECT_FALSE(hung_up(reader.number()));
  for (int agent = 0; agent < 2; ++agent) {  // the first one ends before it has done what follows
    EXPECT_FALSE(hung_up(reader.number()));
    const auto again = peek_notify(socket.reader.number());
    ASSERT_TRUE(again && *again);
    EXPECT_EQ((*again)->descriptors, 1u);
  }
  const auto datagram = peek_notify(socket.reader.number());
  ASSERT_TRUE(datagram && *datagram);
  EXPECT_EQ((*datagram)->text, "BARRIER=1");
  EXPECT_EQ((*datagram)->pid, ::getpid());
  EXPECT_EQ((*datagram)->uid, ::getuid());
  drop_notify(socket.reader.number());
  EXPECT_TRUE(hung_up(reader.number()));
  EXPECT_FALSE(peek_notify(socket.reader.number())->has_value());
  EXPECT_FALSE(peek_notify(-1));
  drop_notify(socket.reader.number());
  drop_notify(-1);
}

TEST(NotifySocket, TooLongIsSeen) {
  const NotifySocketPair socket;
  ASSERT_TRUE(socket.send(std::string(100'000, 'x')));
  const auto datagram = peek_notify(socket.reader.number());
  ASSERT_TRUE(datagram && *datagram);
  EXPECT_EQ((*datagram)->text.size(), max_notify_bytes + 1);
}

struct Heard : NotifyListener {
  void notified(std::string_view child_id, const NotifyMessage& message) override {
    heard.push_back(std::string(child_id) + " " + message.status.value_or(message.ready ? "ready" : "-"));
    last = message;
  }
  void notified_wrongly(std::string_view child_id, std::string_view why) override {
    wrong.push_back(std::string(child_id) + " " + std::string(why));
  }
  std::vector<std::string> heard, wrong;
  NotifyMessage last;
};

struct Reader : testing::Test {
  Reader()
      : trees(table, std::nullopt, "/state", {}),
        log_file(::memfd_create("log", MFD_CLOEXEC)),
        log(clock, log_file.number(), LogFormat::text),
        reader(context.get_executor(), clock, trees, heard, Logger(log, "supervisor")) {
    // This very process plays the module.
    const auto self = table.entry(::getpid()).value();
    trees.led_by("m", self.pid, self.start_time, false);
  }
  void attach(NotifySocketPair& socket, std::uint32_t uid = ::getuid()) {
    reader.attach("m:1", "m", uid, std::move(socket.reader));
  }
  std::string logged() const {
    std::string text(16 * 1024, '\0');
    const ssize_t size = ::pread(log_file.number(), text.data(), text.size(), 0);
    text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return text;
  }

  asio::io_context context;
  ManualClock clock;
  ProcessTable table;
  ProcessTrees trees;
  Heard heard;
  FileDescriptor log_file;
  Log log;
  NotifyReader reader;
};

TEST_F(Reader, HearsTheModule) {
  NotifySocketPair socket;
  attach(socket);
  ASSERT_TRUE(socket.send("READY=1"));
  ASSERT_TRUE(socket.send("STATUS=well\nMAINPID=" + std::to_string(::getpid())));
  context.poll();
  EXPECT_THAT(heard.heard, ElementsAre("m:1 ready", "m:1 well"));
  EXPECT_EQ(heard.last.main_pid, ::getpid());
  EXPECT_EQ(heard.last.main_start_time, ProcessTable().entry(::getpid())->start_time);
  reader.detach("m:1");
  context.run();
}

TEST_F(Reader, DoesNotHearStrangers) {
  NotifySocketPair socket;
  reader.attach("other:1", "other", ::getuid(), std::move(socket.reader));  // this process is not of it
  ASSERT_TRUE(socket.send("READY=1"));
  context.poll();
  EXPECT_THAT(heard.heard, ElementsAre());
  reader.detach("other:1");
  context.run();
}

TEST_F(Reader, HearsTheModuleWhateverUserItHasBecome) {
  NotifySocketPair socket;
  attach(socket, 12345);
  ASSERT_TRUE(socket.send("READY=1"));
  context.poll();
  EXPECT_THAT(heard.heard, ElementsAre("m:1 ready"));
  reader.detach("m:1");
  context.run();
}

void send_and_end(const NotifySocketPair& socket, std::uint32_t uid = ::getuid()) {
  const pid_t child = ::fork();
  if (child == 0) {
    const bool sent = (uid == ::getuid() || ::setuid(uid) == 0) && socket.send("READY=1");
    ::_exit(sent ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
}

TEST_F(Reader, DoesNotHearOtherUsersWhoAreGone) {
  NotifySocketPair socket;
  constexpr std::uint32_t nobody = 65534;
  send_and_end(socket, ::getuid() == 0 ? nobody : ::getuid());
  attach(socket, 12345);
  EXPECT_THAT(reader.drain("m:1"), testing::IsEmpty());
  EXPECT_THAT(logged(), testing::HasSubstr("not of the module"));
  reader.detach("m:1");
  context.run();
}

TEST_F(Reader, RootMaySpeakForEverybody) {
  NotifySocketPair socket;
  send_and_end(socket);
  attach(socket, 12345);
  EXPECT_EQ(reader.drain("m:1").empty(), ::getuid() != 0);
  reader.detach("m:1");
  context.run();
}

TEST_F(Reader, HearsWhoIsGoneAlreadyIfItsUserFits) {
  NotifySocketPair socket;
  send_and_end(socket);
  attach(socket);
  const std::vector<NotifyMessage> last_words = reader.drain("m:1");
  ASSERT_EQ(last_words.size(), 1u);
  EXPECT_TRUE(last_words[0].ready);
  reader.detach("m:1");
  context.run();
}

TEST_F(Reader, AMainPidOfElsewhereIsLeftOut) {
  NotifySocketPair socket;
  attach(socket);
  ASSERT_TRUE(socket.send("READY=1\nMAINPID=1"));
  context.poll();
  EXPECT_THAT(heard.heard, ElementsAre("m:1 ready"));
  EXPECT_FALSE(heard.last.main_pid);
  reader.detach("m:1");
  context.run();
}

TEST_F(Reader, NonsenseIsLeftOut) {
  NotifySocketPair socket;
  attach(socket);
  ASSERT_TRUE(socket.send(std::string(5'000, 'x')));
  ASSERT_TRUE(socket.send(std::string_view("A\0B", 3)));
  ASSERT_TRUE(socket.send("READY=2"));
  context.poll();
  EXPECT_THAT(heard.heard, ElementsAre("m:1 -"));
  EXPECT_THAT(heard.wrong, testing::SizeIs(3));
  reader.detach("m:1");
  context.run();
}

TEST_F(Reader, AFloodIsHeardAsFarAsTheLimitAndOthersAsEver) {
  NotifySocketPair flooding, calm;
  attach(flooding);
  reader.attach("m:2", "m", ::getuid(), std::move(calm.reader));
  // The clock stands still: the burst is all that is heard, and then the socket is left to fill.
  std::uint32_t sent = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (flooding.send("STATUS=x")) ++sent;
    context.poll();
  }
  EXPECT_EQ(heard.heard.size(), NotifyReader::burst);
  EXPECT_GE(sent, NotifyReader::burst);
  EXPECT_LT(sent, 10'000u);  // its own calls are held up
  EXPECT_THAT(heard.wrong, ElementsAre("m:1 sd_notify: more than 100 messages a second"));
  heard.heard.clear();
  ASSERT_TRUE(calm.send("READY=1"));
  context.poll();
  EXPECT_THAT(heard.heard, ElementsAre("m:2 ready"));
  const std::vector<NotifyMessage> last_words = reader.drain("m:1");
  EXPECT_THAT(last_words, testing::Each(testing::Field(&NotifyMessage::status, "x")));
  const std::uint32_t waiting = sent - NotifyReader::burst;
  EXPECT_EQ(last_words.size(), std::min<std::size_t>(waiting, NotifyReader::most_at_end));
  reader.detach("m:1");
  reader.detach("m:2");
  context.run();
}

TEST_F(Reader, AFloodIsToldOnceAMinuteWithItsCount) {
  NotifySocketPair socket;
  attach(socket);
  const auto flood = [&] {
    for (int i = 0; i < NotifyReader::burst; ++i) {
      ASSERT_TRUE(socket.send("STATUS=x"));
      reader.drain("m:1");
    }
  };
  const std::string told = "m:1 sd_notify: more than 100 messages a second";
  flood();
  EXPECT_THAT(heard.wrong, ElementsAre(told)) << "when it begins";
  clock.advance(NotifyReader::flood_telling / 2);
  flood();
  EXPECT_THAT(heard.wrong, ElementsAre(told));
  clock.advance(NotifyReader::flood_telling / 2);
  flood();
  EXPECT_THAT(heard.wrong, ElementsAre(told, told + "; 400 since this was last said"));
  reader.detach("m:1");
  context.run();
}

TEST_F(Reader, AFloodOfStrangersTakesNothingOfWhatTheModuleMaySay) {
  NotifySocketPair socket;
  reader.attach("other:1", "other", ::getuid(), std::move(socket.reader));  // this process is not of it
  const auto lines = [&] { return std::ranges::count(logged(), '\n'); };
  // The clock stands still: so many are read, and then the socket is left to fill.
  for (int i = 0; i < NotifyReader::strangers_per_second; ++i) {
    ASSERT_TRUE(socket.send("READY=1"));
    context.poll();
  }
  EXPECT_EQ(lines(), 5);
  ASSERT_TRUE(socket.send("READY=1"));

  const pid_t module = ::fork();
  if (module == 0) {
    socket.send("READY=1");
    socket.send("READY=2");
    ::raise(SIGSTOP);
    ::_exit(0);
  }
  ASSERT_EQ(::waitpid(module, nullptr, WUNTRACED), module);
  trees.led_by("other", module, table.entry(module).value().start_time, false);
  context.poll();
  EXPECT_THAT(heard.heard, ElementsAre()) << "the module waits behind the strangers";
  EXPECT_THAT(heard.wrong, ElementsAre()) << "what strangers say is no problem of the module";
  EXPECT_THAT(reader.drain("other:1"), testing::SizeIs(2)) << "but no last words are lost";
  EXPECT_THAT(heard.wrong, testing::SizeIs(1)) << "and its own problems are told";
  ::kill(module, SIGKILL);
  ASSERT_EQ(::waitpid(module, nullptr, 0), module);

  int sent = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (socket.send("READY=1")) ++sent;
    context.poll();
  }
  EXPECT_LT(sent, 10'000);
  EXPECT_EQ(lines(), 5);
  clock.advance(Seconds(61));
  reader.drain("other:1");
  EXPECT_EQ(lines(), 6);
  EXPECT_THAT(logged(), testing::HasSubstr("untold=96"));
  EXPECT_EQ(heard.wrong.size(), 1u);
  reader.detach("other:1");
  context.run();
}

TEST_F(Reader, WhatIsReplacedIsHeardNoMore) {
  NotifySocketPair former, later;
  attach(former);
  attach(later);
  EXPECT_FALSE(former.send("READY=1"));
  ASSERT_TRUE(later.send("READY=1"));
  context.poll();
  EXPECT_THAT(heard.heard, ElementsAre("m:1 ready"));
  reader.detach("m:1");
  context.run();
}

}  // namespace
}  // namespace starling::agent
