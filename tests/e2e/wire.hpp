// Purpose: HTTP and WebSocket as the other side sees them, bytes included that no client of ours would send.
// Written on plain blocking sockets and sharing no code with the hub, so that a mistake there is not made
// twice. Owner: the test. Thread: the test's. Lifetime: the connection closes with its Socket.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/json.hpp"

namespace starling::e2e {

std::uint16_t free_port();

// A TCP connection to 127.0.0.1. Reads end after `patience`; what goes wrong throws std::runtime_error.
class Socket {
 public:
  explicit Socket(std::uint16_t port);
  ~Socket();
  Socket(Socket&& other) noexcept;
  Socket& operator=(Socket&&) = delete;

  // False if the other side has closed the connection.
  bool send(std::string_view bytes);
  // At most `max_bytes`, as soon as there are any; "" at the end of the connection.
  std::string receive(std::size_t max_bytes = 64 * 1024);
  std::string receive_exactly(std::size_t bytes);
  std::string receive_until(std::string_view mark);  // the mark included
  std::string receive_all();

 private:
  int descriptor_;
  std::string buffer_;
};

struct Reply {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  Json json() const;  // throws if the body is not JSON
};

Reply read_reply(Socket& socket);

struct Call {
  std::string method = "GET";
  std::string path = {};
  std::optional<Json> body = {};
  std::map<std::string, std::string> headers = {};
};

// One request on a connection of its own.
Reply http(std::uint16_t port, const Call& call);

// A client's end of a WebSocket (RFC 6455), with frames as free as the test wants them.
class WebSocket {
 public:
  struct Frame {
    int opcode = 1;  // text
    std::string payload = {};
    bool final = true;
    bool masked = true;
    bool reserved_bit = false;
  };
  struct Message {
    int opcode = 1;  // 8: close, and then `text` is the reason
    std::string text;
    int close_code = 0;
  };

  // Throws if the answer is not 101.
  WebSocket(std::uint16_t port, std::string_view path, const std::map<std::string, std::string>& headers);

  bool send(const Frame& frame);
  bool send_json(const Json& message) { return send({.payload = boost::json::serialize(message)}); }
  bool send_bytes(std::string_view bytes) { return socket_.send(bytes); }
  // The next text or close frame; pings are answered. Nothing at the end of the connection.
  std::optional<Message> receive();
  // The next message of that type; throws at the end of the connection.
  JsonObject receive_type(std::string_view type);

 private:
  Socket socket_;
};

}  // namespace starling::e2e
