// Purpose: WebSocket frames (RFC 6455 section 5) without any I/O: bytes to messages, messages to bytes.
// Owner: the connection. Thread: one. Lifetime: the connection's.
//
// Own code because a general framing costs a device connection four times the memory and the hub a quarter of
// its fan-out time. An idle decoder owns no heap: messages that lie whole in the input are handed over
// in place, and only those that arrive in pieces are assembled.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/utf8.hpp"
#include "base/ws/websocket.hpp"

namespace starling::ws {

enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

enum class Role : std::uint8_t { server, client };

class Decoder {
 public:
  // `role` is the end that decodes: a server takes only masked frames, a client only unmasked ones.
  Decoder(Role role, std::size_t max_message_bytes) : max_message_bytes_(max_message_bytes), role_(role) {}

  struct Event {
    enum class Kind { need_more, text, binary, ping, pong, close, violation };
    Kind kind = Kind::need_more;
    std::string_view payload = {};          // message, control payload, close reason or what was violated
    CloseCode code = CloseCode::no_status;  // of close and violation
  };

  // Takes bytes off the front of `input`, unmasking them in place, until something is complete or the input
  // is used up. The payload is valid until the next call and as long as the input's bytes are. After a
  // violation the decoder must not be used any more.
  Event next(std::span<char>& input);

 private:
  bool take_header(std::span<char>& input);
  Event begin_frame();
  Event take_control(std::span<char>& input);
  Event take_data(std::span<char>& input);
  Event finish_message(std::string_view payload);
  static Event control_event(Opcode opcode, std::string_view payload);

  std::string assembled_;  // of a data message that arrives in pieces
  std::string control_;    // of a control frame that does, possibly in the midst of a message
  std::size_t max_message_bytes_;
  std::uint64_t remaining_ = 0;  // payload bytes of the current frame still to come
  std::array<std::uint8_t, 14> header_{};
  std::uint8_t header_size_ = 0;
  std::array<std::uint8_t, 4> mask_{};
  Utf8Validator utf8_;
  Role role_;
  Opcode frame_ = Opcode::continuation;
  Opcode message_ = Opcode::continuation;  // continuation: no message is open
  bool in_payload_ = false;
  bool final_ = false;
  bool handed_over_ = false;  // assembled_ or control_ was given out and is free to go
};

using MaskKey = std::array<std::uint8_t, 4>;
// Unpredictable to those who choose payloads (RFC 6455 section 10.3).
MaskKey random_mask_key();

std::string encode_frame(Opcode opcode, std::string_view payload, std::optional<MaskKey> mask,
                         bool final = true);
// A reason longer than fits is cut at a character's border. no_status gives an empty close frame.
std::string encode_close(CloseCode code, std::string_view reason, std::optional<MaskKey> mask);

}  // namespace starling::ws
