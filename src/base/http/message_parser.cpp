#include "base/http/message_parser.hpp"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>
#include <optional>

#include "base/utf8.hpp"

namespace starling::http {
namespace {

namespace beast = boost::beast;
using beast::http::error;
using boost::system::error_code;

std::string_view view_of(beast::string_view text) {
  return {text.data(), text.size()};
}

Method method_of(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get: return Method::get;
    case beast::http::verb::head: return Method::head;
    case beast::http::verb::post: return Method::post;
    case beast::http::verb::put: return Method::put;
    case beast::http::verb::patch: return Method::patch;
    case beast::http::verb::delete_: return Method::del;
    case beast::http::verb::options: return Method::options;
    default: return Method::other;
  }
}

// Parses straight into our messages, so that no field is stored twice.
template <bool is_request>
class Collector final : public beast::http::basic_parser<is_request> {
 public:
  using Message = std::conditional_t<is_request, Request, Response>;

  Collector(Message& message, const MessageLimits& limits) : message_(message) {
    this->header_limit(static_cast<std::uint32_t>(limits.max_header_bytes));
    this->body_limit(limits.max_body_bytes);
    this->eager(true);
  }

  int version = 11;  // 10 or 11
  int hosts = 0;
  bool expects_continue = false;
  std::uint64_t announced = 0;  // of a body in chunks, up to the end of the last one that has begun

 private:
  void on_request_impl(beast::http::verb verb, beast::string_view, beast::string_view target,
                       int http_version, error_code&) override {
    version = http_version;
    if constexpr (is_request) {
      message_.method = method_of(verb);
      message_.target = view_of(target);
    }
  }
  void on_response_impl(int status, beast::string_view, int, error_code&) override {
    if constexpr (!is_request) message_.status = status;
  }
  void on_field_impl(beast::http::field field, beast::string_view name, beast::string_view value,
                     error_code&) override {
    if (this->is_header_done()) return;  // trailers are dropped: nothing here may look like a header
    if (field == beast::http::field::host) ++hosts;
    if (field == beast::http::field::expect) expects_continue = beast::iequals(value, "100-continue");
    if constexpr (!is_request) {
      if (field == beast::http::field::content_type) message_.content_type = view_of(value);
    }
    message_.headers.add(std::string(view_of(name)), std::string(view_of(value)));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, error_code&) override {
    message_.body.append(body.data(), body.size());
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t bytes, beast::string_view, error_code&) override {
    announced = message_.body.size() + bytes;
  }
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body, error_code&) override {
    message_.body.append(body.data(), body.size());
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  Message& message_;
};

Refusal refusal_for(const error_code& code, const MessageLimits& limits) {
  if (code == error::header_limit) {
    return {431,
            fmt::format("the header is larger than the {} bytes that are taken", limits.max_header_bytes)};
  }
  if (code == error::body_limit) {
    return {413, fmt::format("the body is larger than the {} bytes that are taken", limits.max_body_bytes)};
  }
  if (code == error::bad_version) return {505, "only HTTP/1.0 and HTTP/1.1 are spoken here"};
  return {400, fmt::format("the message is not HTTP/1.1: {}", code.message())};
}

template <typename Parser>
std::expected<std::size_t, Refusal> put(Parser& parser, std::string_view bytes, const MessageLimits& limits) {
  if (parser.is_done()) return 0;
  error_code code;
  const std::size_t taken = parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), code);
  if (code && code != error::need_more) return std::unexpected(refusal_for(code, limits));
  return taken;
}

