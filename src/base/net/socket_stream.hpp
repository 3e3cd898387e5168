// Purpose: a connected non-blocking socket, plain or under TLS, that says when to wait instead of waiting.
// Owner: a connection. Thread: the io_context's. Lifetime: the connection's; moves only while nobody waits.
//
// OpenSSL works on the descriptor itself. Asio's TLS stream copies everything through a pair of memory
// buffers, which costs 73 KB for each connection instead of 16. Inner header of base: include it from .cpp
// files only.
#pragma once

#include <sys/uio.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/basic_stream_descriptor.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/net/tls_context.hpp"

namespace starling::net {

namespace asio = boost::asio;

struct Outcome {
  enum class Status : std::uint8_t {
    done,
    want_read,
    want_write,
    closed,  // the other end has closed in good order
    failed,  // see what()
  };
  Status status = Status::done;
  int system_error = 0;         // errno
  unsigned long tls_error = 0;  // OpenSSL's
  std::size_t bytes = 0;

  std::string what() const;
  bool certificate_refused() const;  // by this end
};

class SocketStream {
 public:
  using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

  // Takes over a connected, non-blocking socket.
  SocketStream(asio::io_context& context, int socket);

  // From now on under TLS; handshake() comes before anything else.
  void use_tls(const TlsContext& context, TlsEnd end, const std::string& host);
  Outcome handshake();
  bool tls() const { return tls_ != nullptr; }

  Outcome read(std::span<char> into);
  // Under TLS, a write that wants to wait must be repeated with the same bytes, and possibly more behind
  // them.
  Outcome write(std::string_view bytes);
  Outcome write(std::span<const iovec> pieces);
  // Whether a read after one that gave `last` bytes into `room` can give more without waiting.
  bool may_have_more(std::size_t last, std::size_t room) const;

  // Calls handler(error_code) once a read or a write may succeed.
  template <typename Handler>
  auto async_wait(Descriptor::wait_type what, Handler&& handler) {
    return descriptor_.async_wait(what, std::forward<Handler>(handler));
  }
  void cancel();

  // Who reads slowly on purpose lets the other end go on all the same, instead of seeing nothing happen while
  // megabytes lie in between.
  void receive_little();
  void end_writing();  // tells the other end, so that it sees a proper end
  void close();
  bool is_open() const { return descriptor_.is_open(); }

 private:
  struct FreeTls {
    void operator()(ssl_st* tls) const;
  };
  Outcome tls_outcome(int result);

  Descriptor descriptor_;
  std::unique_ptr<ssl_st, FreeTls> tls_;
};

// The io_context behind an executor: sockets use it without type erasure, which saves memory and time for
// each.
asio::io_context& context_of(const asio::any_io_executor& executor);

}  // namespace starling::net
