#include "base/net/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

namespace starling::net {
namespace {

constexpr int backlog = 4096;

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

std::string text_of(int error) {
  return std::generic_category().message(error);
}

void set_option(int socket, int level, int option) {
  const int on = 1;
  ::setsockopt(socket, level, option, &on, sizeof(on));
}

// The error text of getaddrinfo if there are no addresses.
std::expected<Addresses, std::string> look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0)
    return std::unexpected(std::string(error == EAI_SYSTEM ? text_of(errno) : gai_strerror(error)));
  return Addresses(found);
}

}  // namespace

std::string address_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text.data(), text.size());
  } else if (address.ss_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) {  // a client is the same whichever socket it reached
      ::inet_ntop(AF_INET, &v6.s6_addr[12], text.data(), text.size());
    } else {
      ::inet_ntop(AF_INET6, &v6, text.data(), text.size());
    }
  }
  return text.data();
}

void send_without_delay(int socket) {
  set_option(socket, IPPROTO_TCP, TCP_NODELAY);
}

std::uint16_t local_port(int socket) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                                             : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

Result<int> listen_on(const std::string& host, std::uint16_t port) {
  const auto addresses = look_up(host, port, AI_PASSIVE);
  if (!addresses) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is not an address to listen on: {}", host, addresses.error()));
  }
  const addrinfo& address = **addresses;
  const int socket = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket >= 0) {
    set_option(socket, SOL_SOCKET, SO_REUSEADDR);
    if (::bind(socket, address.ai_addr, address.ai_addrlen) == 0 && ::listen(socket, backlog) == 0)
      return socket;
  }
  const int error = errno;
  if (socket >= 0) ::close(socket);
  const std::string advice = error == EADDRINUSE ? "; stop the other server or choose another port" : "";
  return fail(ErrorCode::io,
              fmt::format("listening on {} port {}: {}{}", host, port, text_of(error), advice));
}

Result<std::vector<Endpoint>> resolve(const std::string& host, std::uint16_t port, bool numeric_only) {
  const auto addresses = look_up(host, port, numeric_only ? AI_NUMERICHOST : 0);
  if (!addresses) {
    return fail(ErrorCode::unavailable, fmt::format("looking up '{}': {}", host, addresses.error()));
  }
  std::vector<Endpoint> endpoints;
  for (const addrinfo* next = addresses->get(); next != nullptr; next = next->ai_next) {
    Endpoint& endpoint = endpoints.emplace_back();
    std::memcpy(&endpoint.address, next->ai_addr, next->ai_addrlen);
    endpoint.size = next->ai_addrlen;
  }
  return endpoints;
}

Result<int> begin_connect(const Endpoint& endpoint, const std::string& source_address) {
  const int socket = ::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return fail(ErrorCode::unavailable, "making a socket: " + text_of(errno));
  const auto give_up = [socket](std::string message) {
    ::close(socket);
    return fail(ErrorCode::unavailable, std::move(message));
  };
  send_without_delay(socket);
  if (!source_address.empty()) {
    const Result<std::vector<Endpoint>> source = resolve(source_address, 0, true);
    if (!source) return give_up(source.error().message);
    // The port is chosen at connect, for the pair of addresses: else one address has only 28,000 connections.
    set_option(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    const Endpoint& local = source->front();
    if (::bind(socket, reinterpret_cast<const sockaddr*>(&local.address), local.size) != 0) {
      return give_up(fmt::format("binding to {}: {}", source_address, text_of(errno)));
    }
  }
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) != 0 &&
      errno != EINPROGRESS) {
    return give_up(fmt::format("connecting to {}: {}", address_text(endpoint.address), text_of(errno)));
  }
  return socket;
}

}  // namespace starling::net
