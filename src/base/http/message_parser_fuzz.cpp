// The first byte chooses the split. What is parsed out of a request must not depend on how its bytes were
// split, and must be clean text within the limits.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "base/http/message_parser.hpp"
#include "base/utf8.hpp"

namespace {

using namespace starling::http;

constexpr MessageLimits limits{.max_header_bytes = 1024, .max_body_bytes = 512};

std::string describe(const Request& request) {
  std::string text = request.target + "|" + request.path + "|" + request.body + "|";
  for (const auto& [name, value] : request.headers)
    text += name + "=" + value + ";";
  for (const auto& [name, value] : request.query)
    text += name + "=" + value + ";";
  if (!starling::is_utf8(request.path) || request.body.size() > limits.max_body_bytes) std::abort();
  return text;
}

// The requests in the bytes, up to the first that is refused.
std::string parse(std::string_view bytes, std::size_t step) {
  RequestParser parser(limits);
  std::string seen;
  std::string unread;
  while (!bytes.empty() || !unread.empty()) {
    unread += bytes.substr(0, step);
    const bool last = bytes.size() <= step;
    bytes.remove_prefix(std::min(step, bytes.size()));
    for (;;) {
      const auto taken = parser.feed(unread);
      if (!taken) return seen + "refused";
      if (*taken > unread.size()) std::abort();
      unread.erase(0, *taken);
      if (!parser.complete()) break;
      seen += describe(parser.request()) + "\n";
      parser.reset();
      if (unread.empty()) break;
    }
    if (last) break;
  }
  return seen;
}

void parse_response(std::string_view bytes, bool to_head) {
  ResponseParser parser(limits, to_head);
  for (int i = 0; i < 4 && !parser.complete(); ++i) {
    const auto taken = parser.feed(bytes);
    if (!taken) return;
    bytes.remove_prefix(*taken);
  }
  if (parser.response().body.size() > limits.max_body_bytes) std::abort();
  static_cast<void>(parser.feed_end());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  parse_response(bytes, (data[0] & 1) != 0);
  // A refusal may come sooner in larger pieces, but never another request.
  const std::string whole = parse(bytes, size);
  const std::string pieces = parse(bytes, (data[0] >> 1) + 1);
  const auto requests = [](const std::string& seen) { return seen.substr(0, seen.rfind('\n') + 1); };
  if (requests(whole) != requests(pieces)) std::abort();
  return 0;
}
