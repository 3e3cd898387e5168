#include "base/net/unix_listener.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace starling::net {

using Local = asio::local::stream_protocol;
constexpr auto tuple_awaitable = asio::as_tuple(asio::use_awaitable);

Result<void> UnixListener::listen(const std::filesystem::path& socket) {
  if (socket.string().size() >= sizeof(sockaddr_un::sun_path)) {
    return fail(ErrorCode::invalid_argument,
                "the path is too long for a Unix socket: " + socket.string() + "; choose a shorter folder");
  }
  ::unlink(socket.c_str());
  boost::system::error_code error;
  acceptor_.close(error);  // of an attempt that failed
  acceptor_.open(Local(), error);
  const mode_t former = ::umask(0177);
  if (!error) acceptor_.bind(Local::endpoint(socket.string()), error);
  ::umask(former);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(ErrorCode::io, "cannot listen on " + socket.string() + ": " + error.message());
  path_ = socket;
  return {};
}

asio::awaitable<std::optional<UnixListener::Socket>> UnixListener::accept(Logger log) {
  while (true) {
    auto [error, socket] = co_await acceptor_.async_accept(tuple_awaitable);
    if (error == asio::error::operation_aborted) co_return std::nullopt;
    if (!error) co_return std::move(socket);
    log.warning("cannot accept a connection", {{"error", error.message()}});
    asio::steady_timer pause(acceptor_.get_executor(), std::chrono::seconds(1));
    const auto [stopped] = co_await pause.async_wait(tuple_awaitable);
    if (stopped) co_return std::nullopt;
  }
}

void UnixListener::close() {
  if (path_.empty()) return;
  boost::system::error_code ignored;
  acceptor_.close(ignored);
  ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace starling::net
