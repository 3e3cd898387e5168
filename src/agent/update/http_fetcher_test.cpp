#include "agent/update/http_fetcher.hpp"

#include <gtest/gtest.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>
#include <thread>

namespace starling::agent {
namespace {

namespace asio = boost::asio;

// Answers one connection with the same bytes, whatever it asks, and keeps what it asked.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer)
      : acceptor_(context_, {asio::ip::address_v4::loopback(), 0}),
        thread_([this, answer = std::move(answer)] {
          asio::ip::tcp::socket socket = acceptor_.accept();
          std::array<char, 4096> request{};
          const std::size_t size = socket.read_some(asio::buffer(request));
          asked = std::string(request.data(), size);
          boost::system::error_code ignored;  // who has enough goes away
          asio::write(socket, asio::buffer(answer), ignored);
        }) {}
  ~OneAnswer() { thread_.join(); }
  std::string base() const {
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/my/repo";
  }

  std::string asked;

 private:
  asio::io_context context_;
  asio::ip::tcp::acceptor acceptor_;
  std::thread thread_;
};

template <typename T>
T run(const OneAnswer& server, const std::function<asio::awaitable<T>(HttpFetcher&)>& use) {
  asio::io_context context(1);
  HttpFetcher fetcher(context.get_executor(), http::Url::parse(server.base()).value(), {});
  auto result = asio::co_spawn(context, use(fetcher), asio::use_future);
  context.run();
  return result.get();
}

Result<std::string> fetch(const OneAnswer& server, std::size_t max_bytes) {
  return run<Result<std::string>>(
      server, [&](HttpFetcher& fetcher) { return fetcher.fetch("1.root.json", max_bytes); });
}

std::string answer(std::string_view status, std::string_view body) {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

TEST(HttpFetcher, FetchesBelowItsFolder) {
  std::string asked;
  {
    OneAnswer server(answer("200 OK", "content"));
    EXPECT_EQ(fetch(server, 7).value(), "content");
    asked = server.asked;
  }
  EXPECT_TRUE(asked.starts_with("GET /my/repo/1.root.json HTTP/1.1\r\n")) << asked;
  EXPECT_EQ(asked.find("Range"), std::string::npos);
}

TEST(HttpFetcher, TellsWhatTheServerMeans) {
  const std::pair<std::string, ErrorCode> cases[] = {
      {answer("404 Not Found", ""), ErrorCode::not_found},
      {answer("404 Not Found", std::string(10'000, 'p')), ErrorCode::not_found},
      {answer("410 Gone", ""), ErrorCode::not_found},
      {answer("403 Forbidden", ""), ErrorCode::permission_denied},
      {answer("503 Busy", ""), ErrorCode::unavailable},
      {answer("301 Moved", ""), ErrorCode::unavailable},
      {answer("200 OK", "content!"), ErrorCode::too_large},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
       ErrorCode::too_large},
      {"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\ncon", ErrorCode::unavailable},
  };
  for (const auto& [bytes, code] : cases) {
    OneAnswer server(bytes);
    const auto fetched = fetch(server, 7);
    ASSERT_FALSE(fetched) << bytes;
    EXPECT_EQ(fetched.error().code, code) << bytes << fetched.error().message;
  }
  for (const auto& [bytes, code] : cases) {
    OneAnswer server(bytes);
    const Fetcher::Sink ignore = [](std::string_view) { return Result<void>(); };
    const auto streamed = run<Result<void>>(
        server, [&](HttpFetcher& fetcher) { return fetcher.stream("1.root.json", 0, 7, ignore); });
    ASSERT_FALSE(streamed) << bytes;
    EXPECT_EQ(streamed.error().code, code) << bytes << streamed.error().message;
  }
}

TEST(HttpFetcher, StreamsInParts) {
  OneAnswer server(answer("200 OK", std::string(300'000, 's')));
  std::size_t total = 0, parts = 0;
  const Fetcher::Sink count = [&](std::string_view part) {
    total += part.size();
    ++parts;
    return Result<void>();
  };
  const auto streamed = run<Result<void>>(
      server, [&](HttpFetcher& fetcher) { return fetcher.stream("big", 0, 300'000, count); });
  EXPECT_TRUE(streamed) << streamed.error().message;
  EXPECT_EQ(total, 300'000u);
  EXPECT_GT(parts, 1u);
}

TEST(HttpFetcher, GoesOnWhereItIsToldTo) {
  struct Case {
    std::string bytes;
    std::string wanted;  // empty: it fails
    ErrorCode code = ErrorCode::internal;
  };
  const std::string part = "HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\nContent-Range: bytes ";
  const Case cases[] = {
      {part + "3-6/7\r\n\r\ntent", "tent"},
      {answer("200 OK", "content"), "tent"},
      {part + "0-3/7\r\n\r\ncont", "", ErrorCode::unavailable},
      {"HTTP/1.1 206 Partial Content\r\nContent-Length: 4\r\n\r\ntent", "", ErrorCode::unavailable},
      {answer("416 Range Not Satisfiable", ""), "", ErrorCode::conflict},
      {answer("404 Not Found", ""), "", ErrorCode::not_found},
      {"HTTP/1.1 206 Partial Content\r\nContent-Length: 6\r\nContent-Range: bytes 3-8/9\r\n\r\ntent!!", "",
       ErrorCode::too_large},
  };
  for (const Case& one : cases) {
    std::string got, asked;
    Result<void> streamed;
    {
      OneAnswer server(one.bytes);
      const Fetcher::Sink collect = [&got](std::string_view bytes) { return got += bytes, Result<void>(); };
      streamed = run<Result<void>>(
          server, [&](HttpFetcher& fetcher) { return fetcher.stream("file", 3, 7, collect); });
      asked = server.asked;
    }
    EXPECT_EQ(streamed.has_value(), !one.wanted.empty()) << one.bytes;
    if (streamed) {
      EXPECT_EQ(got, one.wanted);
    } else {
      EXPECT_EQ(streamed.error().code, one.code) << one.bytes << streamed.error().message;
    }
  }
}

TEST(HttpFetcher, TheBasesQueryGoesWithEveryRequest) {
  OneAnswer server(answer("200 OK", "hello"));
  asio::io_context context(1);
  http::Url base = http::Url::parse(server.base() + "?fleet=lab").value();
  HttpFetcher fetcher(context.get_executor(), base, {});
  auto result = asio::co_spawn(context, fetcher.fetch("1.root.json", 100), asio::use_future);
  context.run();
  EXPECT_EQ(result.get().value(), "hello");
  EXPECT_TRUE(server.asked.starts_with("GET /my/repo/1.root.json?fleet=lab HTTP/1.1\r\n"));
}

}  // namespace
}  // namespace starling::agent
