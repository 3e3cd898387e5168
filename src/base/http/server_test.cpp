#include "base/http/server.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include "base/test_server.hpp"

namespace starling::http {
namespace {

namespace asio = boost::asio;
using test::RawClient;
using test::TestServer;

std::string get(std::string_view target) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

TEST(Server, AnswersOneRequestAfterTheOtherOnOneConnection) {
  TestServer server;
  RawClient client(server.port);
  for (int i = 0; i < 3; ++i) {
    client.send(get("/hello?name=Pi%20" + std::to_string(i)));
    EXPECT_EQ(client.read_until("\r\n\r\n"),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\n");
    EXPECT_EQ(client.read_bytes(10), "hello Pi " + std::to_string(i));
  }
  EXPECT_EQ(server.counters().accepted, 1u);
  EXPECT_EQ(server.counters().requests, 3u);
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  RawClient client(server.port);
  client.send(get("/wait") + get("/hello") +
              "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody" +
              "GET /peer HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  const std::string all = client.read_all();
  const std::size_t waited = all.find("waited");
  const std::size_t hello = all.find("hello you");
  const std::size_t body = all.find("body");
  const std::size_t peer = all.find("127.0.0.1 plain");
  EXPECT_LT(waited, hello);
  EXPECT_LT(hello, body);
  EXPECT_LT(body, peer);
  EXPECT_NE(peer, std::string::npos);
  EXPECT_NE(all.find("Connection: close"), std::string::npos);
}

TEST(Server, TakesRequestsByteByByte) {
  TestServer server;
  RawClient client(server.port);
  const std::string request =
      "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nTrailer: dropped\r\n\r\n";
  for (const char c : request)
    client.send(std::string(1, c));
  EXPECT_TRUE(client.read_all().ends_with("\r\n\r\nabcdefg"));
}

TEST(Server, HeadHasNoBodyAndNoContentHasNoLength) {
  TestServer server;
  RawClient client(server.port);
  client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n" + get("/none"));
  EXPECT_EQ(client.read_until("\r\n\r\n"),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 204 No Content\r\n\r\n");
}

TEST(Server, Http10ClosesUnlessAskedNotTo) {
  TestServer server;
  RawClient closes(server.port);
  closes.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(closes.read_all().ends_with("hello you"));
  RawClient stays(server.port);
  stays.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_NE(stays.read_until("hello you").find("Connection: keep-alive"), std::string::npos);
  stays.send("GET /hello HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(stays.read_all().ends_with("hello you"));
}

TEST(Server, SaysContinueOnlyToThoseWhoWait) {
  TestServer server;
  RawClient client(server.port);
  client.send(
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\nConnection: "
      "close\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("body");
  EXPECT_TRUE(client.read_all().ends_with("body"));
}

TEST(Server, LargeResponsesArriveWhole) {
  TestServer server;
  RawClient client(server.port);
  client.send(get("/big"));
  client.read_until("\r\n\r\n");
  EXPECT_EQ(client.read_bytes(8u << 20), std::string(8u << 20, 'b'));
}

TEST(Server, AHandlersHeaderCannotForgeAnother) {
  TestServer server;
  RawClient client(server.port);
  client.send(get("/evil"));
  EXPECT_NE(client.read_until("\r\n\r\n").find("\r\nX-Name: aX-Forged: yes\r\n"), std::string::npos);
}

TEST(Server, AThrowingHandlerIsAnInternalError) {
  TestServer server;
  RawClient client(server.port);
  client.send(get("/throw") + get("/hello"));
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 500 "));
  EXPECT_NE(client.read_until("hello you").find("\"code\":\"internal\""), std::string::npos);
}

struct BadRequest {
  const char* name;
  std::string bytes;
  int status;
};

// Each is answered with problem+json, then the connection is closed, and the next client is served.
TEST(Server, RefusesBadRequests) {
  ServerOptions options;
  options.max_body_bytes = 1000;
  options.max_header_bytes = 2000;
  TestServer server(std::move(options));
  const std::string post = "POST /echo HTTP/1.1\r\nHost: h\r\n";
  const BadRequest cases[] = {
      {"not HTTP", "hello there\r\n\r\n", 400},
      {"TLS to a plain port", std::string("\x16\x03\x01\x02\0\x01\0\r\n\r\n", 11), 400},
      {"another version", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"bad target", "GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"bad escape in the path", get("/%zz"), 400},
      {"bad escape in the query", get("/hello?name=%4"), 400},
      {"path not UTF-8", get("/%ff"), 400},
      {"zero byte in the path", get("/%00"), 400},
      {"query not UTF-8", get("/hello?name=%c0%af"), 400},
      {"header without a colon", "GET / HTTP/1.1\r\nHost: h\r\nbroken\r\n\r\n", 400},
      {"header name with a space", "GET / HTTP/1.1\r\nHost : h\r\n\r\n", 400},
      {"control character in a header", "GET / HTTP/1.1\r\nHost: h\r\nX: a\x01\r\n\r\n", 400},
      {"header too large", "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(3000, 'x') + "\r\n\r\n", 431},
      {"header too large and without end", "GET / HTTP/1.1\r\nX: " + std::string(5000, 'x'), 431},
      {"length is no number", post + "Content-Length: many\r\n\r\n", 400},
      {"negative length", post + "Content-Length: -1\r\n\r\n", 400},
      {"two lengths", post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"length and chunks", post + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"body too large", post + "Content-Length: 1001\r\n\r\n", 413},
      {"body too large, waiting for leave", post + "Content-Length: 9999\r\nExpect: 100-continue\r\n\r\n",
       413},
      {"far too large", post + "Content-Length: 99999999999999999999999\r\n\r\n", 400},
      {"chunks too large together",
       post + "Transfer-Encoding: chunked\r\n\r\n200\r\n" + std::string(512, 'x') + "\r\n200\r\n" +
           std::string(512, 'x') + "\r\n0\r\n\r\n",
       413},
      {"chunk announced too large", post + "Transfer-Encoding: chunked\r\n\r\n4000000\r\n", 413},
      {"chunk size is no number", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"chunk extension without end",
       post + "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x'), 400},
      {"trailer without end", post + "Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + std::string(100'000, 'x'),
       400},
      {"chunk size overflows", post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 400},
  };
  for (const BadRequest& bad : cases) {
    SCOPED_TRACE(bad.name);
    RawClient client(server.port);
    client.send(bad.bytes);
    const std::string answer = client.read_all();
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 " + std::to_string(bad.status) + " ")) << answer;
    EXPECT_NE(answer.find("application/problem+json"), std::string::npos);
    EXPECT_NE(answer.find("Connection: close"), std::string::npos);
    EXPECT_NE(answer.find("\"status\":" + std::to_string(bad.status)), std::string::npos);
    RawClient next(server.port);
    next.send(get("/hello"));
    EXPECT_NE(next.read_until("hello you"), "");
  }
  EXPECT_EQ(server.counters().bad_requests, std::size(cases));
}

// The refusal arrives although the client is in the midst of sending 16 MB.
TEST(Server, AClientThatSendsTooMuchStillReadsWhy) {
  TestServer server;
  RawClient client(server.port);
  client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 16000000\r\n\r\n");
  client.send(std::string(16'000'000, 'x'));
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 413 "));
}

struct Stalled {
  const char* name;
  std::string bytes;
  Milliseconds limit;
  std::string answer;  // its beginning
};

TEST(Server, ClientsThatStallAreDropped) {
  const Stalled cases[] = {
      {"within the header", "GET / HTTP/1.1\r\nHost", Milliseconds(10'000), "HTTP/1.1 408 "},
      {"within the body", "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbo",
       Milliseconds(30'000), "HTTP/1.1 408 "},
      {"before a request", "", Milliseconds(75'000), ""},
  };
  for (const Stalled& stalled : cases) {
    SCOPED_TRACE(stalled.name);
    TestServer server;
    RawClient other(server.port);
    other.send(get("/hello"));
    EXPECT_NE(other.read_until("hello you"), "");
    RawClient client(server.port);
    client.send(stalled.bytes);
    while (server.counters().open < 2)
      std::this_thread::yield();
    // Without a further byte in between: the limits are for the whole part, not for each byte.
    server.advance(stalled.limit / 2);
    client.send(stalled.bytes.empty() ? "" : "x");
    server.advance(stalled.limit / 2 + Milliseconds(1));
    const std::string answer = client.read_all();
    EXPECT_TRUE(answer.starts_with(stalled.answer)) << answer;
    EXPECT_EQ(answer.empty(), stalled.answer.empty());
  }
}

TEST(Server, ConnectionsPastTheLimitAreClosedAtOnce) {
  ServerOptions options;
  options.max_connections = 1;
  TestServer server(std::move(options));
  RawClient first(server.port);
  first.send(get("/hello"));
  first.read_until("hello you");
  RawClient second(server.port);
  EXPECT_EQ(second.read_all(), "");
  first.send(get("/hello"));
  EXPECT_NE(first.read_until("hello you"), "");
}

TEST(Server, EventStreamsCarryEventsUntilClosed) {
  TestServer server;
  server.handler.on_stream = [](const std::shared_ptr<EventStream>& stream) {
    stream->send("change", "7", R"({"a":1})");
    stream->send_comment("still here");
    stream->send("", "", "plain");
    EXPECT_FALSE(stream->closed());
    stream->close();
    EXPECT_TRUE(stream->closed());
    stream->send("late", "", "unseen");
  };
  RawClient client(server.port);
  client.send(get("/events"));
  EXPECT_NE(client.read_until("\r\n\r\n").find("Content-Type: text/event-stream"), std::string::npos);
  EXPECT_EQ(client.read_all(),
            "23\r\nevent: change\nid: 7\ndata: {\"a\":1}\n\n\r\ne\r\n: still here\n\n\r\n"
            "d\r\ndata: plain\n\n\r\n0\r\n\r\n");
}

TEST(Server, AnEventStreamEndsWithItsClient) {
  TestServer server;
  std::shared_ptr<EventStream> kept;
  server.handler.on_stream = [&kept](const std::shared_ptr<EventStream>& stream) { kept = stream; };
  {
    RawClient client(server.port);
    client.send(get("/events"));
    client.read_until("\r\n\r\n");
  }
  while (!server.on_loop([&kept] { return kept != nullptr && kept->closed(); }))
    std::this_thread::yield();
  EXPECT_EQ(server.counters().open, 0u);
  server.on_loop([&kept] { kept->send("late", "", "unseen"); });
}

TEST(Server, AnEventStreamThatIsNotReadIsDropped) {
  TestServer server;
  std::shared_ptr<EventStream> kept;
  server.handler.on_stream = [&kept](const std::shared_ptr<EventStream>& stream) { kept = stream; };
  RawClient client(server.port);
  client.send(get("/events"));
  client.read_until("\r\n\r\n");
  const std::string data(100'000, 'd');
  int sent = 0;
  while (!server.on_loop([&kept] { return kept->closed(); }) && sent < 10'000) {
    server.on_loop([&kept, &data] { kept->send("", "", data); });
    ++sent;
  }
  EXPECT_LT(sent, 10'000);  // that is, one gigabyte
  EXPECT_GT(sent, 10);
}

// A handler that goes on whenever what it sent has left: all arrives, little is queued.
TEST(Server, AnEventStreamTellsThatItHasDrained) {
  TestServer server;
  std::size_t sent = 0;
  int drained = 0;
  server.handler.on_stream = [&](const std::shared_ptr<EventStream>& stream) {
    const std::string data(500'000, 'd');
    while (stream->queued_bytes() == 0) {  // until the client's and the kernel's buffers are full
      stream->send("", "", data);
      ++sent;
    }
    stream->on_drained([&, stream = std::weak_ptr(stream), data] {
      const std::shared_ptr<EventStream> open = stream.lock();
      if (++drained > 1) return open->close();
      open->send("", "", data);
      ++sent;
      if (open->queued_bytes() == 0) open->close();
    });
  };
  RawClient client(server.port);
  client.send("GET /events HTTP/1.0\r\n\r\n");
  client.read_until("\r\n\r\n");
  server.on_loop([] {});  // the handler has filled the buffers before this reads on
  const std::size_t received = client.read_all().size();
  EXPECT_EQ(received, server.on_loop([&sent] { return sent; }) * (500'000 + 8));
  EXPECT_GE(server.on_loop([&drained] { return drained; }), 1);
}

TEST(Server, StopLetsRequestsFinishAndDropsWhatDoesNot) {
  TestServer server;
  RawClient idle(server.port);
  idle.send(get("/hello"));
  idle.read_until("hello you");
  RawClient waiting(server.port);
  waiting.send(get("/wait"));
  RawClient endless(server.port);
  endless.send(get("/never"));
  while (server.counters().requests < 3)
    std::this_thread::yield();
  server.stop();
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_TRUE(waiting.read_all().ends_with("waited"));
  EXPECT_EQ(endless.read_all(), "");
  EXPECT_EQ(server.counters().open, 0u);
}

TEST(Server, RunningOutOfDescriptorsIsSurvived) {
  TestServer server;
  RawClient before(server.port);
  before.send(get("/hello"));
  before.read_until("hello you");
  RawClient later(server.port);
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  while (server.counters().accepted < 2)
    std::this_thread::yield();
  const int lowest_free = dup(0);
  close(lowest_free);
  const int waiting = socket(AF_INET, SOCK_STREAM, 0);
  rlimit low{.rlim_cur = static_cast<rlim_t>(lowest_free + 1), .rlim_max = limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(connect(waiting, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  before.send(get("/hello"));  // served while the other cannot be accepted
  EXPECT_NE(before.read_until("hello you"), "");
  EXPECT_EQ(server.counters().accepted, 2u);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  while (server.counters().accepted < 3)
    std::this_thread::yield();
  close(waiting);
}

TEST(Server, SaysWhyItCannotListen) {
  TestServer server;
  asio::io_context context;
  ManualClock clock;
  const auto listen = [&](ServerOptions options) {
    return Server::listen(context.get_executor(), clock, Logger(), server.handler, std::move(options))
        .error();
  };
  EXPECT_EQ(listen({.port = server.port, .tls = {}, .ws = {}}).code, ErrorCode::io);
  EXPECT_EQ(listen({.host = "not an address", .tls = {}, .ws = {}}).code, ErrorCode::invalid_argument);
  EXPECT_EQ(listen({.tls = TlsIdentity{"no", "pem"}, .ws = {}}).code, ErrorCode::invalid_argument);
  TlsIdentity mixed = make_self_signed_identity("localhost");
  mixed.private_key_pem = make_private_key_pem();
  EXPECT_EQ(listen({.tls = mixed, .ws = {}}).code, ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace starling::http
