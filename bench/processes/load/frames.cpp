#include "bench/processes/load/frames.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace starling::bench {
namespace {

constexpr std::array<char, 4> mask{0x12, 0x34, 0x56, 0x78};

struct FrameHead {
  std::size_t size = 0;
  std::size_t payload = 0;
  bool masked = false;
};

std::optional<FrameHead> head_of(std::string_view bytes) {
  if (bytes.size() < 2) return {};
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); };
  FrameHead head{.size = 2, .payload = byte(1) & 0x7fu, .masked = (byte(1) & 0x80u) != 0};
  const std::size_t extra = head.payload == 126 ? 2 : head.payload == 127 ? 8 : 0;
  if (bytes.size() < 2 + extra) return {};
  if (extra != 0) head.payload = 0;
  for (std::size_t i = 0; i < extra; ++i)
    head.payload = head.payload << 8 | byte(2 + i);
  head.size += extra + (head.masked ? 4 : 0);
  return head;
}

void append_length(std::string& frame, std::size_t size, unsigned mask_bit) {
  if (size < 126) {
    frame.push_back(static_cast<char>(mask_bit | size));
    return;
  }
  const bool wide = size > 0xffff;
  frame.push_back(static_cast<char>(mask_bit | (wide ? 127u : 126u)));
  for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(size >> shift & 0xff));
  }
}

// The value of a header, found without regard to case.
std::optional<std::string_view> header(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
    const auto line = head.substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    if (line.size() <= name.size() || line[name.size()] != ':') continue;
    const bool same = std::equal(name.begin(), name.end(), line.begin(),
                                 [](char a, char b) { return (a | 0x20) == (b | 0x20); });
    if (!same) continue;
    const auto value = line.substr(name.size() + 1);
    return value.substr(std::min(value.find_first_not_of(' '), value.size()));
  }
  return {};
}

std::optional<std::size_t> unchunk(std::string_view bytes, std::string& body) {
  body.clear();
  std::size_t at = 0;
  while (true) {
    const auto line_end = bytes.find("\r\n", at);
    if (line_end == std::string_view::npos) return {};
    std::size_t size = 0;
    std::from_chars(bytes.data() + at, bytes.data() + line_end, size, 16);
    if (bytes.size() < line_end + 2 + size + 2) return {};
    body.append(bytes.substr(line_end + 2, size));
    at = line_end + 2 + size + 2;
    if (size == 0) return at;
  }
}

}  // namespace

std::optional<Frame> next_frame(std::string_view bytes) {
  const auto head = head_of(bytes);
  if (!head || bytes.size() < head->size + head->payload) return {};
  return Frame{static_cast<Opcode>(bytes[0] & 0x0f), bytes.substr(head->size, head->payload),
               head->size + head->payload};
}

std::optional<Frame> next_masked_frame(char* bytes, std::size_t size) {
  const auto head = head_of({bytes, size});
  if (!head || size < head->size + head->payload) return {};
  char* payload = bytes + head->size;
  const char* key = payload - 4;
  if (head->masked) {
    for (std::size_t i = 0; i < head->payload; ++i)
      payload[i] = static_cast<char>(payload[i] ^ key[i & 3]);
  }
  return Frame{static_cast<Opcode>(bytes[0] & 0x0f), {payload, head->payload}, head->size + head->payload};
}

std::string server_frame(Opcode opcode, std::string_view payload) {
  std::string frame(1, static_cast<char>(0x80u | static_cast<unsigned>(opcode)));
  append_length(frame, payload.size(), 0);
  frame.append(payload);
  return frame;
}

std::string client_frame(Opcode opcode, std::string_view payload) {
  std::string frame(1, static_cast<char>(0x80u | static_cast<unsigned>(opcode)));
  append_length(frame, payload.size(), 0x80);
  frame.append(mask.begin(), mask.end());
  for (std::size_t i = 0; i < payload.size(); ++i) {
    frame.push_back(static_cast<char>(payload[i] ^ mask[i & 3]));
  }
  return frame;
}

std::string upgrade_request(std::string_view target, const std::map<std::string, std::string>& headers) {
  std::string request = "GET " + std::string(target) +
                        " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: c3RhcmxpbmctYmVuY2gtMQ==\r\n";
  for (const auto& [name, value] : headers)
    request += name + ": " + value + "\r\n";
  return request + "\r\n";
}

std::optional<HttpReply> next_reply(std::string_view bytes, std::string& unchunked) {
  const auto end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos || bytes.size() < 12) return {};
  HttpReply reply;
  std::from_chars(bytes.data() + 9, bytes.data() + 12, reply.status);
  const auto head = bytes.substr(0, end + 2);
  const auto rest = bytes.substr(end + 4);
  if (header(head, "transfer-encoding")) {
    const auto used = unchunk(rest, unchunked);
    if (!used) return {};
    reply.body = unchunked;
    reply.size = end + 4 + *used;
    return reply;
  }
  std::size_t length = 0;
  if (const auto text = header(head, "content-length")) {
    std::from_chars(text->data(), text->data() + text->size(), length);
  }
  if (rest.size() < length) return {};
  reply.body = rest.substr(0, length);
  reply.size = end + 4 + length;
  return reply;
}

}  // namespace starling::bench