// Splits the target into path and query, decoded (RFC 9112 section 3.2), and looks at the headers' text.
std::expected<void, Refusal> resolve_target(Request& request) {
  std::string_view target = request.target;
  if (!target.starts_with('/') && target != "*") {
    const Result<Url> absolute = Url::parse(target);
    if (!absolute) return std::unexpected(Refusal{400, "the request target is neither a path nor a URL"});
    request.target = absolute->target;
    target = request.target;
  }
  const std::size_t question = target.find('?');
  Result<std::string> path = percent_decode(target.substr(0, question));
  if (!path) return std::unexpected(Refusal{400, "in the path, " + path.error().message});
  Result<Query> query =
      Query::parse(question == target.npos ? std::string_view() : target.substr(question + 1));
  if (!query) return std::unexpected(Refusal{400, "in the query, " + query.error().message});
  const auto clean = [](std::string_view text) { return is_utf8(text) && text.find('\0') == text.npos; };
  const auto clean_pair = [&](const auto& pair) { return clean(pair.first) && clean(pair.second); };
  if (!clean(*path) || !std::all_of(query->begin(), query->end(), clean_pair)) {
    return std::unexpected(Refusal{400, "the request target is not valid UTF-8"});
  }
  for (const auto& [name, value] : request.headers) {
    // What a header says may end up where text must be UTF-8, in JSON above all.
    if (!is_utf8(value)) return std::unexpected(Refusal{400, "the header " + name + " is not valid UTF-8"});
  }
  request.path = std::move(*path);
  request.query = std::move(*query);
  return {};
}

void append_clean(std::string& out, std::string_view text) {
  for (const char c : text) {
    if (c != '\r' && c != '\n' && c != '\0') out += c;
  }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_clean(out, name);
  out += ": ";
  append_clean(out, value);
  out += "\r\n";
}

void append_status_line(std::string& out, int status) {
  const auto reason = beast::http::obsolete_reason(static_cast<beast::http::status>(status));
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n", status, view_of(reason));
}

}  // namespace

Response refusal_response(const Refusal& refusal) {
  const ErrorCode code = refusal.status == 413   ? ErrorCode::too_large
                         : refusal.status == 408 ? ErrorCode::timed_out
                                                 : ErrorCode::invalid_argument;
  Response response = problem_response({.code = code, .message = refusal.detail, .field = {}});
  if (response.status == refusal.status) return response;
  const auto title = beast::http::obsolete_reason(static_cast<beast::http::status>(refusal.status));
  JsonObject problem;
  problem["type"] = "about:blank";
  problem["title"] = view_of(title);
  problem["status"] = refusal.status;
  problem["detail"] = refusal.detail;
  problem["code"] = to_string(code);
  response.status = refusal.status;
  response.body = boost::json::serialize(problem);
  return response;
}

struct RequestParser::Impl {
  MessageLimits limits;
  Request request;
  std::optional<Collector<true>> parser;
  bool begun = false;
  bool head_checked = false;
};

RequestParser::RequestParser(MessageLimits limits)
    : impl_(new Impl{.limits = limits, .request = {}, .parser = {}}) {
  reset();
}
RequestParser::~RequestParser() = default;

void RequestParser::reset() {
  impl_->request = {};
  impl_->parser.emplace(impl_->request, impl_->limits);
  impl_->begun = false;
  impl_->head_checked = false;
}

std::expected<std::size_t, Refusal> RequestParser::feed(std::string_view bytes) {
  auto taken = put(*impl_->parser, bytes, impl_->limits);
  if (!taken) return taken;
  impl_->begun |= *taken > 0;
  if (!impl_->head_checked && head_done()) {
    impl_->head_checked = true;
    const bool host_needed = impl_->parser->version >= 11;
    if (impl_->parser->hosts > 1 || (host_needed && impl_->parser->hosts == 0)) {
      return std::unexpected(Refusal{400, "an HTTP/1.1 request needs exactly one Host header"});
    }
    if (auto resolved = resolve_target(impl_->request); !resolved) return std::unexpected(resolved.error());
  }
  return taken;
}

