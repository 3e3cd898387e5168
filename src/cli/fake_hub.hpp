// Purpose: a hub for tests that answers what it is told, over real sockets, and keeps what it was asked.
// Owner: the test. Thread: its own, besides the test's; members are guarded. Lifetime: the test's.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/http/server.hpp"

namespace starling::cli {

// A device.
inline constexpr auto bear = "0192f0c1-7a30-7cc0-8a51-3d2b6f0e9a11";

class FakeHub final : public http::Handler {
 public:
  struct Asked {
    std::string line;  // "PUT /api/v1/settings?fleet=lab"
    std::string body, key, idempotency_key, last_event_id, range;
  };

  FakeHub() {
    auto server = http::Server::listen(io_.get_executor(), clock_, Logger(), *this, http::ServerOptions{});
    server_ = std::move(server.value());
    server_->start();
    thread_ = std::thread([this] { io_.run(); });
  }

  ~FakeHub() override {
    boost::asio::co_spawn(io_, server_->stop(), boost::asio::detached);
    thread_.join();
  }

  FakeHub(const FakeHub&) = delete;
  FakeHub& operator=(const FakeHub&) = delete;

  std::string address() const { return "http://127.0.0.1:" + std::to_string(server_->port()); }

  // Answers requests to "METHOD path" (without query), in order; the last answer is repeated.
  void on(const std::string& method_and_path, http::Response response) {
    const std::lock_guard lock(mutex_);
    answers_[method_and_path].push_back(std::move(response));
  }
  void on(const std::string& method_and_path, std::string_view json, int status = 200) {
    http::Response response;
    response.status = status;
    if (status >= 400) response.content_type = "application/problem+json";
    response.body = json;
    on(method_and_path, std::move(response));
  }

  std::vector<Asked> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  boost::asio::awaitable<http::Response> serve(const http::Request& request) override {
    const std::string method(http::to_string(request.method));
    const auto header = [&request](std::string_view name) {
      return std::string(request.headers.find(name).value_or(""));
    };
    const std::lock_guard lock(mutex_);
    asked_.push_back(Asked{method + " " + request.target, request.body, header("Authorization"),
                           header("Idempotency-Key"), header("Last-Event-ID"), header("Range")});
    const auto found = answers_.find(method + " " + request.path);
    if (found == answers_.end()) {
      co_return http::problem_response(
          Error{ErrorCode::not_found, "the test did not expect " + request.target, {}});
    }
    http::Response answer = found->second.front();
    if (found->second.size() > 1) found->second.pop_front();
    co_return answer;
  }

  std::variant<http::Response, std::unique_ptr<ws::Session>> upgrade(const http::Request&) override {
    return http::problem_response(Error{ErrorCode::not_found, "no link here", {}});
  }

 private:
  boost::asio::io_context io_{1};
  SystemClock clock_;
  std::unique_ptr<http::Server> server_;
  mutable std::mutex mutex_;
  std::map<std::string, std::deque<http::Response>> answers_;
  std::vector<Asked> asked_;
  std::thread thread_;
};

}  // namespace starling::cli
