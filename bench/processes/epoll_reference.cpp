// The floor under every fan-out figure: a WebSocket fan-out in raw epoll with a minimal codec, nothing
// stored, nothing decided. It lacks ping, close, fragmentation, limits and time-outs; part of its lead is
// that.
//
// A client that upgrades on /device is told every broadcast and answers it; one that upgrades on /control
// sends what is to be broadcast and is sent "done" when every device has answered.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/processes/load/frames.hpp"

namespace starling::bench {
namespace {

struct Connection {
  explicit Connection(int d) : descriptor(d) {}
  int descriptor;
  bool upgraded = false;
  bool control = false;
  std::string unread;
  std::string unsent;
};

class FanoutServer {
 public:
  explicit FanoutServer(std::uint16_t port) : epoll_(::epoll_create1(0)), listener_(listen(port)) {
    watch(listener_, nullptr, EPOLLIN, EPOLL_CTL_ADD);
  }

  [[noreturn]] void run() {
    std::array<epoll_event, 512> events;
    while (true) {
      const int count = ::epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        auto& event = events[static_cast<std::size_t>(i)];
        if (event.data.ptr == nullptr) {
          accept();
        } else {
          on_event(*static_cast<Connection*>(event.data.ptr), event.events);
        }
      }
    }
  }

 private:
  static int listen(std::uint16_t port) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(descriptor, 4096) != 0) {
      std::perror("epoll_reference: listen");
      std::exit(1);
    }
    return descriptor;
  }

  void watch(int descriptor, Connection* connection, std::uint32_t what, int operation) {
    epoll_event event{};
    event.events = what;
    event.data.ptr = connection;
    ::epoll_ctl(epoll_, operation, descriptor, &event);
  }

  void accept() {
    while (true) {
      const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK);
      if (descriptor < 0) return;
      const int on = 1;
      ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto* connection = new Connection(descriptor);  // deleted when it ends
      watch(descriptor, connection, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  void on_event(Connection& connection, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0) flush(connection);
    if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) == 0) return;
    const auto count = ::recv(connection.descriptor, buffer_.data(), buffer_.size(), 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return end(connection);
    if (connection.unread.empty()) {
      const auto size = static_cast<std::size_t>(count);
      const auto used = take(connection, buffer_.data(), size);
      if (used < size) connection.unread.assign(buffer_.data() + used, size - used);
      return;
    }
    connection.unread.append(buffer_.data(), static_cast<std::size_t>(count));
    connection.unread.erase(0, take(connection, connection.unread.data(), connection.unread.size()));
  }

  std::size_t take(Connection& connection, char* bytes, std::size_t size) {
    std::size_t used = 0;
    if (!connection.upgraded) {
      const auto end_of_head = std::string_view(bytes, size).find("\r\n\r\n");
      if (end_of_head == std::string_view::npos) return 0;
      upgrade(connection, {bytes, end_of_head});
      used = end_of_head + 4;
    }
    while (const auto frame = next_masked_frame(bytes + used, size - used)) {
      used += frame->size;
      connection.control ? broadcast(connection, frame->payload) : answered();
    }
    return used;
  }

  void upgrade(Connection& connection, std::string_view head) {
    connection.upgraded = true;
    connection.control = head.starts_with("GET /control ");
    if (!connection.control) devices_.push_back(&connection);
    send(connection, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  }

  void broadcast(Connection& control, std::string_view payload) {
    control_ = &control;
    waiting_ = devices_.size();
    const auto frame = server_frame(Opcode::text, payload);
    for (auto* device : devices_)
      send(*device, frame);
  }

  void answered() {
    if (waiting_ > 0 && --waiting_ == 0) send(*control_, server_frame(Opcode::text, "done"));
  }

  void send(Connection& connection, std::string_view bytes) {
    if (connection.unsent.empty()) {
      const auto count = ::send(connection.descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count == static_cast<std::ptrdiff_t>(bytes.size())) return;
      if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
      watch(connection.descriptor, &connection, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    connection.unsent.append(bytes);
  }

  void flush(Connection& connection) {
    std::string waiting;
    waiting.swap(connection.unsent);
    watch(connection.descriptor, &connection, EPOLLIN, EPOLL_CTL_MOD);
    if (!waiting.empty()) send(connection, waiting);
  }

  void end(Connection& connection) {
    std::erase(devices_, &connection);
    ::close(connection.descriptor);
    delete &connection;
  }

  int epoll_;
  int listener_;
  std::vector<Connection*> devices_;
  Connection* control_ = nullptr;
  std::size_t waiting_ = 0;
  std::array<char, 65536> buffer_{};
};

}  // namespace
}  // namespace starling::bench

int main(int count, char** arguments) {
  if (count != 2) {
    std::fputs("usage: epoll_reference PORT\n", stderr);
    return 2;
  }
  auto server = std::make_unique<starling::bench::FanoutServer>(
      static_cast<std::uint16_t>(std::strtoul(arguments[1], nullptr, 10)));
  server->run();
}
