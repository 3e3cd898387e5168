#include "base/net/connect.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <system_error>
#include <thread>

#include "base/net/address.hpp"
#include "base/net/loop_resources.hpp"

namespace starling::net {
namespace {

using Wait = SocketStream::Descriptor::wait_type;
using Endpoints = Result<std::vector<Endpoint>>;

constexpr int max_lookups = 16;

// Shared with the thread that looks up, which may end long after the one who asked has gone: getaddrinfo
// cannot be interrupted, and its answer is signalled through a descriptor because the loop may be gone too.
struct Lookup {
  Lookup() : done(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup() { ::close(done); }

  const int done;
  std::atomic<bool> ready = false;  // endpoints may be read
  Endpoints endpoints;
};

std::atomic<int>& running_lookups() {
  static std::atomic<int> count{0};
  return count;
}

void look_up_apart(const std::shared_ptr<Lookup>& lookup, const std::string& host, std::uint16_t port) {
  lookup->endpoints = resolve(host, port, false);
  lookup->ready = true;
  --running_lookups();
  ::eventfd_write(lookup->done, 1);
}

asio::awaitable<Endpoints> resolve_name(asio::io_context& context, const http::Url& url, Deadline& deadline) {
  Endpoints numeric = resolve(url.host, url.port, true);
  if (numeric) co_return numeric;
  if (++running_lookups() > max_lookups) {
    --running_lookups();
    co_return fail(ErrorCode::unavailable, "too many names are being looked up at once");
  }
  const auto lookup = std::make_shared<Lookup>();
  try {
    std::thread(look_up_apart, lookup, url.host, url.port).detach();
  } catch (const std::system_error& error) {
    --running_lookups();
    co_return fail(ErrorCode::unavailable, fmt::format("looking up '{}': {}", url.host, error.what()));
  }
  const int signal = ::dup(lookup->done);
  if (signal < 0) {
    co_return fail(ErrorCode::unavailable, fmt::format("looking up '{}': too many open files", url.host));
  }
  SocketStream done(context, signal);
  const Result<void> ready = co_await wait_for(done, Wait::wait_read, deadline);
  if (!ready) co_return fail(ready, fmt::format("looking up '{}'", url.host));
  if (!lookup->ready) co_return fail(ErrorCode::unavailable, fmt::format("looking up '{}' failed", url.host));
  co_return std::move(lookup->endpoints);
}

asio::awaitable<Result<SocketStream>> connect_to(asio::io_context& context, const Endpoint& endpoint,
                                                 const std::string& source_address, Deadline& deadline) {
  const Result<int> socket = begin_connect(endpoint, source_address);
  if (!socket) co_return fail(socket);
  SocketStream stream(context, *socket);
  const Result<void> ready = co_await wait_for(stream, Wait::wait_write, deadline);
  if (!ready) co_return fail(ready, fmt::format("connecting to {}", address_text(endpoint.address)));
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(*socket, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    co_return fail(ErrorCode::unavailable, fmt::format("connecting to {}: {}", address_text(endpoint.address),
                                                       std::generic_category().message(error)));
  }
  co_return std::move(stream);
}

asio::awaitable<Result<void>> shake_hands(SocketStream& stream, Deadline& deadline) {
  for (;;) {
    const Outcome outcome = stream.handshake();
    if (outcome.status == Outcome::Status::done) co_return Result<void>();
    if (outcome.status == Outcome::Status::want_read || outcome.status == Outcome::Status::want_write) {
      const bool reads = outcome.status == Outcome::Status::want_read;
      const Result<void> ready =
          co_await wait_for(stream, reads ? Wait::wait_read : Wait::wait_write, deadline);
      if (!ready) co_return fail(ready, "TLS handshake");
      continue;
    }
    if (outcome.certificate_refused()) {
      co_return fail(ErrorCode::permission_denied,
                     "the server's certificate is not the one that is pinned, or not valid for its name; "
                     "nothing was sent");
    }
    co_return fail(ErrorCode::unavailable, "TLS handshake: " + outcome.what());
  }
}

}  // namespace

asio::awaitable<Result<void>> wait_for(SocketStream& stream, Wait what, Deadline& deadline) {
  if (!deadline.passed()) {
    deadline.interrupt_with([&stream] { stream.cancel(); });
    const auto [error] = co_await stream.async_wait(what, asio::as_tuple(asio::use_awaitable));
    deadline.interrupt_with({});
    if (!error) co_return Result<void>();
  }
  if (deadline.passed()) co_return fail(ErrorCode::timed_out, "no answer within the time limit");
  co_return fail(ErrorCode::unavailable, "cancelled");
}

asio::awaitable<Result<void>> write_all(SocketStream& stream, std::string_view bytes, Deadline& deadline) {
  while (!bytes.empty()) {
    const Outcome outcome = stream.write(bytes);
    if (outcome.status == Outcome::Status::done) {
      bytes.remove_prefix(outcome.bytes);
      continue;
    }
    if (outcome.status != Outcome::Status::want_write) {
      co_return fail(ErrorCode::unavailable, "sending: " + outcome.what());
    }
    const Result<void> ready = co_await wait_for(stream, Wait::wait_write, deadline);
    if (!ready) co_return fail(ready, "sending");
  }
  co_return Result<void>();
}

asio::awaitable<Result<SocketStream>> connect(asio::io_context& context, const http::Url& url,
                                              const http::TlsTrust& trust, const std::string& source_address,
                                              Deadline& deadline) {
  const Endpoints endpoints = co_await resolve_name(context, url, deadline);
  if (!endpoints) co_return fail(endpoints);
  Result<SocketStream> stream = fail(ErrorCode::unavailable, fmt::format("'{}' has no address", url.host));
  for (const Endpoint& endpoint : *endpoints) {
    stream = co_await connect_to(context, endpoint, source_address, deadline);
    if (stream || deadline.passed()) break;
  }
  if (!stream) co_return stream;
  if (url.tls) {
    const Result<TlsContext> tls = LoopResources::of(context).client_tls(trust);
    if (!tls) co_return fail(tls);
    stream->use_tls(*tls, TlsEnd::client, url.host);
    const Result<void> shaken = co_await shake_hands(*stream, deadline);
    if (!shaken) co_return fail(shaken);
  }
  co_return stream;
}

}  // namespace starling::net
