#include "bench/processes/load/loop.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace starling::bench {
namespace {

constexpr std::size_t read_size = 256 * 1024;

sockaddr_in address_of(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &address.sin_addr) != 1) {
    throw std::invalid_argument("not an IPv4 address: " + host);
  }
  return address;
}

std::string source_host(std::uint32_t source) {
  const std::uint32_t n = source - 1;
  return "127.0." + std::to_string(1 + n / 250) + "." + std::to_string(1 + n % 250);
}

Result<void> system_error(std::string_view what) {
  return fail(ErrorCode::io, std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

double milliseconds_since(BenchTime start) {
  return std::chrono::duration<double, std::milli>(BenchClock::now() - start).count();
}

Link::Link(Loop& loop, Dialect& dialect, std::uint32_t index, Endpoint endpoint)
    : loop_(loop), dialect_(dialect), endpoint_(std::move(endpoint)), index_(index) {}

Link::~Link() {
  close();
}

Result<void> Link::start(int epoll) {
  epoll_ = epoll;
  descriptor_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) return system_error("socket");
  const int on = 1;
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (endpoint_.source != 0) {
    // The port is chosen at connect, so that it needs to be free only towards this destination.
    ::setsockopt(descriptor_, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    const auto source = address_of(source_host(endpoint_.source), 0);
    if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) {
      return system_error("bind");
    }
  }
  const auto target = address_of(endpoint_.host, endpoint_.port);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0 &&
      errno != EINPROGRESS) {
    return system_error("connect");
  }
  phase_ = Phase::connecting;
  epoll_event event{};
  event.events = EPOLLOUT;
  event.data.ptr = this;
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor_, &event) != 0) return system_error("epoll_ctl");
  watching_writable_ = true;
  return {};
}

void Link::on_event(std::uint32_t events) {
  if (phase_ == Phase::connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return lost(std::strerror(error));
    if (endpoint_.tls) {
      tls_ = SSL_new(loop_.tls_context_);
      SSL_set_fd(tls_, descriptor_);
      SSL_set_connect_state(tls_);
      phase_ = Phase::securing;
    } else {
      opened();
    }
  }
  if (phase_ == Phase::securing) secure();
  if (phase_ == Phase::open && (events & EPOLLOUT) != 0) flush();
  if (phase_ == Phase::open && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read();
}

void Link::secure() {
  const int outcome = SSL_do_handshake(tls_);
  if (outcome == 1) return opened();
  switch (SSL_get_error(tls_, outcome)) {
    case SSL_ERROR_WANT_READ: return watch(false);
    case SSL_ERROR_WANT_WRITE: return watch(true);
    default: return lost("TLS handshake failed");
  }
}

void Link::opened() {
  phase_ = Phase::open;
  --loop_.connecting_;
  watch(false);
  dialect_.on_open(*this);
}

std::ptrdiff_t Link::receive(char* into, std::size_t size) {
  if (tls_ != nullptr) {
    const int count = SSL_read(tls_, into, static_cast<int>(size));
    if (count > 0) return count;
    return SSL_get_error(tls_, count) == SSL_ERROR_WANT_READ ? 0 : -1;
  }
  const auto count = ::recv(descriptor_, into, size, 0);
  if (count > 0) return count;
  return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

void Link::read() {
  while (phase_ == Phase::open) {
    const auto count = receive(loop_.buffer_.get(), read_size);
    if (count < 0) return lost("closed by the server");
    if (count == 0) return;
    take({loop_.buffer_.get(), static_cast<std::size_t>(count)});
    // A plain socket says again that there is more; what OpenSSL has buffered, epoll does not see.
    if (tls_ == nullptr) return;
  }
}

void Link::take(std::string_view bytes) {
  if (unread_.empty()) {
    const auto used = dialect_.on_bytes(*this, bytes);
    if (used < bytes.size() && phase_ == Phase::open) unread_.assign(bytes.substr(used));
    return;
  }
  unread_.append(bytes);
  const auto used = dialect_.on_bytes(*this, unread_);
  unread_.erase(0, used);
}

std::ptrdiff_t Link::write(std::string_view bytes) {
  if (tls_ != nullptr) {
    const int count = SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()));
    if (count > 0) return count;
    return SSL_get_error(tls_, count) == SSL_ERROR_WANT_WRITE ? 0 : -1;
  }
  const auto count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return count;
  return errno == EAGAIN || errno == EINTR ? 0 : -1;
}

