#include "base/http/connection.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <variant>

#include "base/ws/handshake.hpp"

namespace starling::http {
namespace {

using net::Outcome;

constexpr Milliseconds linger_limit{2'000};
constexpr int max_reads_in_turn = 8;
constexpr std::size_t kept_output_bytes = 16u << 10;
constexpr std::size_t head_read_bytes = 2u << 10;
constexpr std::size_t body_read_bytes = 16u << 10;
constexpr std::size_t file_read_bytes = 64u << 10;

}  // namespace

Connection::Connection(ServerContext& server, net::SocketStream stream, std::string address)
    : server_(server),
      stream_(std::move(stream)),
      address_(std::move(address)),
      parser_({.max_header_bytes = server.options.max_header_bytes,
               .max_body_bytes = std::max<std::uint64_t>(server.options.max_body_bytes,
                                                         server.options.max_streamed_bytes)}) {
  ++server_.count.open;
}

Connection::~Connection() {
  --server_.count.open;
}

asio::awaitable<void> Connection::run() {
  if (server_.tls) {
    const Step shaken = co_await shake_hands();
    if (shaken != Step::ready) co_return;
  }
  for (;;) {
    const Step step = co_await read_request();
    if (step == Step::ended) co_return;
    if (step == Step::refused) {
      co_await refuse();
      co_return;
    }
    ++server_.count.requests;
    const bool goes_on = co_await answer();
    if (!goes_on) co_return;
    parser_.reset();
  }
}

// --- deadlines

void Connection::enter(Phase phase, Milliseconds limit) {
  phase_ = phase;
  deadline_ = server_.clock.steady() + limit;
}

void Connection::check_deadline(SteadyTime now) {
  if (expired_ || now < deadline_) return;
  expired_ = true;
  stream_.cancel();
}

void Connection::stop_soon() {
  if (phase_ == Phase::serving || phase_ == Phase::writing) return;  // answer() sees that the server stops
  check_deadline(SteadyTime::max());
}

asio::awaitable<bool> Connection::wait(Wait what) {
  if (expired_) co_return false;
  const auto [error] = co_await stream_.async_wait(what, asio::as_tuple(asio::use_awaitable));
  co_return !error && !expired_;
}

// --- receiving

asio::awaitable<Connection::Step> Connection::shake_hands() {
  stream_.use_tls(server_.tls, net::TlsEnd::server, {});
  enter(Phase::handshake, server_.options.header_timeout);
  for (;;) {
    const Outcome outcome = stream_.handshake();
    if (outcome.status == Outcome::Status::done) break;
    const bool reads = outcome.status == Outcome::Status::want_read;
    if (!reads && outcome.status != Outcome::Status::want_write) {
      server_.log.debug("a TLS handshake failed", {{"peer", address_}, {"error", outcome.what()}});
      co_return Step::ended;
    }
    const bool ready = co_await wait(reads ? Wait::wait_read : Wait::wait_write);
    if (!ready) co_return Step::ended;
  }
  may_read_ = stream_.may_have_more(0, 1);
  co_return Step::ready;
}

asio::awaitable<Connection::Step> Connection::read_request() {
  enter(Phase::idle, server_.options.idle_timeout);
  for (;;) {
    if (!received_.unread().empty()) {
      const Step step = parse();
      if (step != Step::ended) co_return step;  // here: not complete
      if (!out_.empty()) {                      // 100 Continue
        const bool written = co_await write_out();
        if (!written) co_return Step::ended;
        enter(Phase::body, server_.options.body_timeout);
      }
    }
    const Step received = co_await receive();
    if (received != Step::ready) co_return received;
  }
}

Connection::Step Connection::parse() {
  const bool in_body = parser_.head_done();
  const auto taken = parser_.feed(received_.unread());
  if (!taken) {
    refusal_ = refusal_response(taken.error());
    return Step::refused;
  }
  received_.drop(*taken);
  if (!in_body && parser_.has_body() && !begin_body()) return Step::refused;
  if (!take_body()) return Step::refused;
  if (parser_.complete()) return Step::ready;
  if (received_.unread().size() >
      server_.options.max_header_bytes) {  // the parser waits for the end of a line
    refusal_ = refusal_response({400, "a chunk's header or the trailer is too large"});
    return Step::refused;
  }
  if (!parser_.head_done()) {
    if (phase_ == Phase::idle) enter(Phase::head, server_.options.header_timeout);
  } else if (!in_body) {
    enter(Phase::body, server_.options.body_timeout);
    if (parser_.expects_continue()) out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  }
  return Step::ended;
}

// Whether the body is wanted. If not, refusal_ says why.
bool Connection::begin_body() {
  Request& request = parser_.request();
  request.peer_address = address_;
  request.tls = stream_.tls();
  Handler::Reception reception = server_.handler.receive(request);
  if (auto* refusal = std::get_if<Response>(&reception)) {
    refusal_ = std::move(*refusal);
    return false;
  }
  if (auto* sink = std::get_if<std::shared_ptr<BodySink>>(&reception)) request.sink = std::move(*sink);
  return true;
}

// What has come of the body, to where it belongs.
bool Connection::take_body() {
  Request& request = parser_.request();
  if (!request.sink) {
    const std::size_t most = server_.options.max_body_bytes;
    if (!parser_.has_body() || parser_.body_bytes() <= most) return true;
    refusal_ =
        refusal_response({413, fmt::format("the body is larger than the {} bytes that are taken", most)});
    return false;
  }
  if (request.body.empty()) return true;
  const Result<void> written = request.sink->write(request.body);
  request.body.clear();
  enter(Phase::body, server_.options.body_timeout);  // anew with all progress
  if (!written) refusal_ = problem_response(written.error());
  return written.has_value();
}

asio::awaitable<Connection::Step> Connection::receive() {
  for (;;) {
    if (may_read_) {
      if (++reads_in_turn_ >= max_reads_in_turn) {  // a client that never pauses must not keep out the others
        reads_in_turn_ = 0;
        co_await asio::post(server_.loop.io(), asio::use_awaitable);
      }
      const std::span<char> room = received_.room(phase_ == Phase::body ? body_read_bytes : head_read_bytes);
      const Outcome got = stream_.read(room);
      if (got.status == Outcome::Status::done) {
        received_.added(got.bytes);
        may_read_ = stream_.may_have_more(got.bytes, room.size());
        co_return Step::ready;
      }
      may_read_ = false;
      if (got.status != Outcome::Status::want_read) co_return Step::ended;
    }
    const bool ready = co_await wait(Wait::wait_read);
    if (!ready) {
      if (!expired_ || phase_ == Phase::idle || server_.stopping) co_return Step::ended;
      refusal_ = refusal_response(timeout_refusal());
      co_return Step::refused;
    }
    may_read_ = true;
    reads_in_turn_ = 0;
  }
}

Refusal Connection::timeout_refusal() const {
  const bool head = phase_ == Phase::head;
  const Milliseconds limit = head ? server_.options.header_timeout : server_.options.body_timeout;
  return {408, fmt::format("the request's {} did not arrive within {} s", head ? "header" : "body",
                           static_cast<double>(limit.count()) / 1000)};
}

// --- answering

// Whether the connection goes on to another request.
asio::awaitable<bool> Connection::answer() {
  Request& request = parser_.request();
  request.peer_address = address_;
  request.tls = stream_.tls();
  phase_ = Phase::serving;
  deadline_ = SteadyTime::max();
  if (ws::asks_for_websocket(request)) {
    const bool goes_on = co_await upgrade();
    co_return goes_on;
  }
  Response response = co_await serve();
  if (response.stream && request.method != Method::head) {
    const bool goes_on = co_await open_stream(std::move(response));
    co_return goes_on;
  }
  const bool goes_on = co_await write_response(response);
  co_return goes_on;
}

asio::awaitable<Response> Connection::serve() {
  try {
    Response response = co_await server_.handler.serve(parser_.request());
    co_return response;
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::error::operation_aborted) throw;  // the server stops
    server_.log.error("a handler threw", {{"path", parser_.request().path}, {"error", error.what()}});
  } catch (const std::exception& error) {
    server_.log.error("a handler threw", {{"path", parser_.request().path}, {"error", error.what()}});
  }
  co_return problem_response({.code = ErrorCode::internal, .message = "the request hit a bug", .field = {}});
}

asio::awaitable<bool> Connection::upgrade() {
  std::optional<Response> refused = ws::handshake_refusal(parser_.request());
  if (refused) ++server_.count.bad_requests;
  if (!refused && server_.stopping) {
    refused = problem_response({.code = ErrorCode::unavailable,
                                .message = "the server is stopping: connect again later",
                                .field = {}});
  }
  if (!refused) {
    std::variant<Response, std::unique_ptr<ws::Session>> answer = server_.handler.upgrade(parser_.request());
    if (auto* session = std::get_if<std::unique_ptr<ws::Session>>(&answer); session != nullptr) {
      const bool goes_on = co_await open_websocket(std::move(*session));
      co_return goes_on;
    }
    refused = std::move(std::get<Response>(answer));
  }
  const bool goes_on = co_await write_response(*refused);
  co_return goes_on;
}

asio::awaitable<bool> Connection::open_websocket(std::unique_ptr<ws::Session> session) {
  append_response(out_, ws::handshake_acceptance(parser_.request()), {});
  const bool written = co_await write_out();
  if (!written || server_.stopping) co_return false;
  ++server_.count.websockets;
  server_.adopt_websocket(std::move(stream_), std::move(address_), std::move(session),
                          std::string(received_.unread()));
  co_return false;
}

asio::awaitable<bool> Connection::open_stream(Response response) {
  const bool chunked = !parser_.http_1_0();
  append_stream_head(out_, response, chunked);
  const bool written = co_await write_out();
  if (!written || server_.stopping) co_return false;
  response.stream(server_.adopt_stream(std::move(stream_), chunked));
  co_return false;
}

asio::awaitable<bool> Connection::write_response(const Response& response) {
  keep_alive_ = parser_.keep_alive() && !server_.stopping;
  append_response(out_, response,
                  {.keep_alive = keep_alive_,
                   .http_1_0 = parser_.http_1_0(),
                   .head_request = parser_.request().method == Method::head});
  // The usual case costs no further coroutine.
  const Outcome outcome = stream_.write(out_);
  if (outcome.status == Outcome::Status::done && outcome.bytes == out_.size()) {
    out_.clear();
  } else {
    if (outcome.status == Outcome::Status::done) out_.erase(0, outcome.bytes);
    const bool written = co_await write_out();
    if (!written) co_return false;
  }
  if (response.file && parser_.request().method != Method::head) {
    const bool written = co_await write_file(*response.file);
    if (!written) co_return false;
  }
  if (out_.capacity() > kept_output_bytes) out_ = {};
  if (!keep_alive_) co_await linger();
  co_return keep_alive_;
}

// A file that ends early leaves the client with less than was announced, which it sees by the closed
// connection.
asio::awaitable<bool> Connection::write_file(const FileBody& body) {
  std::uint64_t sent = 0;
  while (sent < body.length) {
    out_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(file_read_bytes, body.length - sent)));
    const ssize_t got =
        ::pread(body.file.number(), out_.data(), out_.size(), static_cast<off_t>(body.offset + sent));
    if (got <= 0) co_return false;
    out_.resize(static_cast<std::size_t>(got));
    sent += static_cast<std::uint64_t>(got);
    const bool written = co_await write_out();
    if (!written || server_.stopping) co_return false;
    // A client that reads as fast as the disk must not keep out the others.
    co_await asio::post(server_.loop.io(), asio::use_awaitable);
  }
  co_return true;
}

