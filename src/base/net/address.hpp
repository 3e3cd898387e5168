// Purpose: socket addresses as text, and sockets made from text. Owner: none. Thread: any. Lifetime: none.
// Inner header of base.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace starling::net {

std::string address_text(const sockaddr_storage& address);  // without port
void send_without_delay(int socket);
std::uint16_t local_port(int socket);

// A non-blocking listening socket. Blocking if `host` is a name. Errors: invalid_argument, io.
Result<int> listen_on(const std::string& host, std::uint16_t port);

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
};
// The addresses of a host; blocking unless `numeric_only`. Errors: unavailable.
Result<std::vector<Endpoint>> resolve(const std::string& host, std::uint16_t port, bool numeric_only);

// A non-blocking socket whose connection has been begun: it is made, or has failed, once it is writable.
// `source_address` is bound to if not empty. Errors: unavailable.
Result<int> begin_connect(const Endpoint& endpoint, const std::string& source_address);

}  // namespace starling::net
