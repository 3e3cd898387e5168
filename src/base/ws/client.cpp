#include "base/ws/client.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/http/message_parser.hpp"
#include "base/net/connect.hpp"
#include "base/net/read_buffer.hpp"
#include "base/ws/connection.hpp"
#include "base/ws/handshake.hpp"

namespace starling::ws {
namespace {

using net::Deadline;
using net::Outcome;
using Wait = net::SocketStream::Descriptor::wait_type;

constexpr http::MessageLimits answer_limits{.max_header_bytes = 16u << 10, .max_body_bytes = 64u << 10};

struct Opened {
  net::SocketStream stream;
  std::string received;  // behind the handshake
};

asio::awaitable<Result<void>> read_answer(net::SocketStream& stream, net::ReadBuffer& received,
                                          http::ResponseParser& parser, Deadline& deadline) {
  while (!parser.complete()) {
    const Outcome got = stream.read(received.room(2048));
    if (got.status == Outcome::Status::want_read) {
      const Result<void> ready = co_await net::wait_for(stream, Wait::wait_read, deadline);
      if (!ready) co_return ready;
      continue;
    }
    if (got.status != Outcome::Status::done) {
      co_return fail(ErrorCode::unavailable, "the connection ended within the handshake");
    }
    received.added(got.bytes);
    const auto taken = parser.feed(received.unread());
    if (!taken) co_return fail(ErrorCode::unavailable, taken.error().detail);
    received.drop(*taken);
  }
  co_return Result<void>();
}

asio::awaitable<Result<Opened>> open(asio::io_context& context, const http::Url& url,
                                     const ConnectOptions& options) {
  Deadline deadline(context, options.timeout);
  Result<net::SocketStream> stream =
      co_await net::connect(context, url, options.trust, options.source_address, deadline);
  if (!stream) co_return fail(stream, url.origin());

  const std::string key = make_key();
  http::Headers headers = options.headers;
  add_handshake(headers, key);
  std::string request;
  http::append_request(request, url, http::Method::get, url.target, headers, {}, {});
  const Result<void> sent = co_await net::write_all(*stream, request, deadline);
  if (!sent) co_return fail(sent, url.origin());

  net::ReadBuffer received;
  http::ResponseParser parser(answer_limits, false);
  const Result<void> answered = co_await read_answer(*stream, received, parser, deadline);
  if (!answered) co_return fail(answered, url.origin());
  const Result<void> accepted = check_acceptance(parser.response(), key);
  if (!accepted) co_return fail(accepted, url.origin());
  co_return Opened{.stream = std::move(*stream), .received = std::string(received.unread())};
}

class EndOfConnection final : public Connection::Owner {
 public:
  explicit EndOfConnection(asio::io_context& context)
      : timer_(context, asio::steady_timer::time_point::max()) {}

  void connection_ended(Connection&) override {
    ended_ = true;
    timer_.cancel();
  }
  bool ended() const { return ended_; }
  asio::steady_timer& timer() { return timer_; }

 private:
  asio::steady_timer timer_;  // never expires
  bool ended_ = false;
};

asio::awaitable<void> serve(net::LoopResources& loop, Opened opened, Limits limits, std::string host,
                            std::unique_ptr<Session> session) {
  // The connection must have ended before this frame goes, so cancellation is looked at instead of thrown.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
  EndOfConnection end(loop.io());
  const auto connection = std::make_shared<Connection>(loop, std::move(opened.stream), Role::client, limits,
                                                       std::move(host), std::move(session), end);
  connection->start(std::exchange(opened.received, {}));
  while (!end.ended()) {
    if (cancellation.cancelled() == asio::cancellation_type::none) {
      co_await end.timer().async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (end.ended()) break;
    connection->close(CloseCode::going_away, "cancelled");
    connection->end_now(CloseCode::going_away, "cancelled");
  }
  co_await asio::this_coro::throw_if_cancelled(throws);
}

}  // namespace

asio::awaitable<Result<void>> run_client(http::Url url, ConnectOptions options,
                                         std::unique_ptr<Session> session) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  net::LoopResources& loop = net::LoopResources::of(net::context_of(executor));
  Result<Opened> opened = co_await open(loop.io(), url, options);
  if (!opened) co_return fail(opened);
  co_await serve(loop, std::move(*opened), options.limits, std::move(url.host), std::move(session));
  co_return Result<void>();
}

}  // namespace starling::ws
