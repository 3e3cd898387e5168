#include "base/net/socket_stream.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace starling::net {
namespace {

using Status = Outcome::Status;

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

// OpenSSL's own socket BIO writes with write(2), which raises SIGPIPE on a connection that has gone.
int bio_write(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  ssize_t sent = 0;
  do {
    sent = ::send(static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))), data,
                  static_cast<std::size_t>(size), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && would_block(errno)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

int bio_read(BIO* bio, char* data, int size) {
  BIO_clear_retry_flags(bio);
  ssize_t got = 0;
  do {
    got = ::recv(static_cast<int>(reinterpret_cast<std::intptr_t>(BIO_get_data(bio))), data,
                 static_cast<std::size_t>(size), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && would_block(errno)) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

long bio_control(BIO*, int command, long, void*) {
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO* make_socket_bio(int socket) {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    BIO_meth_set_write(made, bio_write);
    BIO_meth_set_read(made, bio_read);
    BIO_meth_set_ctrl(made, bio_control);
    return made;
  }();
  BIO* bio = BIO_new(method);
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, reinterpret_cast<void*>(static_cast<std::intptr_t>(socket)));
  BIO_set_init(bio, 1);
  return bio;
}

}  // namespace

std::string Outcome::what() const {
  if (tls_error != 0) {
    const char* reason = ERR_reason_error_string(tls_error);
    return std::string("TLS: ") + (reason != nullptr ? reason : "unknown error");
  }
  if (system_error != 0) return std::generic_category().message(system_error);
  return "the connection was cut";
}

bool Outcome::certificate_refused() const {
  return ERR_GET_REASON(tls_error) == SSL_R_CERTIFICATE_VERIFY_FAILED;
}

void SocketStream::FreeTls::operator()(ssl_st* tls) const {
  SSL_free(tls);
}

SocketStream::SocketStream(asio::io_context& context, int socket) : descriptor_(context, socket) {}

void SocketStream::use_tls(const TlsContext& context, TlsEnd end, const std::string& host) {
  tls_.reset(SSL_new(context.get()));
  if (!tls_) throw std::bad_alloc();
  BIO* bio = make_socket_bio(descriptor_.native_handle());
  SSL_set_bio(tls_.get(), bio, bio);
  if (end == TlsEnd::server) {
    SSL_set_accept_state(tls_.get());
  } else {
    SSL_set_connect_state(tls_.get());
    expect_host(tls_.get(), host);
  }
}

Outcome SocketStream::tls_outcome(int result) {
  const int error = errno;
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ: return {.status = Status::want_read};
    case SSL_ERROR_WANT_WRITE: return {.status = Status::want_write};
    case SSL_ERROR_ZERO_RETURN: return {.status = Status::closed};
    case SSL_ERROR_SYSCALL: return {.status = Status::failed, .system_error = result == 0 ? 0 : error};
    default: {
      const unsigned long code = ERR_peek_error();
      ERR_clear_error();
      return {.status = Status::failed, .tls_error = code};
    }
  }
}

Outcome SocketStream::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  return result == 1 ? Outcome{} : tls_outcome(result);
}

Outcome SocketStream::read(std::span<char> into) {
  if (tls_) {
    ERR_clear_error();
    std::size_t got = 0;
    const int result = SSL_read_ex(tls_.get(), into.data(), into.size(), &got);
    return result == 1 ? Outcome{.bytes = got} : tls_outcome(result);
  }
  ssize_t got = 0;
  do {
    got = ::recv(descriptor_.native_handle(), into.data(), into.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got > 0) return {.bytes = static_cast<std::size_t>(got)};
  if (got == 0) return {.status = Status::closed};
  if (would_block(errno)) return {.status = Status::want_read};
  return {.status = Status::failed, .system_error = errno};
}

Outcome SocketStream::write(std::string_view bytes) {
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  return write(std::span(&piece, 1));
}

Outcome SocketStream::write(std::span<const iovec> pieces) {
  if (tls_) {
    // One record for several small pieces; OpenSSL would send one for each.
    std::array<char, 4096> joined;
    std::string_view bytes(static_cast<const char*>(pieces[0].iov_base), pieces[0].iov_len);
    if (pieces.size() > 1 && bytes.size() < joined.size()) {
      std::size_t size = 0;
      for (const iovec& piece : pieces) {
        const std::size_t count = std::min(piece.iov_len, joined.size() - size);
        std::memcpy(joined.data() + size, piece.iov_base, count);
        size += count;
        if (size == joined.size()) break;
      }
      bytes = {joined.data(), size};
    }
    ERR_clear_error();
    std::size_t sent = 0;
    const int result = SSL_write_ex(tls_.get(), bytes.data(), bytes.size(), &sent);
    return result == 1 ? Outcome{.bytes = sent} : tls_outcome(result);
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(descriptor_.native_handle(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return {.bytes = static_cast<std::size_t>(sent)};
  if (would_block(errno)) return {.status = Status::want_write};
  return {.status = Status::failed, .system_error = errno};
}

bool SocketStream::may_have_more(std::size_t last, std::size_t room) const {
  return tls_ ? SSL_has_pending(tls_.get()) == 1 : last == room;
}

void SocketStream::cancel() {
  boost::system::error_code ignored;
  descriptor_.cancel(ignored);
}

void SocketStream::receive_little() {
  constexpr int bytes = 32 << 10;
  ::setsockopt(descriptor_.native_handle(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
}

void SocketStream::end_writing() {
  if (!is_open()) return;
  if (tls_ && SSL_is_init_finished(tls_.get()) == 1) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());  // close_notify, if the socket takes it: nobody waits for the answer
  }
  ::shutdown(descriptor_.native_handle(), SHUT_WR);
}

void SocketStream::close() {
  if (!is_open()) return;
  boost::system::error_code ignored;
  descriptor_.close(ignored);
  tls_.reset();
}

asio::io_context& context_of(const asio::any_io_executor& executor) {
  const auto* const concrete = executor.target<asio::io_context::executor_type>();
  if (concrete == nullptr) throw std::logic_error("sockets need the executor of an io_context itself");
  return concrete->context();
}

}  // namespace starling::net
