// Purpose: the little of RFC 6455 and HTTP/1.1 that the load and the reference server need.
// Owner: values. Thread: any. Lifetime: views are into the input.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "bench/processes/load/loop.hpp"

namespace starling::bench {

enum class Opcode : std::uint8_t { text = 1, close = 8, ping = 9, pong = 10 };

struct Frame {
  Opcode opcode = Opcode::text;
  std::string_view payload;
  std::size_t size = 0;  // of the whole frame
};

// Empty if the frame is not complete yet. Masked payloads are unmasked in place of `bytes`' own storage.
std::optional<Frame> next_frame(std::string_view bytes);
std::optional<Frame> next_masked_frame(char* bytes, std::size_t size);

std::string server_frame(Opcode opcode, std::string_view payload);
// With a mask that is the same each time: a server cannot tell, and equal answers can be shared.
std::string client_frame(Opcode opcode, std::string_view payload);

std::string upgrade_request(std::string_view target, const std::map<std::string, std::string>& headers);

struct HttpReply {
  int status = 0;
  std::string_view body;
  std::size_t size = 0;  // of head and body
};

// Empty if it is not complete yet. Knows Content-Length and chunks.
std::optional<HttpReply> next_reply(std::string_view bytes, std::string& unchunked);

}  // namespace starling::bench
