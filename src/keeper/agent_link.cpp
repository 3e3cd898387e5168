#include "keeper/agent_link.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "keeper/unix_address.hpp"

namespace starling::keeper {
namespace {

constexpr std::size_t max_descriptors = 3;

bool may_command(const FileDescriptor& connection) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  return ::getsockopt(connection.number(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == ::geteuid() || peer.uid == 0);
}

// 0, or errno.
int send_packet(const FileDescriptor& socket, const std::string& packet,
                const std::vector<int>& descriptors) {
  iovec bytes{const_cast<char*>(packet.data()), packet.size()};  // sendmsg does not write to it
  alignas(cmsghdr) std::array<char, CMSG_SPACE(max_descriptors * sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    const std::size_t size = descriptors.size() * sizeof(int);
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(size);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    std::memcpy(CMSG_DATA(header), descriptors.data(), size);
  }
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket.number(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (sent < 0 && errno == EINTR);
  return sent < 0 ? errno : 0;
}

// Nothing: there is none yet. Empty: the connection has ended.
std::optional<std::string_view> receive_packet(const FileDescriptor& socket) {
  static std::array<char, max_packet_bytes + 1> buffer;  // static: not on the stack of a small board
  ssize_t got = 0;
  do {
    got = ::recv(socket.number(), buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno == EAGAIN) return std::nullopt;
  return std::string_view(buffer.data(), got < 0 ? 0 : static_cast<std::size_t>(got));
}

}  // namespace

Result<std::unique_ptr<AgentLink>> AgentLink::listen(const std::string& path, Poller& poller,
                                                     Receiver& receiver, const Log& log) {
  const std::optional<UnixAddress> address = UnixAddress::of(path);
  if (!address) {
    return fail(ErrorCode::invalid_argument,
                path + " is too long for the path of a Unix socket: choose a shorter --state folder");
  }
  FileDescriptor socket(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ::unlink(path.c_str());  // the folder is locked: nobody else serves it
  const mode_t former = ::umask(0177);
  const bool bound = socket && ::bind(socket.number(), address->get(), address->size) == 0;
  const int error = errno;
  ::umask(former);
  if (!bound || ::listen(socket.number(), 8) != 0) {
    return fail(ErrorCode::io, "cannot listen on " + path + ": " + std::strerror(bound ? errno : error));
  }
  std::unique_ptr<AgentLink> link(new AgentLink(path, std::move(socket), poller, receiver, log));
  if (poller.watch(link->listener_.socket, link->listener_) != 0) {
    return fail(ErrorCode::io, "cannot watch " + path + ": " + std::strerror(errno));
  }
  return link;
}

AgentLink::AgentLink(std::string path, FileDescriptor socket, Poller& poller, Receiver& receiver,
                     const Log& log)
    : path_(std::move(path)),
      poller_(poller),
      receiver_(receiver),
      log_(log),
      listener_(*this),
      newcomer_(*this),
      connection_(*this) {
  listener_.socket = std::move(socket);
}

AgentLink::~AgentLink() {
  ::unlink(path_.c_str());
}

void AgentLink::Listener::ready(std::uint32_t) {
  link.accept();
}

void AgentLink::accept() {
  FileDescriptor accepted(
      ::accept4(listener_.socket.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!accepted) {
    // The machine is out of descriptors, most likely: asking again at once would only heat it.
    if (errno != EAGAIN && errno != ECONNABORTED) ::poll(nullptr, 0, 100);
    return;
  }
  if (!may_command(accepted)) {
    log_.warning("a connection of another user is refused");
    return;
  }
  if (newcomer_.socket) greet();  // it may have said hello by now
  drop_newcomer();
  newcomer_.socket = std::move(accepted);
  if (poller_.watch(newcomer_.socket, newcomer_) != 0) newcomer_.socket.reset();
}

void AgentLink::Newcomer::ready(std::uint32_t) {
  link.greet();
}

void AgentLink::greet() {
  const std::optional<std::string_view> packet = receive_packet(newcomer_.socket);
  if (!packet) return;
  const Result<Request> request = parse_request(*packet);
  if (!request || !std::holds_alternative<Hello>(*request)) {
    if (!packet->empty()) log_.warning("an agent that does not begin with hello is disconnected");
    return drop_newcomer();
  }
  drop();
  connection_.socket = std::move(newcomer_.socket);
  poller_.change(connection_.socket, connection_, EPOLLIN);
  receiver_.attached();
}

void AgentLink::Connection::ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) return link.flush();
  link.receive();
}

void AgentLink::receive() {
  const std::optional<std::string_view> packet = receive_packet(connection_.socket);
  if (!packet) return;
  if (packet->empty()) return drop();
  const Result<Request> request = parse_request(*packet);
  if (!request) {
    send(Problem{request.error().message});
  } else if (std::holds_alternative<Hello>(*request)) {
    receiver_.attached();
  } else {
    receiver_.requested(*request);
  }
}

void AgentLink::send(const Report& report, std::vector<int> descriptors) {
  if (!is_attached()) return;
  Result<std::string> packet = encode(report);
  if (!packet) return log_.error("a report cannot be written", {{"error", packet.error().message}});
  const bool was_empty = connection_.outbox.empty();
  connection_.outbox.push_back({std::move(*packet), std::move(descriptors)});
  if (was_empty) flush();
}

void AgentLink::flush() {
  std::deque<Waiting>& outbox = connection_.outbox;
  while (!outbox.empty()) {
    const int error = send_packet(connection_.socket, outbox.front().packet, outbox.front().descriptors);
    if (error == EAGAIN) return poller_.change(connection_.socket, connection_, EPOLLOUT);
    if (error != 0) return drop();
    outbox.pop_front();
  }
  poller_.change(connection_.socket, connection_, EPOLLIN);
}

void AgentLink::drop() {
  if (!connection_.socket) return;
  poller_.ignore(connection_.socket);
  connection_.socket.reset();
  connection_.outbox.clear();
  receiver_.detached();
}

void AgentLink::drop_newcomer() {
  if (!newcomer_.socket) return;
  poller_.ignore(newcomer_.socket);
  newcomer_.socket.reset();
}

}  // namespace starling::keeper