bool RequestParser::begun() const {
  return impl_->begun;
}
bool RequestParser::head_done() const {
  return impl_->parser->is_header_done();
}
bool RequestParser::complete() const {
  return impl_->parser->is_done();
}
bool RequestParser::keep_alive() const {
  return impl_->parser->keep_alive();
}
bool RequestParser::http_1_0() const {
  return impl_->parser->version < 11;
}
bool RequestParser::expects_continue() const {
  return impl_->parser->expects_continue && head_done() && !complete() && impl_->request.body.empty();
}
bool RequestParser::has_body() const {
  return head_done() && (impl_->parser->chunked() || impl_->parser->content_length().value_or(0) > 0);
}
std::uint64_t RequestParser::body_bytes() const {
  return impl_->parser->content_length().value_or(impl_->parser->announced);
}
Request& RequestParser::request() {
  return impl_->request;
}

struct ResponseParser::Impl {
  MessageLimits limits;
  bool to_head_request;
  Response response;
  std::optional<Collector<false>> parser;
};

ResponseParser::ResponseParser(MessageLimits limits, bool to_head_request)
    : impl_(new Impl{.limits = limits, .to_head_request = to_head_request, .response = {}, .parser = {}}) {
  reset();
}
ResponseParser::~ResponseParser() = default;

void ResponseParser::reset() {
  impl_->response = {};
  impl_->response.content_type.clear();
  impl_->parser.emplace(impl_->response, impl_->limits);
  impl_->parser->skip(impl_->to_head_request);
}

std::expected<std::size_t, Refusal> ResponseParser::feed(std::string_view bytes) {
  return put(*impl_->parser, bytes, impl_->limits);
}

std::expected<void, Refusal> ResponseParser::feed_end() {
  if (complete()) return {};
  // The parser alone takes an end before the first byte for the end of an empty message.
  error_code code;
  if (head_done()) impl_->parser->put_eof(code);
  if (!head_done() || code) return std::unexpected(Refusal{400, "the connection ended within the response"});
  return {};
}

bool ResponseParser::head_done() const {
  return impl_->parser->is_header_done();
}
bool ResponseParser::complete() const {
  return impl_->parser->is_done();
}
bool ResponseParser::keep_alive() const {
  return impl_->parser->keep_alive();
}
Response& ResponseParser::response() {
  return impl_->response;
}

void append_response(std::string& out, const Response& response, const ResponseFraming& framing) {
  append_status_line(out, response.status);
  const bool bodiless = response.status == 204 || response.status == 304 || response.status < 200;
  if (!bodiless) {
    if (!response.content_type.empty()) append_field(out, "Content-Type", response.content_type);
    const std::uint64_t length = response.file ? response.file->length : response.body.size();
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", length);
  }
  for (const auto& [name, value] : response.headers)
    append_field(out, name, value);
  if (!framing.keep_alive && response.status >= 200) out += "Connection: close\r\n";
  if (framing.keep_alive && framing.http_1_0) out += "Connection: keep-alive\r\n";
  out += "\r\n";
  if (!bodiless && !framing.head_request && !response.file) out += response.body;
}

void append_stream_head(std::string& out, const Response& response, bool chunked) {
  append_status_line(out, response.status);
  out += "Content-Type: text/event-stream\r\nCache-Control: no-store\r\nConnection: close\r\n";
  if (chunked) out += "Transfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : response.headers)
    append_field(out, name, value);
  out += "\r\n";
}

void append_request(std::string& out, const Url& url, Method method, std::string_view target,
                    const Headers& headers, std::string_view body, std::string_view content_type) {
  out += to_string(method);
  out += ' ';
  for (const char c : target) {  // a space or line end would begin another part of the head
    if (static_cast<unsigned char>(c) > 0x20) out += c;
  }
  out += " HTTP/1.1\r\n";
  if (!headers.find("Host")) append_field(out, "Host", url.origin().substr(url.origin().find("//") + 2));
  for (const auto& [name, value] : headers)
    append_field(out, name, value);
  const bool carries_body = method == Method::post || method == Method::put || method == Method::patch;
  if (carries_body || !body.empty()) {
    if (!content_type.empty()) append_field(out, "Content-Type", content_type);
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", body.size());
  }
  out += "\r\n";
  out += body;
}

}  // namespace starling::http
