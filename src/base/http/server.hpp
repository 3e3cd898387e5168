// Purpose: an HTTP/1.1 and WebSocket server on one listening address, plain or TLS.
// Owner: main(). Thread: the io_context's (one thread runs it; see docs/decisions). Lifetime: stop()
// completes before destruction; the Handler outlives the Server.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "base/clock.hpp"
#include "base/http/message.hpp"
#include "base/log.hpp"
#include "base/result.hpp"
#include "base/ws/websocket.hpp"

namespace starling::http {

class Handler {
 public:
  virtual ~Handler() = default;
  // Must not throw. The request lives until the coroutine has ended.
  virtual boost::asio::awaitable<Response> serve(const Request& request) = 0;
  // Asked as soon as the header of a request with a body has come: what takes the body part by part, or why
  // the request is refused; monostate keeps the body in memory.
  using Reception = std::variant<std::monostate, std::shared_ptr<BodySink>, Response>;
  virtual Reception receive(const Request&) { return {}; }
  // A request with Upgrade: websocket. The session is served, or the response sent instead.
  virtual std::variant<Response, std::unique_ptr<ws::Session>> upgrade(const Request& request) = 0;
};

struct TlsIdentity {
  std::string certificate_pem;  // the chain
  std::string private_key_pem;
};

struct ServerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one, see Server::port()
  std::optional<TlsIdentity> tls;
  std::size_t max_body_bytes = 1u << 20;  // in memory; more: 413 and the connection is closed
  std::uint64_t max_streamed_bytes = std::uint64_t{8} << 30;  // for a BodySink
  std::size_t max_header_bytes = 16u << 10;                   // more: 431
  std::size_t max_connections = 60'000;                       // more: accepted and closed at once
  Milliseconds header_timeout{10'000};  // from the first byte of a request to the end of its headers
  Milliseconds body_timeout{30'000};
  Milliseconds idle_timeout{75'000};  // between requests
  ws::Limits ws;
};

class Server {
 public:
  // Errors: invalid_argument (address, certificate), io (the address is taken).
  static Result<std::unique_ptr<Server>> listen(boost::asio::any_io_executor executor, const Clock& clock,
                                                Logger log, Handler& handler, ServerOptions options);
  virtual ~Server() = default;
  virtual void start() = 0;
  // Stops accepting, sends WebSockets 1001, ends streams, lets requests finish for up to 1 s, then drops
  // them.
  virtual boost::asio::awaitable<void> stop() = 0;
  virtual std::uint16_t port() const = 0;

  struct Counters {
    std::uint64_t accepted = 0, requests = 0, bad_requests = 0, websockets = 0, open = 0;
  };
  virtual Counters counters() const = 0;
};

}  // namespace starling::http
