#include "base/ws/codec.hpp"

#include <algorithm>
#include <cstring>

#include "base/crypto.hpp"

namespace starling::ws {
namespace {

constexpr std::size_t max_control_bytes = 125;

bool is_control(Opcode opcode) {
  return static_cast<std::uint8_t>(opcode) >= 8;
}

Decoder::Event violation(CloseCode code, std::string_view what) {
  return {.kind = Decoder::Event::Kind::violation, .payload = what, .code = code};
}

// Afterwards `key` is turned so that it fits the byte that follows.
void apply_mask(std::span<char> bytes, MaskKey& key) {
  std::uint64_t wide = 0;
  std::memcpy(&wide, key.data(), 4);
  std::memcpy(reinterpret_cast<char*>(&wide) + 4, key.data(), 4);
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data() + i, 8);
    word ^= wide;
    std::memcpy(bytes.data() + i, &word, 8);
  }
  for (; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(static_cast<std::uint8_t>(bytes[i]) ^ key[i % 4]);
  std::rotate(key.begin(), key.begin() + static_cast<std::ptrdiff_t>(bytes.size() % 4), key.end());
}

std::size_t extended_bytes(std::uint8_t short_length) {
  return short_length < 126 ? 0 : short_length == 126 ? 2 : 8;
}

// The second byte says how long the header is.
std::size_t header_bytes(std::uint8_t second) {
  return 2 + extended_bytes(second & 0x7f) + ((second & 0x80) != 0 ? 4 : 0);
}

// RFC 6455 section 7.4 and the registry: what an end may put into a close frame.
bool may_be_sent(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

}  // namespace

// True when the whole header is in header_.
bool Decoder::take_header(std::span<char>& input) {
  for (;;) {
    const std::size_t needed = header_size_ < 2 ? 2 : header_bytes(header_[1]);
    if (header_size_ == needed) return true;
    if (input.empty()) return false;
    const std::size_t count = std::min(needed - header_size_, input.size());
    std::memcpy(header_.data() + header_size_, input.data(), count);
    header_size_ = static_cast<std::uint8_t>(header_size_ + count);
    input = input.subspan(count);
  }
}

Decoder::Event Decoder::begin_frame() {
  constexpr CloseCode bad = CloseCode::protocol_error;
  const std::size_t extended = extended_bytes(header_[1] & 0x7f);
  const bool masked = (header_[1] & 0x80) != 0;
  header_size_ = 0;
  final_ = (header_[0] & 0x80) != 0;
  frame_ = static_cast<Opcode>(header_[0] & 0x0f);
  if ((header_[0] & 0x70) != 0) return violation(bad, "reserved bits are set");
  if (masked != (role_ == Role::server)) {
    return violation(bad, masked ? "a server's frame is masked" : "a client's frame is not masked");
  }
  remaining_ = header_[1] & 0x7f;
  if (extended > 0) {
    remaining_ = 0;
    for (std::size_t i = 0; i < extended; ++i)
      remaining_ = (remaining_ << 8) | header_[2 + i];
    if (remaining_ < (extended == 2 ? 126u : 0x10000u))
      return violation(bad, "a length is not in its shortest form");
    if ((remaining_ >> 63) != 0) return violation(bad, "a length has its highest bit set");
  }
  if (masked) std::copy_n(header_.begin() + 2 + static_cast<std::ptrdiff_t>(extended), 4, mask_.begin());
  in_payload_ = true;
  switch (frame_) {
    case Opcode::close:
    case Opcode::ping:
    case Opcode::pong:
      if (!final_) return violation(bad, "a control frame is fragmented");
      if (remaining_ > max_control_bytes) return violation(bad, "a control frame is longer than 125 bytes");
      return {};
    case Opcode::continuation:
      if (message_ == Opcode::continuation) return violation(bad, "a continuation has nothing to continue");
      break;
    case Opcode::text:
    case Opcode::binary:
      if (message_ != Opcode::continuation) return violation(bad, "a message begins within another");
      message_ = frame_;
      utf8_ = {};
      break;
    default: return violation(bad, "an opcode is unknown");
  }
  if (remaining_ > max_message_bytes_ - assembled_.size()) {
    return violation(CloseCode::message_too_big, "a message is larger than is taken");
  }
  return {};
}

Decoder::Event Decoder::control_event(Opcode opcode, std::string_view payload) {
  if (opcode == Opcode::ping) return {.kind = Event::Kind::ping, .payload = payload};
  if (opcode == Opcode::pong) return {.kind = Event::Kind::pong, .payload = payload};
  if (payload.empty()) return {.kind = Event::Kind::close};
  if (payload.size() == 1) return violation(CloseCode::protocol_error, "a close frame has half a code");
  const auto code = static_cast<std::uint16_t>(static_cast<std::uint8_t>(payload[0]) << 8 |
                                               static_cast<std::uint8_t>(payload[1]));
  if (!may_be_sent(code)) return violation(CloseCode::protocol_error, "a close code is not allowed");
  payload.remove_prefix(2);
  if (!is_utf8(payload)) return violation(CloseCode::invalid_payload, "a close reason is not UTF-8");
  return {.kind = Event::Kind::close, .payload = payload, .code = static_cast<CloseCode>(code)};
}

Decoder::Event Decoder::take_control(std::span<char>& input) {
  const std::span<char> piece = input.first(std::min<std::uint64_t>(remaining_, input.size()));
  input = input.subspan(piece.size());
  remaining_ -= piece.size();
  if (role_ == Role::server) apply_mask(piece, mask_);
  std::string_view payload(piece.data(), piece.size());
  if (remaining_ > 0 || !control_.empty()) {
    control_ += payload;
    payload = control_;
  }
  if (remaining_ > 0) return {};
  in_payload_ = false;
  handed_over_ = true;
  return control_event(frame_, payload);
}

Decoder::Event Decoder::finish_message(std::string_view payload) {
  const bool text = message_ == Opcode::text;
  message_ = Opcode::continuation;
  handed_over_ = true;
  if (text && !utf8_.complete())
    return violation(CloseCode::invalid_payload, "a text message ends within a character");
  return {.kind = text ? Event::Kind::text : Event::Kind::binary, .payload = payload};
}

Decoder::Event Decoder::take_data(std::span<char>& input) {
  const std::span<char> piece = input.first(std::min<std::uint64_t>(remaining_, input.size()));
  input = input.subspan(piece.size());
  remaining_ -= piece.size();
  if (role_ == Role::server) apply_mask(piece, mask_);
  const std::string_view payload(piece.data(), piece.size());
  if (message_ == Opcode::text && !utf8_.accepts(payload)) {
    return violation(CloseCode::invalid_payload, "a text message is not UTF-8");
  }
  const bool whole = remaining_ == 0;
  in_payload_ = !whole;
  if (whole && final_ && assembled_.empty()) return finish_message(payload);
  assembled_ += payload;
  if (whole && final_) return finish_message(assembled_);
  return {};
}

Decoder::Event Decoder::next(std::span<char>& input) {
  if (handed_over_) {
    handed_over_ = false;
    control_ = {};
    if (message_ == Opcode::continuation) assembled_ = {};
  }
  for (;;) {
    if (!in_payload_) {
      if (!take_header(input)) return {};
      if (Event event = begin_frame(); event.kind != Event::Kind::need_more) return event;
    }
    if (remaining_ > 0 && input.empty()) return {};
    Event event = is_control(frame_) ? take_control(input) : take_data(input);
    if (event.kind != Event::Kind::need_more) return event;
  }
}

MaskKey random_mask_key() {
  // One draw from the generator is enough for many frames.
  thread_local std::string pool;
  if (pool.size() < 4) pool = random_bytes(1024);
  MaskKey key;
  std::memcpy(key.data(), pool.data() + pool.size() - 4, 4);
  pool.resize(pool.size() - 4);
  return key;
}

std::string encode_frame(Opcode opcode, std::string_view payload, std::optional<MaskKey> mask, bool final) {
  std::string frame;
  frame.reserve(payload.size() + 14);
  frame += static_cast<char>((final ? 0x80 : 0) | static_cast<int>(opcode));
  const int mask_bit = mask ? 0x80 : 0;
  if (payload.size() < 126) {
    frame += static_cast<char>(mask_bit | static_cast<int>(payload.size()));
  } else {
    const std::size_t extended = payload.size() < 0x10000 ? 2 : 8;
    frame += static_cast<char>(mask_bit | (extended == 2 ? 126 : 127));
    const std::uint64_t length = payload.size();
    for (std::size_t i = extended; i-- > 0;)
      frame += static_cast<char>((length >> (8 * i)) & 0xff);
  }
  if (mask) frame.append(reinterpret_cast<const char*>(mask->data()), mask->size());
  const std::size_t head = frame.size();
  frame += payload;
  if (mask) apply_mask(std::span<char>(frame).subspan(head), *mask);
  return frame;
}

std::string encode_close(CloseCode code, std::string_view reason, std::optional<MaskKey> mask) {
  if (code == CloseCode::no_status) return encode_frame(Opcode::close, {}, mask);
  const auto number = static_cast<std::uint16_t>(code);
  std::string payload{static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
  payload += cut_utf8(reason, max_control_bytes - 2);
  return encode_frame(Opcode::close, payload, mask);
}

SharedFrame make_text_frame(std::string_view text) {
  return std::make_shared<const std::string>(encode_frame(Opcode::text, text, std::nullopt));
}

}  // namespace starling::ws
