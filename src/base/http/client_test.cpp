#include "base/http/client.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <thread>

#include "base/http/event_parser.hpp"
#include "base/test_server.hpp"

namespace starling::http {
namespace {

namespace asio = boost::asio;
using test::TestServer;

class ClientTest : public testing::TestWithParam<bool> {
 protected:
  ClientTest() {
    ServerOptions options;
    TlsTrust trust;
    if (GetParam()) {
      options.tls = make_self_signed_identity("localhost");
      trust.pins = {pin_of_certificate(options.tls->certificate_pem).value()};
    }
    options.max_body_bytes = 10u << 20;
    server_.emplace(std::move(options));
    client_ = server_->on_loop([this, &trust] {
      return std::make_unique<Client>(server_->context().get_executor(), server_->url("/", GetParam()),
                                      trust);
    });
  }
  ~ClientTest() override {
    server_->on_loop([this] { client_.reset(); });
  }
  Result<Response> call(Client::Call call) { return server_->run(client_->call(std::move(call))); }
  Result<Response> get(std::string_view target) {
    Client::Call request;
    request.target = target;
    return call(std::move(request));
  }

  std::optional<TestServer> server_;
  std::unique_ptr<Client> client_;
};

TEST_P(ClientTest, KeepsItsConnection) {
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(get("/hello").value().body, "hello you");
  EXPECT_EQ(get("/peer").value().body, GetParam() ? "127.0.0.1 tls" : "127.0.0.1 plain");
  EXPECT_EQ(server_->counters().accepted, 1u);
}

TEST_P(ClientTest, SendsAndReceivesLargeBodies) {
  Client::Call request;
  request.method = Method::post;
  request.target = "/echo";
  request.body = std::string(9u << 20, 'x');
  const std::string sent = request.body;
  const Result<Response> response = call(std::move(request));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->status, 200);
  EXPECT_TRUE(response->body == sent);
}

TEST_P(ClientTest, AnyStatusIsAResponse) {
  EXPECT_EQ(get("/none").value().status, 204);
  EXPECT_EQ(get("/throw").value().status, 500);
  Client::Call head;
  head.method = Method::head;
  head.target = "/hello";
  EXPECT_EQ(call(std::move(head)).value().body, "");
  EXPECT_EQ(get("/hello").value().body, "hello you");
  EXPECT_EQ(server_->counters().accepted, 1u);
}

TEST_P(ClientTest, ALostKeptConnectionIsReplaced) {
  EXPECT_TRUE(get("/hello"));
  server_->advance(Milliseconds(75'001));  // the server drops idle connections
  while (server_->counters().open > 0)
    std::this_thread::yield();
  Client::Call post;
  post.method = Method::post;
  post.target = "/echo";
  post.body = "once";
  EXPECT_EQ(call(std::move(post)).value().body, "once");
  EXPECT_EQ(server_->counters().accepted, 2u);
}

TEST_P(ClientTest, AnEndWithoutAnAnswerIsNoAnswer) {
  // What a plain client gets from a TLS port, or from a server that dies between request and answer.
  asio::io_context loop;
  asio::ip::tcp::acceptor acceptor(loop, {asio::ip::address_v4::loopback(), 0});
  std::thread server([&acceptor] {
    asio::ip::tcp::socket socket = acceptor.accept();
    std::array<char, 4096> request{};
    socket.read_some(asio::buffer(request));
  });
  const auto url = Url::parse("http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()));
  const auto lone = server_->on_loop(
      [&] { return std::make_unique<Client>(server_->context().get_executor(), *url, TlsTrust{}); });
  Client::Call request;
  request.method = Method::post;
  request.target = "/";
  const Result<Response> response = server_->run(lone->call(std::move(request)));
  server.join();
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::unavailable);
}

TEST_P(ClientTest, LimitsTimeAndSize) {
  Client::Call slow;
  slow.target = "/never";
  slow.timeout = Milliseconds(20);
  EXPECT_EQ(call(std::move(slow)).error().code, ErrorCode::timed_out);
  Client::Call large;
  large.target = "/big";
  large.max_response_bytes = 1000;
  EXPECT_EQ(call(std::move(large)).error().code, ErrorCode::too_large);
  EXPECT_EQ(get("/hello").value().body, "hello you");
}

TEST_P(ClientTest, HandsOverADownloadPartByPart) {
  std::size_t total = 0, largest = 0;
  const auto count = [&](std::string_view part) {
    total += part.size();
    largest = std::max(largest, part.size());
    return Result<void>();
  };
  const auto get_into = [&](std::string_view target, Client::BodySink sink, std::size_t most = 64u << 20) {
    Client::Call request;
    request.target = target;
    request.max_response_bytes = most;
    return server_->run(client_->download(std::move(request), std::move(sink)));
  };
  const Result<Response> whole = get_into("/big", count);
  ASSERT_TRUE(whole) << whole.error().message;
  EXPECT_EQ(whole->status, 200);
  EXPECT_EQ(whole->body, "");
  EXPECT_EQ(total, 8u << 20);
  EXPECT_LE(largest, 64u << 10);

  EXPECT_EQ(get_into("/big", count, 1000).error().code, ErrorCode::too_large);
  const auto refuse = [](std::string_view) -> Result<void> {
    return fail(ErrorCode::io, "the disk is full");
  };
  EXPECT_EQ(get_into("/big", refuse).error().message, "the disk is full");
  total = 0;
  const Result<Response> failed = get_into("/throw", count);
  EXPECT_EQ(failed.value().status, 500);
  EXPECT_NE(failed.value().body, "");
  EXPECT_EQ(total, 0u);
}

TEST_P(ClientTest, ReadsWhyTooMuchIsRefused) {
  Client::Call request;
  request.method = Method::post;
  request.target = "/echo";
  request.body = std::string(11u << 20, 'x');
  EXPECT_EQ(call(std::move(request)).value().status, 413);
}

TEST_P(ClientTest, HandsOverEventsUntilTheSinkHasEnough) {
  server_->on_loop([this] {
    server_->handler.on_stream = [](const std::shared_ptr<EventStream>& stream) {
      for (int i = 1; i <= 3; ++i)
        stream->send("change", std::to_string(i), "data " + std::to_string(i));
      stream->send("", "", "last");
      stream->close();
    };
  });
  std::vector<std::string> seen;
  const auto sink_until = [&seen](std::size_t count) {
    return [&seen, count](const Client::Event& event) {
      seen.push_back(event.name + "/" + event.id + "/" + event.data);
      return seen.size() < count;
    };
  };
  Client::Call request;
  request.target = "/events";
  EXPECT_TRUE(server_->run(client_->events(request, sink_until(100))));
  EXPECT_EQ(seen,
            (std::vector<std::string>{"change/1/data 1", "change/2/data 2", "change/3/data 3", "/3/last"}));
  seen.clear();
  EXPECT_TRUE(server_->run(client_->events(request, sink_until(2))));
  EXPECT_EQ(seen.size(), 2u);
  request.target = "/throw";
  const Result<void> failed = server_->run(client_->events(request, sink_until(1)));
  EXPECT_EQ(failed.error().code, ErrorCode::unavailable);
  EXPECT_EQ(failed.error().message, "the request hit a bug");
}

TEST_P(ClientTest, AStreamThatFallsSilentIsLost) {
  server_->on_loop([this] {
    server_->handler.on_stream = [](const std::shared_ptr<EventStream>& stream) {
      stream->send("change", "1", "data");
    };
  });
  std::size_t seen = 0;
  const auto sink = [&seen](const Client::Event&) {
    ++seen;
    return true;
  };
  Client::Call request;
  request.target = "/events";
  request.longest_silence = Milliseconds(20);
  const Result<void> lost = server_->run(client_->events(request, sink));
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, ErrorCode::timed_out);
  EXPECT_LE(seen, 1U);
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, ClientTest, testing::Bool(),
                         [](const auto& tls) { return tls.param ? "Tls" : "Plain"; });

TEST(Client, SaysThatNobodyIsThere) {
  TestServer server;
  server.run([](TestServer& at) -> asio::awaitable<void> {
    Client client(at.context().get_executor(), {.host = "127.0.0.1", .port = 1}, {});
    Client::Call request;
    const Result<Response> response = co_await client.call(std::move(request));
    EXPECT_EQ(response.error().code, ErrorCode::unavailable);
    EXPECT_NE(response.error().message.find("127.0.0.1:1"), std::string::npos) << response.error().message;
  }(server));
}

TEST(EventParser, FollowsTheStandardHoweverTheBytesAreCut) {
  const std::string bytes =
      "\xef\xbb\xbf"
      "data: one\n\n: comment\r\nid: 7\rdata\ndata:two\r\ndata:  three\r\n\r\nevent: x\n\n"
      "unknown: field\ndata: four\nretry: 5\n\ndata: never ended";
  for (std::size_t step = 1; step <= bytes.size(); ++step) {
    EventParser parser;
    std::string seen;
    for (std::size_t begin = 0; begin < bytes.size(); begin += step) {
      ASSERT_TRUE(
          parser.feed(std::string_view(bytes).substr(begin, step), [&seen](const Client::Event& event) {
            seen += event.name + "/" + event.id + "/" + event.data + "|";
            return true;
          }));
    }
    EXPECT_EQ(seen, "//one|/7/\ntwo\n three|/7/four|") << step;
  }
}

TEST(EventParser, LimitsAnEvent) {
  EventParser parser;
  const auto ignore = [](const Client::Event&) { return true; };
  const std::string line = "data: " + std::string(1u << 20, 'x') + "\n";
  Result<EventParser::Verdict> verdict = EventParser::Verdict::go_on;
  for (int i = 0; i < 5 && verdict; ++i)
    verdict = parser.feed(line, ignore);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code, ErrorCode::too_large);
}

}  // namespace
}  // namespace starling::http
