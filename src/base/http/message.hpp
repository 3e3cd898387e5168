// Purpose: HTTP messages as handlers and callers see them; no parser type appears here.
// Owner: values. Thread: any. Lifetime: none beyond the value.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file_descriptor.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::http {

enum class Method { get, head, post, put, patch, del, options, other };
std::string_view to_string(Method method);

// Few entries, in order, names compared without case (RFC 9110 section 5.1).
class Headers {
 public:
  void add(std::string name, std::string value) { entries_.emplace_back(std::move(name), std::move(value)); }
  void set(std::string_view name, std::string value);
  std::optional<std::string_view> find(std::string_view name) const;
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

std::string percent_encode(std::string_view text);          // RFC 3986: all but unreserved characters
Result<std::string> percent_decode(std::string_view text);  // invalid_argument

// The part after '?', decoded ("a=1&b=2"; '+' is a space).
class Query {
 public:
  static Result<Query> parse(std::string_view text);
  std::optional<std::string_view> find(std::string_view name) const;
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }

 private:
  std::vector<std::pair<std::string, std::string>> entries_;
};

// Takes a request's body part by part, where it may be too large for memory.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // Errors: whatever the client shall be told; the connection is closed with it.
  virtual Result<void> write(std::string_view part) = 0;
};

struct Request {
  Method method = Method::get;
  std::string target;  // as sent
  std::string path;    // decoded, without query
  Query query;
  Headers headers;
  std::string body;
  std::shared_ptr<BodySink> sink;  // has taken the body, if the handler gave one; then `body` is empty
  std::string peer_address;        // without port
  bool tls = false;
};

// Where a handler writes server-sent events. Ends when the client goes away or the handler closes it.
class EventStream {
 public:
  virtual ~EventStream() = default;
  // One event (WHATWG HTML, section 9.2). `data` must not contain a line feed. Unsent bytes are counted:
  // past 1 MiB the stream is dropped, and the client resumes from its last id.
  virtual void send(std::string_view event, std::string_view id, std::string_view data) = 0;
  virtual void send_comment(std::string_view text) = 0;
  virtual void close() = 0;
  virtual bool closed() const = 0;
  // What the socket has not taken yet, and a call whenever that becomes nothing (never from within send()):
  // by these a long replay keeps its pace. An empty function ends the calls.
  virtual std::size_t queued_bytes() const = 0;
  virtual void on_drained(std::function<void()> call) = 0;
};

// Part of a file that is sent instead of a body that is in memory.
struct FileBody {
  FileDescriptor file;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  Headers headers;
  // If set, the response is text/event-stream and this is called once with the open stream (body is unused).
  std::function<void(std::shared_ptr<EventStream>)> stream = {};
  std::shared_ptr<const FileBody> file = {};  // if set, `body` is unused
};

Response json_response(const Json& body, int status = 200);
// RFC 9457 application/problem+json: type, title, status, detail, code and, if known, the field's pointer.
Response problem_response(const Error& error);
Response problem_response(const Error& error, int status);  // where the code has no status of its own
int http_status(ErrorCode code);

struct Url {
  bool tls = false;  // https or wss
  std::string host;
  std::uint16_t port = 80;
  std::string target = "/";  // path and query

  // http, https, ws or wss. Errors: invalid_argument.
  static Result<Url> parse(std::string_view text);
  std::string origin() const;  // "https://host:port"
};

}  // namespace starling::http
