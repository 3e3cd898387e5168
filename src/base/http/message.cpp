#include "base/http/message.hpp"

#include <fmt/format.h>

#include <strings.h>
#include <algorithm>
#include <charconv>

#include "base/json_text.hpp"

namespace starling::http {
namespace {

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool unreserved(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

std::string_view title_of(int status) {
  switch (status) {
    case 400: return "Bad request";
    case 401: return "Not authenticated";
    case 403: return "Not allowed";
    case 404: return "Not found";
    case 405: return "Method not allowed";
    case 409: return "Conflict";
    case 413: return "Too large";
    case 416: return "No such range";
    case 422: return "Invalid";
    case 429: return "Too many requests";
    case 503: return "Not available";
    case 504: return "Timed out";
    default: return "Internal error";
  }
}

Result<std::uint16_t> parse_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port == 0 || port > 65535) {
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a port", text));
  }
  return static_cast<std::uint16_t>(port);
}

}  // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::get: return "GET";
    case Method::head: return "HEAD";
    case Method::post: return "POST";
    case Method::put: return "PUT";
    case Method::patch: return "PATCH";
    case Method::del: return "DELETE";
    case Method::options: return "OPTIONS";
    case Method::other: return "OTHER";
  }
  return "OTHER";
}

void Headers::set(std::string_view name, std::string value) {
  std::erase_if(entries_, [name](const auto& entry) { return same_name(entry.first, name); });
  add(std::string(name), std::move(value));
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  for (const auto& [entry_name, value] : entries_) {
    if (same_name(entry_name, name)) return value;
  }
  return std::nullopt;
}

std::string percent_encode(std::string_view text) {
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (unreserved(c)) {
      encoded += c;
    } else {
      fmt::format_to(std::back_inserter(encoded), "%{:02X}",
                     static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return encoded;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return fail(ErrorCode::invalid_argument, "a '%' is not followed by two hexadecimal digits");
    }
    decoded += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return decoded;
}

Result<Query> Query::parse(std::string_view text) {
  const auto decode = [](std::string_view part) {
    std::string spaced(part);
    std::ranges::replace(spaced, '+', ' ');
    return percent_decode(spaced);
  };
  Query query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = pair.find('=');
    Result<std::string> name = decode(pair.substr(0, equals));
    if (!name) return fail(name);
    Result<std::string> value = decode(equals == pair.npos ? std::string_view() : pair.substr(equals + 1));
    if (!value) return fail(value);
    query.entries_.emplace_back(std::move(*name), std::move(*value));
  }
  return query;
}

std::optional<std::string_view> Query::find(std::string_view name) const {
  for (const auto& [entry_name, value] : entries_) {
    if (entry_name == name) return value;
  }
  return std::nullopt;
}

Response json_response(const Json& body, int status) {
  return {.status = status, .content_type = "application/json", .body = json_text(body), .headers = {}};
}

Response problem_response(const Error& error) {
  return problem_response(error, http_status(error.code));
}

Response problem_response(const Error& error, int status) {
  JsonObject problem;
  problem["type"] = "about:blank";
  problem["title"] = title_of(status);
  problem["status"] = status;
  problem["detail"] = error.message;
  problem["code"] = to_string(error.code);
  if (!error.field.empty()) problem["pointer"] = error.field;
  Response response = json_response(problem, status);
  response.content_type = "application/problem+json";
  return response;
}

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::malformed: return 400;
    case ErrorCode::invalid_argument: return 422;
    case ErrorCode::unauthenticated: return 401;
    case ErrorCode::permission_denied: return 403;
    case ErrorCode::not_found: return 404;
    case ErrorCode::already_exists:
    case ErrorCode::conflict:
    case ErrorCode::failed_precondition: return 409;
    case ErrorCode::too_large: return 413;
    case ErrorCode::rate_limited: return 429;
    case ErrorCode::unavailable: return 503;
    case ErrorCode::timed_out: return 504;
    case ErrorCode::corrupted:
    case ErrorCode::io:
    case ErrorCode::internal: return 500;
  }
  return 500;
}

Result<Url> Url::parse(std::string_view text) {
  const auto bad = [text](std::string_view why) {
    return fail(ErrorCode::invalid_argument, fmt::format("'{}' is not a URL: {}", text, why));
  };
  if (std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; })) {
    return bad("it has spaces or control characters");
  }
  const std::size_t scheme_end = text.find("://");
  const std::string_view scheme = text.substr(0, std::min(scheme_end, text.size()));
  Url url;
  url.tls = same_name(scheme, "https") || same_name(scheme, "wss");
  if (scheme_end == text.npos || (!url.tls && !same_name(scheme, "http") && !same_name(scheme, "ws"))) {
    return bad("it must begin with http://, https://, ws:// or wss://");
  }
  url.port = url.tls ? 443 : 80;
  std::string_view rest = text.substr(scheme_end + 3);
  const std::size_t authority_end = std::min(rest.find_first_of("/?#"), rest.size());
  std::string_view authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  if (authority.find('@') != authority.npos) return bad("credentials do not belong into a URL");

  const bool bracketed = authority.starts_with('[');
  const std::size_t host_end =
      bracketed ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (host_end == authority.npos) return bad("'[' is not closed");
  url.host = authority.substr(bracketed ? 1 : 0, host_end - (bracketed ? 1 : 0));
  if (url.host.empty()) return bad("the host is missing");
  authority.remove_prefix(host_end + (bracketed ? 1 : 0));
  if (!authority.empty()) {
    const Result<std::uint16_t> port = authority.front() == ':'
                                           ? parse_port(authority.substr(1))
                                           : Result<std::uint16_t>(bad("the port is wrong"));
    if (!port) return bad(port.error().message);
    url.port = *port;
  }
  const std::string_view target = rest.substr(0, rest.find('#'));  // a fragment never leaves the client
  url.target = target.starts_with('/') ? std::string(target) : "/" + std::string(target);
  return url;
}

std::string Url::origin() const {
  const bool v6 = host.find(':') != host.npos;
  return fmt::format("{}://{}{}{}:{}", tls ? "https" : "http", v6 ? "[" : "", host, v6 ? "]" : "", port);
}

}  // namespace starling::http
