// Purpose: a real server on a loopback port, on a thread of its own, for the tests of base; and a plain
// blocking socket to send it whatever a test wants. Owner: a test. Thread: as said. Lifetime: the test's.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/packaged_task.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/http/client.hpp"
#include "base/http/server.hpp"
#include "base/tls.hpp"
#include "base/ws/client.hpp"

namespace starling::test {

namespace asio = boost::asio;

// What the handler's WebSocket sessions do; the tests look at `closed` and `codes` through the server's
// thread.
struct EchoSession final : ws::Session {
  EchoSession(bool binary, std::shared_ptr<std::promise<ws::CloseCode>> told)
      : takes_binary(binary), ended(std::move(told)) {}

  void on_open(ws::Peer& opened) override { peer = &opened; }
  void on_text(std::string_view text) override {
    if (text == "close, please") return peer->close(ws::CloseCode::superseded, "as you wish");
    if (text == "abort, please") return peer->abort();
    if (text == "ping, please") return peer->ping();
    peer->send(ws::make_text_frame(text));
  }
  bool on_binary(std::string_view bytes) override {
    if (takes_binary) peer->send_text(std::to_string(bytes.size()));
    return takes_binary;
  }
  void on_pong() override { peer->send_text("pong came"); }
  void on_close(ws::CloseCode code, std::string_view) override {
    if (ended) ended->set_value(code);
  }

  ws::Peer* peer = nullptr;
  bool takes_binary;
  std::shared_ptr<std::promise<ws::CloseCode>> ended;
};

class TestHandler final : public http::Handler {
 public:
  asio::awaitable<http::Response> serve(const http::Request& request) override {
    http::Response response{.status = 200, .content_type = "text/plain", .body = {}, .headers = {}};
    if (request.path == "/echo") response.body = request.body;
    if (request.path == "/hello")
      response.body = "hello " + std::string(request.query.find("name").value_or("you"));
    if (request.path == "/peer") response.body = request.peer_address + (request.tls ? " tls" : " plain");
    if (request.path == "/big") response.body = std::string(8u << 20, 'b');
    if (request.path == "/evil") response.headers.add("X-Name", "a\r\nX-Forged: yes");
    if (request.path == "/none") response.status = 204;
    if (request.path == "/throw") throw std::runtime_error("deliberate");
    if (request.path == "/wait") {
      asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(50));
      co_await timer.async_wait(asio::use_awaitable);
      response.body = "waited";
    }
    if (request.path == "/never") {
      asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
      co_await timer.async_wait(asio::use_awaitable);
    }
    if (request.path == "/events") response.stream = on_stream;
    if (request.path == "/file" && on_file) co_return on_file(request);
    co_return response;
  }
  std::variant<http::Response, std::unique_ptr<ws::Session>> upgrade(const http::Request& request) override {
    if (request.path == "/forbidden") {
      return http::problem_response(
          {.code = ErrorCode::permission_denied, .message = "not you", .field = {}});
    }
    if (make_session) return make_session();
    return std::make_unique<EchoSession>(request.path == "/binary", std::exchange(ended, nullptr));
  }

  Reception receive(const http::Request& request) override {
    return on_body ? on_body(request) : Reception();
  }

  std::function<http::Response(const http::Request&)> on_file;
  std::function<Reception(const http::Request&)> on_body;
  std::function<void(std::shared_ptr<http::EventStream>)> on_stream;
  std::function<std::unique_ptr<ws::Session>()> make_session;
  std::shared_ptr<std::promise<ws::CloseCode>> ended;  // for the next session
};

class TestServer {
 public:
  explicit TestServer(http::ServerOptions options = {}) {
    server_ =
        http::Server::listen(context_.get_executor(), clock_, Logger(), handler, std::move(options)).value();
    port = server_->port();
    server_->start();
    thread_ = std::thread([this] { context_.run(); });
  }
  ~TestServer() {
    stop();
    work_.reset();
    thread_.join();
  }
  void stop() {
    if (!std::exchange(stopped_, true)) run(server_->stop());
  }
  // Runs on the server's thread and waits for the result.
  template <typename T>
  T run(asio::awaitable<T> task) {
    return asio::co_spawn(context_, std::move(task), asio::use_future).get();
  }
  template <typename Function>
  auto on_loop(Function function) {
    return asio::post(context_, std::packaged_task<decltype(function())()>(std::move(function))).get();
  }
  void advance(Milliseconds by) {
    on_loop([this, by] { clock_.advance(by); });
  }
  http::Server::Counters counters() {
    return on_loop([this] { return server_->counters(); });
  }
  http::Url url(std::string_view target, bool tls = false) const {
    return {.tls = tls, .host = "127.0.0.1", .port = port, .target = std::string(target)};
  }
  asio::io_context& context() { return context_; }

  TestHandler handler;
  std::uint16_t port = 0;

 private:
  asio::io_context context_{1};
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work_{context_.get_executor()};
  ManualClock clock_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
  bool stopped_ = false;
};

// A blocking socket; what it reads ends with the connection or after ten seconds.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { ::close(socket_); }

  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  // Up to and including `end`, or all there is until the connection ends.
  std::string read_until(std::string_view end) {
    for (;;) {
      const std::size_t found = end.empty() ? std::string::npos : received_.find(end);
      if (found != std::string::npos) return take(found + end.size());
      char buffer[65536];
      const ssize_t got = ::recv(socket_, buffer, sizeof(buffer), 0);
      if (got <= 0) return take(received_.size());
      received_.append(buffer, static_cast<std::size_t>(got));
    }
  }
  std::string read_all() { return read_until(""); }
  std::string read_bytes(std::size_t count) {
    while (received_.size() < count) {
      char buffer[65536];
      const ssize_t got = ::recv(socket_, buffer, sizeof(buffer), 0);
      if (got <= 0) break;
      received_.append(buffer, static_cast<std::size_t>(got));
    }
    return take(std::min(count, received_.size()));
  }
  void end_writing() const { ::shutdown(socket_, SHUT_WR); }
  int socket() const { return socket_; }

 private:
  std::string take(std::size_t count) {
    std::string taken = received_.substr(0, count);
    received_.erase(0, count);
    return taken;
  }
  int socket_;
  std::string received_;
};

}  // namespace starling::test