asio::awaitable<bool> Connection::write_out() {
  std::size_t sent = 0;
  while (sent < out_.size()) {
    const Outcome outcome = stream_.write(std::string_view(out_).substr(sent));
    if (outcome.status == Outcome::Status::done) {
      sent += outcome.bytes;
      continue;
    }
    if (outcome.status != Outcome::Status::want_write) co_return false;
    enter(Phase::writing, server_.options.body_timeout);  // anew with all progress
    const bool ready = co_await wait(Wait::wait_write);
    if (!ready) co_return false;
  }
  out_.clear();
  co_return true;
}

asio::awaitable<void> Connection::refuse() {
  ++server_.count.bad_requests;
  server_.log.debug("a request was refused",
                    {{"peer", address_}, {"status", refusal_.status}, {"why", refusal_.body}});
  expired_ = false;
  append_response(out_, refusal_, {.keep_alive = false});
  const bool written = co_await write_out();
  if (written) co_await linger();
}

// Closing a socket with unread bytes makes TCP throw away what was just sent, so that the client would not
// learn why (RFC 9112 section 9.6).
asio::awaitable<void> Connection::linger() {
  stream_.end_writing();
  enter(Phase::lingering, linger_limit);
  for (;;) {
    const Outcome got = stream_.read(server_.loop.read_buffer());
    if (got.status != Outcome::Status::done && got.status != Outcome::Status::want_read) co_return;
    const bool ready = co_await wait(Wait::wait_read);
    if (!ready) co_return;
  }
}

}  // namespace starling::http
