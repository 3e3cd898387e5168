#include "keeper/notify_socket.hpp"

#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "keeper/unix_address.hpp"

namespace starling::keeper {
namespace {

std::string random_name() {
  unsigned char bytes[16] = {};
  [[maybe_unused]] const ssize_t got = ::getrandom(bytes, sizeof(bytes), 0);  // 16 bytes always come at once
  std::string name = "@starling-notify-";
  for (const unsigned char byte : bytes) {
    name += "0123456789abcdef"[byte >> 4];
    name += "0123456789abcdef"[byte & 15];
  }
  return name;
}

}  // namespace

std::expected<NotifySocket, int> NotifySocket::open(const std::string& folder, const std::string& id,
                                                    bool other_user) {
  std::string name = folder + "/" + id + ".notify";
  if (other_user || !UnixAddress::of(name)) name = random_name();
  const std::optional<UnixAddress> address = UnixAddress::of(name);
  FileDescriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  if (name.front() != '@') ::unlink(name.c_str());  // left by a keeper that was killed
  if (!socket || ::setsockopt(socket.number(), SOL_SOCKET, SO_PASSCRED, &yes, sizeof(yes)) != 0 ||
      ::bind(socket.number(), address->get(), address->size) != 0) {
    return std::unexpected(errno);
  }
  return NotifySocket(std::move(socket), std::move(name));
}

NotifySocket::~NotifySocket() {
  if (descriptor_ && name_.front() != '@') ::unlink(name_.c_str());
}

}  // namespace starling::keeper
