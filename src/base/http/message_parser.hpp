// Purpose: HTTP/1.1 messages out of bytes, within limits, without any I/O (RFC 9112).
// Owner: a connection. Thread: one. Lifetime: many messages, one after the other, through reset().
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "base/http/message.hpp"

namespace starling::http {

struct MessageLimits {
  std::size_t max_header_bytes;
  std::uint64_t max_body_bytes;
};

// Why a message is not taken, as the status that answers a request and a sentence.
struct Refusal {
  int status = 400;
  std::string detail;
};
Response refusal_response(const Refusal& refusal);

class RequestParser {
 public:
  explicit RequestParser(MessageLimits limits);
  ~RequestParser();

  // Takes what it can from the front of `bytes` and says how much. The rest must be given again, with more
  // behind it; nothing is taken of a header that is not complete.
  std::expected<std::size_t, Refusal> feed(std::string_view bytes);
  bool begun() const;  // part of a message has been taken
  bool head_done() const;
  bool complete() const;

  bool keep_alive() const;  // valid once head_done()
  bool http_1_0() const;
  bool expects_continue() const;  // and its body is still to come
  bool has_body() const;          // or will have one
  // What the header announces, or the chunk that has begun with what is in the request before it.
  std::uint64_t body_bytes() const;

  Request& request();  // the body grows with what is fed and may be taken out in between
  void reset();        // for the next message

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ResponseParser {
 public:
  ResponseParser(MessageLimits limits, bool to_head_request);
  ~ResponseParser();

  std::expected<std::size_t, Refusal> feed(std::string_view bytes);
  // The connection has ended: completes a body that only this delimits.
  std::expected<void, Refusal> feed_end();
  bool head_done() const;
  bool complete() const;
  bool keep_alive() const;

  Response& response();  // the body grows with what is fed and may be taken out in between
  void reset();          // for the response after an interim one (1xx)

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The head of a response and, unless it is a file's or goes to a HEAD request, its body. Bytes that would
// break out of a header line are left out.
struct ResponseFraming {
  bool keep_alive = true;
  bool http_1_0 = false;
  bool head_request = false;
};
void append_response(std::string& out, const Response& response, const ResponseFraming& framing);
// The head of a text/event-stream; the connection ends with it.
void append_stream_head(std::string& out, const Response& response, bool chunked);

void append_request(std::string& out, const Url& url, Method method, std::string_view target,
                    const Headers& headers, std::string_view body, std::string_view content_type);

}  // namespace starling::http
