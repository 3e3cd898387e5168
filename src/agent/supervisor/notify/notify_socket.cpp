#include "agent/supervisor/notify/notify_socket.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "agent/supervisor/notify/notify.hpp"

namespace starling::agent {
namespace {

constexpr std::size_t most_descriptors = 253;  // SCM_MAX_FD: the kernel passes no more

void take_control(msghdr& message, NotifyDatagram& datagram) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET) continue;
    if (part->cmsg_type == SCM_CREDENTIALS && part->cmsg_len == CMSG_LEN(sizeof(ucred))) {
      ucred sender{};
      std::memcpy(&sender, CMSG_DATA(part), sizeof sender);
      datagram.pid = sender.pid;
      datagram.uid = sender.uid;
    }
    if (part->cmsg_type == SCM_RIGHTS) {
      const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
      for (std::size_t i = 0; i < count; ++i) {
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(part) + i * sizeof(int), sizeof descriptor);
        ::close(descriptor);
        ++datagram.descriptors;
      }
    }
  }
}

}  // namespace

Result<std::optional<NotifyDatagram>> peek_notify(int socket) {
  std::array<char, max_notify_bytes + 1> text;
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(ucred)) + CMSG_SPACE(most_descriptors * sizeof(int))>
      control;
  iovec part{text.data(), text.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = -1;
  do {
    size = ::recvmsg(socket, &message, MSG_DONTWAIT | MSG_PEEK | MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
  if (size < 0) {
    return fail(ErrorCode::io,
                fmt::format("reading a notify socket: {}", std::generic_category().message(errno)));
  }
  NotifyDatagram datagram;
  take_control(message, datagram);
  datagram.text.assign(text.data(), static_cast<std::size_t>(size));
  return datagram;
}

void drop_notify(int socket) {
  while (::recv(socket, nullptr, 0, MSG_DONTWAIT | MSG_TRUNC) < 0 && errno == EINTR) {
  }
}

}  // namespace starling::agent
