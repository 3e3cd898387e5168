// Purpose: one WebSocket connection (RFC 6455) as the code above it sees it, the same on both ends.
// Owner: the connection owns its Session; the Session may use the Peer until on_close returns.
// Thread: the io_context's. Lifetime: on_open is the first call, on_close the last, each exactly once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace starling::ws {

// RFC 6455 section 7.4.1, and the codes that Starling adds in the private range.
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  no_status = 1005,  // never sent
  abnormal = 1006,   // never sent: the TCP connection ended without a close frame
  invalid_payload = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
  internal_error = 1011,
  try_again_later = 1013,
  superseded = 4001,  // a newer session of the same device took over
  unauthorized = 4003,
  unsupported_version = 4004,
};

// The bytes of one complete, unmasked text frame, made once and shared by every connection that sends it.
using SharedFrame = std::shared_ptr<const std::string>;
SharedFrame make_text_frame(std::string_view text);

class Peer {
 public:
  virtual ~Peer() = default;
  // Queues and, if the socket takes it, writes at once. Nothing is dropped here: a Session bounds itself by
  // looking at queued_bytes() and on_drained(). One that does not is cut off at Limits::max_queued_bytes.
  // Never calls back into the Session before returning.
  virtual void send(SharedFrame frame) = 0;  // server ends only: clients must mask
  virtual void send_text(std::string_view text) = 0;
  virtual void ping() = 0;
  // Sends a close frame and drops the connection when it is answered or 2 s have passed.
  virtual void close(CloseCode code, std::string_view reason) = 0;
  virtual void abort() = 0;  // drops the connection now; on_close still follows
  virtual std::size_t queued_bytes() const = 0;
  virtual std::string_view address() const = 0;  // of the other end, without port
};

class Session {
 public:
  virtual ~Session() = default;
  virtual void on_open(Peer& peer) = 0;
  virtual void on_text(std::string_view text) = 0;  // one complete message, valid UTF-8
  // Binary messages are refused with unsupported_data unless this is overridden to return true.
  virtual bool on_binary(std::string_view) { return false; }
  virtual void on_ping() {}  // already answered; a sign of life for the end that does not ping itself
  virtual void on_pong() {}
  virtual void on_drained() {}  // the send queue has become empty
  virtual void on_close(CloseCode code, std::string_view reason) = 0;
};

struct Limits {
  std::size_t max_message_bytes = 256 * 1024;
  // Unsent. The connection of an end that lets more than this gather ends; above any one message to a device.
  std::size_t max_queued_bytes = 2u << 20;
};

}  // namespace starling::ws
