// Purpose: a Unix socket's address from its name, a path or "@" and an abstract name.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <string_view>

namespace starling::keeper {

struct UnixAddress {
  sockaddr_un name{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&name); }

  // Nothing if it is too long.
  static std::optional<UnixAddress> of(std::string_view text) {
    UnixAddress address;
    const bool abstract = text.starts_with('@');
    if (text.empty() || text.size() >= sizeof(address.name.sun_path)) return std::nullopt;
    address.name.sun_family = AF_UNIX;
    std::memcpy(address.name.sun_path, text.data(), text.size());
    if (abstract) address.name.sun_path[0] = '\0';
    // An abstract name is as long as it says; a path ends with a NUL.
    address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + text.size() + (abstract ? 0 : 1));
    return address;
  }
};

}  // namespace starling::keeper
