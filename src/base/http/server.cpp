#include "base/http/server.hpp"

#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/intrusive/list.hpp>
#include <cerrno>
#include <chrono>

#include "base/http/connection.hpp"
#include "base/http/event_stream.hpp"
#include "base/net/address.hpp"
#include "base/task_group.hpp"
#include "base/ws/connection.hpp"

namespace starling::http {
namespace {

using std::chrono::milliseconds;

constexpr int accepts_per_turn = 64;
constexpr milliseconds deadline_interval{250};
constexpr milliseconds accept_back_off{100};
constexpr std::uint64_t storm_size = 1'000;
constexpr milliseconds stop_limit{1'000};
constexpr milliseconds stop_poll{5};

template <typename T>
using List = boost::intrusive::list<T, boost::intrusive::constant_time_size<false>>;

class ListeningServer final : public Server, public ServerContext, public ws::Connection::Owner {
 public:
  ListeningServer(asio::io_context& context, const Clock& server_clock, Logger server_log,
                  Handler& server_handler, ServerOptions server_options, net::TlsContext server_tls,
                  int socket)
      : ServerContext(net::LoopResources::of(context), server_clock, server_log, server_handler,
                      std::move(server_options), std::move(server_tls)),
        listener_(context, socket),
        port_(net::local_port(socket)),
        tasks_(context.get_executor(), server_log) {}

  void start() override {
    tasks_.start("accept", accept());
    tasks_.start("deadlines", watch_deadlines());
  }
  asio::awaitable<void> stop() override;
  std::uint16_t port() const override { return port_; }
  Counters counters() const override { return count; }

 private:
  asio::awaitable<void> accept();
  asio::awaitable<void> serve(std::unique_ptr<Connection> connection);
  asio::awaitable<void> watch_deadlines();
  void return_memory_after_storm();
  asio::awaitable<void> pause(milliseconds duration);
  int accept_some();
  void take(int socket, const sockaddr_storage& peer);

  void adopt_websocket(net::SocketStream stream, std::string address, std::unique_ptr<ws::Session> session,
                       std::string received) override;
  std::shared_ptr<EventStream> adopt_stream(net::SocketStream stream, bool chunked) override;
  void connection_ended(ws::Connection& connection) override;

  net::SocketStream::Descriptor listener_;
  std::uint16_t port_;
  std::uint64_t accepted_at_last_look_ = 0;
  std::uint64_t accepted_at_trim_ = 0;
  TaskGroup tasks_;
  List<Connection> connections_;
  List<ws::Connection> websockets_;
  List<EventStreamConnection> streams_;
};

asio::awaitable<void> ListeningServer::pause(milliseconds duration) {
  asio::steady_timer timer(loop.io(), duration);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> ListeningServer::accept() {
  while (!stopping) {
    const auto [error] =
        co_await listener_.async_wait(listener_.wait_read, asio::as_tuple(asio::use_awaitable));
    if (error || stopping) co_return;
    const int failure = accept_some();
    if (failure == 0) continue;
    // Out of descriptors or memory: the waiting connection keeps the socket readable, so look later.
    log.warning(
        "no connection can be accepted at the moment; raise the limit of open files (LimitNOFILE, ulimit -n)",
        {{"error", std::generic_category().message(failure)}, {"open", count.open}});
    co_await pause(accept_back_off);
  }
}

// The errno that accepting must wait for, or 0.
int ListeningServer::accept_some() {
  for (int i = 0; i < accepts_per_turn; ++i) {
    sockaddr_storage peer{};
    socklen_t size = sizeof(peer);
    const int socket = ::accept4(listener_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &size,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (socket >= 0) {
      take(socket, peer);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      return 0;
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return errno;
    }  // else: the error of that one connection, which is gone
  }
  return 0;
}

void ListeningServer::take(int socket, const sockaddr_storage& peer) {
  if (count.open >= options.max_connections) {
    ::close(socket);
    return;
  }
  ++count.accepted;
  net::send_without_delay(socket);
  try {
    auto connection =
        std::make_unique<Connection>(*this, net::SocketStream(loop.io(), socket), net::address_text(peer));
    connections_.push_back(*connection);
    tasks_.start("http connection", serve(std::move(connection)));
  } catch (const boost::system::system_error& error) {  // the loop cannot watch any more sockets
    ::close(socket);
    log.warning("a connection was dropped", {{"error", error.what()}, {"open", count.open}});
  }
}

asio::awaitable<void> ListeningServer::serve(std::unique_ptr<Connection> connection) {
  co_await connection->run();
}

asio::awaitable<void> ListeningServer::watch_deadlines() {
  for (;;) {
    co_await pause(deadline_interval);
    const SteadyTime now = clock.steady();
    for (Connection& connection : connections_)
      connection.check_deadline(now);
    return_memory_after_storm();
  }
}

// TLS handshakes need twice the memory of the connections that they make. After thousands at once (a site
// whose power came back) that memory lies free but scattered, and would count against the hub for ever.
void ListeningServer::return_memory_after_storm() {
  const bool quiet = count.accepted == accepted_at_last_look_;
  accepted_at_last_look_ = count.accepted;
  if (!quiet || count.accepted - accepted_at_trim_ < storm_size) return;
  accepted_at_trim_ = count.accepted;
  ::malloc_trim(0);
}

void ListeningServer::adopt_websocket(net::SocketStream stream, std::string address,
                                      std::unique_ptr<ws::Session> session, std::string received) {
  const auto connection = std::make_shared<ws::Connection>(
      loop, std::move(stream), ws::Role::server, options.ws, std::move(address), std::move(session), *this);
  websockets_.push_back(*connection);
  ++count.open;
  connection->start(std::move(received));
}

void ListeningServer::connection_ended(ws::Connection& connection) {
  connection.unlink();
  --count.open;
}

std::shared_ptr<EventStream> ListeningServer::adopt_stream(net::SocketStream stream, bool chunked) {
  auto adopted = std::make_shared<EventStreamConnection>(loop, std::move(stream), chunked, count.open);
  streams_.push_back(*adopted);
  adopted->start();
  return adopted;
}

asio::awaitable<void> ListeningServer::stop() {
  // Connections refer to this server, so it waits for them even if the coroutine that stops it is cancelled.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  stopping = true;
  boost::system::error_code ignored;
  listener_.close(ignored);
  // Closing one unlinks it, now or in a later turn of the loop.
  for (auto next = websockets_.begin(); next != websockets_.end();) {
    (next++)->close(ws::CloseCode::going_away, "the server is stopping");
  }
  for (auto next = streams_.begin(); next != streams_.end();)
    (next++)->close();
  for (Connection& connection : connections_)
    connection.stop_soon();

  asio::steady_timer timer(loop.io());
  for (auto waited = milliseconds(0); waited < stop_limit && count.open > 0; waited += stop_poll) {
    timer.expires_after(stop_poll);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  for (ws::Connection& connection : websockets_)
    connection.abort();
  while (!streams_.empty())
    streams_.front().drop();
  co_await tasks_.stop();
  while (count.open > 0) {  // only turns of the loop are missing
    timer.expires_after(stop_poll);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
}

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(asio::any_io_executor executor, const Clock& clock, Logger log,
                                               Handler& handler, ServerOptions options) {
  net::TlsContext tls;
  if (options.tls) {
    Result<net::TlsContext> made = net::make_server_tls(*options.tls);
    if (!made) return fail(made);
    tls = std::move(*made);
  }
  const Result<int> socket = net::listen_on(options.host, options.port);
  if (!socket) return fail(socket);
  return std::make_unique<ListeningServer>(net::context_of(executor), clock, log, handler, std::move(options),
                                           std::move(tls), *socket);
}

}  // namespace starling::http