void Link::send(std::string_view bytes) {
  if (phase_ != Phase::open) return;
  if (!unsent_.empty()) {
    unsent_.append(bytes);
    return;
  }
  while (!bytes.empty()) {
    const auto count = write(bytes);
    if (count < 0) return lost("broken while sending");
    if (count == 0) break;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  if (bytes.empty()) return;
  unsent_.assign(bytes);
  watch(true);
}

void Link::flush() {
  std::string waiting;
  waiting.swap(unsent_);
  send(waiting);
  if (unsent_.empty() && phase_ == Phase::open) watch(false);
}

void Link::watch(bool writable) {
  if (writable == watching_writable_) return;
  epoll_event event{};
  event.events = EPOLLIN | (writable ? EPOLLOUT : 0u);
  event.data.ptr = this;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor_, &event);
  watching_writable_ = writable;
}

void Link::lost(std::string_view why) {
  close();
  dialect_.on_lost(*this, why);
}

void Link::close() {
  if (phase_ == Phase::closed) return;
  if (phase_ == Phase::connecting || phase_ == Phase::securing) --loop_.connecting_;
  phase_ = Phase::closed;
  if (tls_ != nullptr) SSL_free(std::exchange(tls_, nullptr));
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  unsent_ = {};
}

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      tls_context_(SSL_CTX_new(TLS_client_method())),
      buffer_(std::make_unique<char[]>(read_size)) {
  SSL_CTX_set_mode(tls_context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(tls_context_, SSL_VERIFY_NONE, nullptr);  // loopback only; what is measured is the hub
}

Loop::~Loop() {
  close_all();
  ::close(epoll_);
  SSL_CTX_free(tls_context_);
}

void Loop::close_all() {
  waiting_.clear();
  links_.clear();
}

Link& Loop::connect(Endpoint endpoint, Dialect& dialect, std::uint32_t index) {
  auto& link = *links_.emplace_back(std::make_unique<Link>(*this, dialect, index, std::move(endpoint)));
  waiting_.push_back(&link);
  start_waiting();
  return link;
}

void Loop::start_waiting() {
  while (!waiting_.empty() && connecting_ < max_connecting_) {
    Link* link = waiting_.front();
    waiting_.pop_front();
    ++connecting_;
    if (const auto started = link->start(epoll_); !started) {
      if (link->phase_ != Link::Phase::connecting) --connecting_;
      link->lost(started.error().message);
    }
  }
}

void Loop::after(std::chrono::microseconds delay, std::function<void()> work) {
  timers_.emplace(BenchClock::now() + delay, std::move(work));
}

void Loop::turn(std::chrono::milliseconds limit) {
  auto wait = limit;
  if (!timers_.empty()) {
    const auto until =
        std::chrono::floor<std::chrono::milliseconds>(timers_.begin()->first - BenchClock::now());
    wait = std::max(std::chrono::milliseconds(0), std::min(wait, until));
  }
  std::array<epoll_event, 512> events;
  const int count =
      ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), static_cast<int>(wait.count()));
  for (int i = 0; i < count; ++i) {
    auto& event = events[static_cast<std::size_t>(i)];
    static_cast<Link*>(event.data.ptr)->on_event(event.events);
  }
  start_waiting();
  while (!timers_.empty() && timers_.begin()->first <= BenchClock::now()) {
    const auto work = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    work();
  }
}

Result<void> Loop::run_until(std::string_view what, std::chrono::milliseconds limit,
                             const std::function<bool()>& done) {
  const auto deadline = BenchClock::now() + limit;
  while (!done()) {
    if (BenchClock::now() > deadline) {
      return fail(ErrorCode::timed_out,
                  std::string(what) + " took longer than " + std::to_string(limit.count()) + " ms");
    }
    turn(std::chrono::milliseconds(100));
  }
  return {};
}

void Loop::run_for(std::chrono::milliseconds time) {
  const auto end = BenchClock::now() + time;
  while (BenchClock::now() < end) {
    turn(std::chrono::duration_cast<std::chrono::milliseconds>(end - BenchClock::now()));
  }
}

}  // namespace starling::bench
