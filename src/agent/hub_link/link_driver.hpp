// Purpose: carries out what the link core wants on real sockets: enrolment over HTTP, the link over a
// WebSocket. Owner: Agent. Thread: the io_context's. Lifetime: stop() completes before destruction.
#pragma once

#include <string>

#include "agent/hub_link/link_core.hpp"
#include "agent/wakeup.hpp"
#include "base/http/client.hpp"
#include "base/task_group.hpp"
#include "base/ws/websocket.hpp"

namespace starling::agent {

struct LinkTarget {
  http::Url hub;
  http::TlsTrust trust;
  std::string enrolment_key;  // empty: cannot enrol
  std::string device_type;
  JsonObject registration;  // what is said at enrolment only
  JsonObject facts;         // what is said again over the link when it has changed
};

class LinkDriver final : public LinkOutput {
 public:
  LinkDriver(const asio::any_io_executor& executor, LinkTarget target, Wakeup& wakeup, Logger log);
  ~LinkDriver() override;

  // Before the core may ask for anything.
  void attach(LinkCore& core, const Identity& identity);
  asio::awaitable<void> stop();

  void enrol() override;
  void connect(std::string_view token) override;
  void send(std::string_view text) override;
  void close(std::string_view reason) override;
  std::size_t unsent_bytes() const override;

 private:
  class LinkSession;
  asio::awaitable<void> run_enrolment();
  asio::awaitable<void> run_connection(std::string token);
  asio::awaitable<Result<std::string>> register_device();
  asio::awaitable<Result<http::Response>> post_registration(const JsonObject& body);

  asio::any_io_executor executor_;
  LinkTarget target_;
  Wakeup& wakeup_;
  Logger log_;
  TaskGroup tasks_;
  LinkCore* core_ = nullptr;
  const Identity* identity_ = nullptr;
  LinkSession* session_ = nullptr;  // the connection that the core talks to, if any
};

// The token in the hub's answer to a registration. Errors: what the hub says.
Result<std::string> token_of_registration(const http::Response& response);

}  // namespace starling::agent
