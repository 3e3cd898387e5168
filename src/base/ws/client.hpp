// Purpose: opens a WebSocket to a server, over TLS with a pinned public key for wss://.
// Owner: the caller. Thread: the io_context's. Lifetime: the coroutine ends with the connection.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <string>

#include "base/http/client.hpp"
#include "base/http/message.hpp"
#include "base/result.hpp"
#include "base/ws/websocket.hpp"

namespace starling::ws {

struct ConnectOptions {
  http::Headers headers;
  http::TlsTrust trust;
  Limits limits;
  Milliseconds timeout{10'000};  // for connect, TLS and upgrade together
  std::string source_address;    // binds to it if not empty (the fleet simulator's many addresses)
};

// Connects, upgrades, then serves `session` until the connection has ended (it completes after on_close).
// If the connection could not be made, neither on_open nor on_close is called and the error says why:
// unauthenticated (401), permission_denied (403, and a TLS pin that does not match), unavailable (all else).
// Cancellation closes the connection.
boost::asio::awaitable<Result<void>> run_client(http::Url url, ConnectOptions options,
                                                std::unique_ptr<Session> session);

}  // namespace starling::ws
