#include "base/http/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "base/http/event_parser.hpp"
#include "base/http/message_parser.hpp"
#include "base/net/connect.hpp"
#include "base/net/deadline.hpp"
#include "base/net/read_buffer.hpp"
#include "base/pace.hpp"

namespace starling::http {

namespace asio = boost::asio;

namespace {

using net::Deadline;
using net::Outcome;
using Wait = net::SocketStream::Descriptor::wait_type;

constexpr std::size_t max_header_bytes = 64u << 10;
constexpr std::size_t read_bytes = 16u << 10;
constexpr std::size_t kept_connections = 4;

struct Link {
  explicit Link(net::SocketStream connected) : stream(std::move(connected)) {}
  net::SocketStream stream;
  net::ReadBuffer received;
};

bool may_be_repeated(const Client::Call& call) {
  return (call.method != Method::post && call.method != Method::patch) ||
         call.headers.find("Idempotency-Key").has_value();
}

Error error_of(const Refusal& refusal) {
  return {.code = refusal.status == 413 ? ErrorCode::too_large : ErrorCode::unavailable,
          .message = "reading the response: " + refusal.detail,
          .field = {}};
}

// What a response other than the awaited one means to the caller.
Error error_of(const Response& response) {
  ErrorCode code = response.status >= 500 ? ErrorCode::unavailable : ErrorCode::invalid_argument;
  if (response.status == 401) code = ErrorCode::unauthenticated;
  if (response.status == 403) code = ErrorCode::permission_denied;
  if (response.status == 404) code = ErrorCode::not_found;
  if (response.status == 429) code = ErrorCode::rate_limited;
  const Result<Json> problem = parse_json(response.body);
  const JsonObject* object = problem ? problem->if_object() : nullptr;
  const Json* detail = object != nullptr ? object->if_contains("detail") : nullptr;
  return {.code = code,
          .message = detail != nullptr && detail->is_string()
                         ? std::string(detail->get_string())
                         : fmt::format("the server answered {}", response.status),
          .field = {}};
}

}  // namespace

struct Client::Impl {
  Impl(asio::io_context& its_context, Url its_origin, TlsTrust its_trust)
      : context(its_context), origin(std::move(its_origin)), trust(std::move(its_trust)) {}

  std::unique_ptr<Link> take_kept();
  void keep(std::unique_ptr<Link> link);
  asio::awaitable<Result<std::unique_ptr<Link>>> connect(Deadline& deadline);
  asio::awaitable<Result<void>> send(Link& link, const Call& call, Deadline& deadline);
  asio::awaitable<Result<bool>> receive_some(Link& link, ResponseParser& parser, Deadline& deadline);
  asio::awaitable<Result<Response>> exchange(Link& link, const Call& call, Deadline& deadline, bool& reusable,
                                             bool& answered);
  asio::awaitable<Result<Response>> call(Call call);
  asio::awaitable<Result<Response>> download(Call call, BodySink sink);
  asio::awaitable<Result<void>> events(Call call, EventParser::Sink sink);

