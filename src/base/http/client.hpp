// Purpose: HTTP/1.1 requests with a time limit, over TLS with pinned public keys for https.
// Owner: the caller. Thread: the io_context's. Lifetime: one request is one coroutine; a Client keeps its
// connection open between requests to the same origin.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/http/message.hpp"
#include "base/result.hpp"

namespace starling::http {

// Whom an https or wss client believes. A pin is "sha256/" and the base64 of the SHA-256 of the certificate's
// SubjectPublicKeyInfo (RFC 7469 section 2.4). With pins, one of them must match and names and authorities do
// not count; without, the certificate must be valid for the host under the system's authorities.
struct TlsTrust {
  std::vector<std::string> pins;
};

class Client {
 public:
  Client(boost::asio::any_io_executor executor, Url origin, TlsTrust trust);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  struct Call {
    Method method = Method::get;
    std::string target = "/";
    Headers headers;
    std::string body;
    std::string content_type = "application/json";
    Milliseconds timeout{10'000};
    std::size_t max_response_bytes = 64u << 20;
    // events(): a stream from which nothing comes for longer, not even a comment, is lost (timed_out).
    Milliseconds longest_silence = std::chrono::hours(24 * 365);
    // download(): where the body is to begin (RFC 9110 section 14.2). A server that sends it from its
    // beginning all the same is read as well, and what lies before is dropped.
    std::uint64_t first_byte = 0;
    // download(): how fast the body is taken at most; 0: as it comes.
    std::uint64_t bytes_per_second = 0;
    // events(): hears the status of the answer as soon as its head has come.
    std::function<void(int status)> on_head = {};
  };
  // Any status is a Response. Errors: unavailable (could not connect, connection lost), timed_out,
  // permission_denied (TLS pin or certificate), too_large. A call on a kept connection that turns out closed
  // is sent once more if it is idempotent by its method or carries an Idempotency-Key.
  boost::asio::awaitable<Result<Response>> call(Call call);

  // GETs and hands over the body of a 200, or of a 206 that begins where it was asked to, part by part
  // instead of keeping it; what has another status comes whole. `timeout` limits the time to the head, and
  // then each silence. Further errors: the sink's, which ends the call.
  using BodySink = std::function<Result<void>(std::string_view)>;
  boost::asio::awaitable<Result<Response>> download(Call call, BodySink sink);

  // GETs a text/event-stream and hands over each event until the stream ends, the sink says false or the call
  // is cancelled.
  struct Event {
    std::string name, id, data;
  };
  boost::asio::awaitable<Result<void>> events(Call call, std::function<bool(const Event&)> sink);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace starling::http
