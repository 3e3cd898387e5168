#include "e2e/wire.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "e2e/process.hpp"

namespace starling::e2e {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

[[noreturn]] void throw_errno(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

Reply parse_head(std::string_view head) {
  Reply reply;
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) {
    throw std::runtime_error("not an HTTP answer: " + std::string(head));
  }
  reply.status = std::stoi(std::string(head.substr(9, 3)));
  std::size_t at = head.find("\r\n") + 2;
  while (at < head.size()) {
    const std::size_t end = head.find("\r\n", at);
    const std::string_view line = head.substr(at, end - at);
    if (line.empty()) break;
    const std::size_t colon = line.find(':');
    const std::size_t value = std::min(line.find_first_not_of(' ', colon + 1), line.size());
    reply.headers[lower(std::string(line.substr(0, colon)))] = line.substr(value);
    at = end + 2;
  }
  return reply;
}

std::string read_chunks(Socket& socket) {
  std::string body;
  for (;;) {
    const std::string size = socket.receive_until("\r\n");
    const std::size_t bytes = std::stoul(size, nullptr, 16);
    body += socket.receive_exactly(bytes);
    socket.receive_until("\r\n");
    if (bytes == 0) return body;
  }
}

}  // namespace

std::uint16_t free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  const bool bound = ::bind(descriptor, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  ::close(descriptor);
  if (!bound) throw_errno("no free port");
  return ntohs(address.sin_port);
}

Socket::Socket(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
  const sockaddr_in address = loopback(port);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    ::close(descriptor_);
    throw std::system_error(error, std::generic_category(), "connecting to port " + std::to_string(port));
  }
}

Socket::Socket(Socket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), buffer_(std::move(other.buffer_)) {}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool Socket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return false;
    if (sent < 0) throw_errno("sending");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string Socket::receive(std::size_t max_bytes) {
  if (buffer_.empty()) {
    std::string bytes(max_bytes, '\0');
    ssize_t count = 0;
    do {
      count = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno == ECONNRESET) return {};
    if (count < 0) throw_errno("waiting for an answer");
    bytes.resize(static_cast<std::size_t>(count));
    return bytes;
  }
  std::string bytes = buffer_.substr(0, max_bytes);
  buffer_.erase(0, bytes.size());
  return bytes;
}

std::string Socket::receive_exactly(std::size_t bytes) {
  std::string result;
  while (result.size() < bytes) {
    const std::string more = receive(bytes - result.size());
    if (more.empty()) throw std::runtime_error("the connection ended early");
    result += more;
  }
  return result;
}

std::string Socket::receive_until(std::string_view mark) {
  std::string result;
  for (;;) {
    const std::size_t found = result.find(mark);
    if (found != std::string::npos) {
      buffer_.insert(0, result.substr(found + mark.size()));
      result.resize(found + mark.size());
      return result;
    }
    const std::string more = receive();
    if (more.empty()) throw std::runtime_error("the connection ended after: " + result);
    result += more;
  }
}

std::string Socket::receive_all() {
  std::string result;
  for (std::string more = receive(); !more.empty(); more = receive())
    result += more;
  return result;
}

Json Reply::json() const {
  auto parsed = parse_json(body, {.max_bytes = 64u << 20});
  if (!parsed) throw std::runtime_error(parsed.error().message + ": " + body);
  return std::move(*parsed);
}

Reply read_reply(Socket& socket) {
  Reply reply = parse_head(socket.receive_until("\r\n\r\n"));
  if (const auto length = reply.headers.find("content-length"); length != reply.headers.end()) {
    reply.body = socket.receive_exactly(std::stoul(length->second));
  } else if (reply.headers.contains("transfer-encoding")) {
    reply.body = read_chunks(socket);
  } else if (reply.status != 204 && reply.status != 101) {
    reply.body = socket.receive_all();
  }
  return reply;
}

Reply http(std::uint16_t port, const Call& call) {
  Socket socket(port);
  std::string request =
      call.method + " " + call.path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n";
  for (const auto& [name, value] : call.headers)
    request += name + ": " + value + "\r\n";
  std::string body;
  if (call.body) {
    body = boost::json::serialize(*call.body);
    request += "Content-Type: application/json\r\n";
  }
  request += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  socket.send(request);
  return read_reply(socket);
}

WebSocket::WebSocket(std::uint16_t port, std::string_view path,
                     const std::map<std::string, std::string>& headers)
    : socket_(port) {
  std::string request = "GET " + std::string(path) +
                        " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (const auto& [name, value] : headers)
    request += name + ": " + value + "\r\n";
  socket_.send(request + "\r\n");
  const Reply reply = read_reply(socket_);
  if (reply.status != 101) {
    throw std::runtime_error("upgrade refused: " + std::to_string(reply.status) + " " + reply.body);
  }
}

bool WebSocket::send(const Frame& frame) {
  std::string bytes;
  bytes += static_cast<char>((frame.final ? 0x80 : 0) | (frame.reserved_bit ? 0x40 : 0) | frame.opcode);
  const std::size_t size = frame.payload.size();
  const int mask_bit = frame.masked ? 0x80 : 0;
  int length_bytes = 0;
  if (size < 126) {
    bytes += static_cast<char>(mask_bit | static_cast<int>(size));
  } else {
    length_bytes = size <= 0xffff ? 2 : 8;
    bytes += static_cast<char>(mask_bit | (length_bytes == 2 ? 126 : 127));
  }
  for (int i = length_bytes - 1; i >= 0; --i)
    bytes += static_cast<char>(size >> (8 * i));
  constexpr std::string_view mask = "mask";
  if (frame.masked) bytes += mask;
  for (std::size_t i = 0; i < size; ++i) {
    bytes += frame.masked ? static_cast<char>(frame.payload[i] ^ mask[i % 4]) : frame.payload[i];
  }
  return socket_.send(bytes);
}

std::optional<WebSocket::Message> WebSocket::receive() {
  for (;;) {
    const std::string first = socket_.receive(1);
    if (first.empty()) return std::nullopt;
    const int opcode = first[0] & 0x0f;
    std::uint64_t size = static_cast<unsigned char>(socket_.receive_exactly(1)[0]) & 0x7f;
    if (size >= 126) {
      const std::string length = socket_.receive_exactly(size == 126 ? 2 : 8);
      size = 0;
      for (const char byte : length)
        size = (size << 8) | static_cast<unsigned char>(byte);
    }
    const std::string payload = socket_.receive_exactly(size);
    if (opcode == 9) {
      send({.opcode = 10, .payload = payload});
    } else if (opcode == 8) {
      if (payload.size() < 2) return Message{.opcode = 8, .text = "", .close_code = 1005};
      const int code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
      return Message{.opcode = 8, .text = payload.substr(2), .close_code = code};
    } else if (opcode != 10) {
      return Message{.opcode = opcode, .text = payload};
    }
  }
}

JsonObject WebSocket::receive_type(std::string_view type) {
  for (;;) {
    const auto message = receive();
    if (!message || message->opcode == 8) {
      throw std::runtime_error("the link ended instead of saying " + std::string(type) +
                               (message ? ": " + message->text : ""));
    }
    auto parsed = parse_json(message->text);
    if (!parsed) throw std::runtime_error("not JSON: " + message->text);
    if (parsed->as_object().at("type").as_string() == type) return parsed->as_object();
  }
}

}  // namespace starling::e2e