  asio::io_context& context;
  Url origin;
  TlsTrust trust;
  std::vector<std::unique_ptr<Link>> kept;
};

std::unique_ptr<Link> Client::Impl::take_kept() {
  while (!kept.empty()) {
    std::unique_ptr<Link> link = std::move(kept.back());
    kept.pop_back();
    // A server that has closed meanwhile is noticed before anything is sent, so that even a POST can go
    // over a new connection.
    const Outcome alive = link->stream.read(link->received.room(1));
    if (alive.status == Outcome::Status::want_read) return link;
  }
  return nullptr;
}

void Client::Impl::keep(std::unique_ptr<Link> link) {
  if (kept.size() < kept_connections) kept.push_back(std::move(link));
}

asio::awaitable<Result<std::unique_ptr<Link>>> Client::Impl::connect(Deadline& deadline) {
  Result<net::SocketStream> stream = co_await net::connect(context, origin, trust, {}, deadline);
  if (!stream) co_return fail(stream, origin.origin());
  co_return std::make_unique<Link>(std::move(*stream));
}

// Succeeds early if the server answers before it has everything: the answer says why.
asio::awaitable<Result<void>> Client::Impl::send(Link& link, const Call& call, Deadline& deadline) {
  std::string bytes;
  append_request(bytes, origin, call.method, call.target, call.headers, call.body, call.content_type);
  std::string_view unsent = bytes;
  while (!unsent.empty()) {
    const Outcome outcome = link.stream.write(unsent);
    if (outcome.status == Outcome::Status::done) {
      unsent.remove_prefix(outcome.bytes);
      continue;
    }
    if (outcome.status != Outcome::Status::want_write) {
      co_return fail(ErrorCode::unavailable, "sending: " + outcome.what());
    }
    const Outcome early = link.stream.read(link.received.room(read_bytes));
    if (early.status == Outcome::Status::done) {
      link.received.added(early.bytes);
      co_return Result<void>();
    }
    const Result<void> ready = co_await net::wait_for(link.stream, Wait::wait_write, deadline);
    if (!ready) co_return ready;
  }
  co_return Result<void>();
}

// Feeds the parser with what is there or comes next; false at the end of the connection.
asio::awaitable<Result<bool>> Client::Impl::receive_some(Link& link, ResponseParser& parser,
                                                         Deadline& deadline) {
  for (;;) {
    const bool had_head = parser.head_done();
    const auto taken = parser.feed(link.received.unread());
    if (!taken) co_return std::unexpected(error_of(taken.error()));
    link.received.drop(*taken);
    if (parser.complete() || parser.head_done() != had_head) co_return true;

    const std::span<char> room = link.received.room(read_bytes);
    const Outcome got = link.stream.read(room);
    if (got.status == Outcome::Status::done) {
      link.received.added(got.bytes);
      const auto fed = parser.feed(link.received.unread());
      if (!fed) co_return std::unexpected(error_of(fed.error()));
      link.received.drop(*fed);
      if (!parser.complete() && link.received.unread().size() > max_header_bytes) {
        co_return fail(ErrorCode::unavailable, "the server sends a line without end");
      }
      co_return true;
    }
    if (got.status == Outcome::Status::closed) {
      const auto ended = parser.feed_end();
      if (!ended) co_return std::unexpected(error_of(ended.error()));
      co_return false;
    }
    if (got.status != Outcome::Status::want_read) {
      co_return fail(ErrorCode::unavailable, "receiving: " + got.what());
    }
    const Result<void> ready = co_await net::wait_for(link.stream, Wait::wait_read, deadline);
    if (!ready) co_return fail(ready, "receiving");
  }
}

asio::awaitable<Result<Response>> Client::Impl::exchange(Link& link, const Call& call, Deadline& deadline,
                                                         bool& reusable, bool& answered) {
  reusable = answered = false;
  const Result<void> sent = co_await send(link, call, deadline);
  if (!sent && deadline.passed()) co_return fail(sent);
  ResponseParser parser({.max_header_bytes = max_header_bytes, .max_body_bytes = call.max_response_bytes},
                        call.method == Method::head);
  for (;;) {
    const Result<bool> more = co_await receive_some(link, parser, deadline);
    answered |= parser.head_done();
    if (!more) co_return sent ? fail(more) : fail(sent);
    if (parser.complete() && parser.response().status / 100 == 1 && parser.response().status != 101) {
      parser.reset();  // an interim response
      continue;
    }
    if (parser.complete()) break;
    if (!*more) co_return fail(ErrorCode::unavailable, "the connection ended before the response");
  }
  reusable = sent && parser.keep_alive() && link.received.unread().empty();
  co_return std::move(parser.response());
}

asio::awaitable<Result<Response>> Client::Impl::call(Call call) {
  Deadline deadline(context, call.timeout);
  bool reusable = false;
  bool answered = false;
  if (std::unique_ptr<Link> link = take_kept()) {
    Result<Response> response = co_await exchange(*link, call, deadline, reusable, answered);
    if (reusable) keep(std::move(link));
    const bool lost = !response && response.error().code == ErrorCode::unavailable && !answered;
    if (!lost || !may_be_repeated(call)) co_return response;
  }
  Result<std::unique_ptr<Link>> link = co_await connect(deadline);
  if (!link) co_return fail(link);
  Result<Response> response = co_await exchange(**link, call, deadline, reusable, answered);
  if (reusable) keep(std::move(*link));
  if (!response) co_return fail(response, origin.origin());
  co_return response;
}

// How much of the body comes before what was asked for; nullopt: this is not the body.
std::optional<std::uint64_t> bytes_before(const Response& response, std::uint64_t first_byte) {
  if (response.status == 200) return first_byte;
  if (response.status != 206 || first_byte == 0) return std::nullopt;
  const std::string_view range = response.headers.find("Content-Range").value_or("");
  const bool as_asked = range.starts_with("bytes " + std::to_string(first_byte) + "-");
  return as_asked ? std::optional<std::uint64_t>(0) : std::nullopt;
}

asio::awaitable<Result<Response>> Client::Impl::download(Call call, BodySink sink) {
  call.method = Method::get;
  if (call.first_byte > 0) call.headers.set("Range", "bytes=" + std::to_string(call.first_byte) + "-");
  Deadline opening(context, call.timeout);
  const Result<std::unique_ptr<Link>> link = co_await connect(opening);
  if (!link) co_return fail(link);
  if (call.bytes_per_second > 0) (*link)->stream.receive_little();
  const Result<void> sent = co_await send(**link, call, opening);
  if (!sent) co_return fail(sent, origin.origin());

  const SystemClock clock;
  Pace pace(call.bytes_per_second);
  asio::steady_timer pause(context);
  ResponseParser parser({.max_header_bytes = max_header_bytes, .max_body_bytes = call.max_response_bytes},
                        false);
  std::uint64_t dropped = 0;
  while (!parser.complete()) {
    Deadline silence(context, call.timeout);
    const Result<bool> more = co_await receive_some(**link, parser, parser.head_done() ? silence : opening);
    if (!more) co_return fail(more, origin.origin());
    const auto before = parser.head_done() ? bytes_before(parser.response(), call.first_byte) : std::nullopt;
    if (parser.head_done() && parser.response().status == 206 && !before) {
      co_return fail(ErrorCode::unavailable,
                     origin.origin() + ": the server sent another part than was asked for");
    }
    if (before) {
      std::string part = std::exchange(parser.response().body, {});
      const auto unwanted = static_cast<std::size_t>(std::min<std::uint64_t>(*before - dropped, part.size()));
      dropped += unwanted;
      part.erase(0, unwanted);
      if (const Result<void> taken = sink(part); !taken) co_return fail(taken);
      if (const Milliseconds wait = pace.after(part.size(), clock.steady()); wait > Milliseconds(0)) {
        pause.expires_after(wait);
        co_await pause.async_wait(asio::as_tuple(asio::use_awaitable));
      }
    }
    if (!*more && !parser.complete()) {
      co_return fail(ErrorCode::unavailable, origin.origin() + ": the connection ended within the response");
    }
  }
  co_return std::move(parser.response());
}

asio::awaitable<Result<void>> Client::Impl::events(Call call, EventParser::Sink sink) {
  call.method = Method::get;
  call.headers.set("Accept", "text/event-stream");
  Deadline opening(context, call.timeout);
  const Result<std::unique_ptr<Link>> link = co_await connect(opening);
  if (!link) co_return fail(link);
  const Result<void> sent = co_await send(**link, call, opening);
  if (!sent) co_return fail(sent, origin.origin());

  // A stream may run for ever: its parts are taken out of the parser as they come and do not count together.
  ResponseParser parser({.max_header_bytes = max_header_bytes, .max_body_bytes = std::size_t(-1) / 2}, false);
  EventParser events;
  bool more = true;
  while (more && !parser.complete()) {
    Deadline silence(context, call.longest_silence);
    const Result<bool> received =
        co_await receive_some(**link, parser, parser.head_done() ? silence : opening);
    if (!received) co_return fail(received, origin.origin());
    more = *received;
    Response& response = parser.response();
    const bool streams = response.status == 200 && response.content_type.starts_with("text/event-stream");
    if (!parser.head_done()) continue;
    if (call.on_head) std::exchange(call.on_head, {})(response.status);
    if (!streams) {
      if (response.body.size() > max_header_bytes) break;
      continue;
    }
    const std::string part = std::exchange(response.body, {});
    const Result<EventParser::Verdict> verdict = events.feed(part, sink);
    if (!verdict) co_return fail(verdict, origin.origin());
    if (*verdict == EventParser::Verdict::stop) co_return Result<void>();
  }
  const Response& response = parser.response();
  if (!parser.head_done()) co_return fail(ErrorCode::unavailable, "the connection ended before the response");
  if (response.status != 200 || !response.content_type.starts_with("text/event-stream")) {
    co_return std::unexpected(error_of(response));
  }
  co_return Result<void>();
}

Client::Client(asio::any_io_executor executor, Url origin, TlsTrust trust)
    : impl_(std::make_unique<Impl>(net::context_of(executor), std::move(origin), std::move(trust))) {}

Client::~Client() = default;

asio::awaitable<Result<Response>> Client::call(Call call) {
  return impl_->call(std::move(call));
}

asio::awaitable<Result<Response>> Client::download(Call call, BodySink sink) {
  return impl_->download(std::move(call), std::move(sink));
}

asio::awaitable<Result<void>> Client::events(Call call, std::function<bool(const Event&)> sink) {
  return impl_->events(std::move(call), std::move(sink));
}

}  // namespace starling::http
