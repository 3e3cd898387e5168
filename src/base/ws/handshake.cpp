#include "base/ws/handshake.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "base/crypto.hpp"
#include "base/http/message_parser.hpp"

namespace starling::ws {
namespace {

bool same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// Whether a comma-separated list (RFC 9110 section 5.6.1), possibly over several fields, holds a token.
bool lists_token(const http::Headers& headers, std::string_view name, std::string_view token) {
  for (const auto& [field, value] : headers) {
    if (!same(field, name)) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(item.size() + 1, rest.size()));
      item.remove_prefix(std::min(item.find_first_not_of(" \t"), item.size()));
      item = item.substr(0, item.find_last_not_of(" \t") + 1);
      if (same(item, token)) return true;
    }
  }
  return false;
}

// base64 of 16 bytes.
bool is_key(std::string_view key) {
  const auto digit = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' || c == '/';
  };
  return key.size() == 24 && key.ends_with("==") && std::all_of(key.begin(), key.begin() + 22, digit);
}

}  // namespace

bool asks_for_websocket(const http::Request& request) {
  return request.headers.find("Upgrade").has_value() &&
         lists_token(request.headers, "Upgrade", "websocket") &&
         lists_token(request.headers, "Connection", "upgrade");
}

std::optional<http::Response> handshake_refusal(const http::Request& request) {
  const auto refuse = [](std::string detail) {
    return http::refusal_response({.status = 400, .detail = std::move(detail)});
  };
  if (request.method != http::Method::get) return refuse("a WebSocket is opened with GET");
  if (request.headers.find("Sec-WebSocket-Version") != "13") {
    http::Response response = refuse("only version 13 of the WebSocket protocol is spoken here");
    response.status = 426;
    response.headers.add("Sec-WebSocket-Version", "13");
    return response;
  }
  if (!is_key(request.headers.find("Sec-WebSocket-Key").value_or(""))) {
    return refuse("Sec-WebSocket-Key must be the base64 of 16 bytes");
  }
  return std::nullopt;
}

http::Response handshake_acceptance(const http::Request& request) {
  http::Response response{.status = 101, .content_type = {}, .body = {}, .headers = {}};
  response.headers.add("Upgrade", "websocket");
  response.headers.add("Connection", "Upgrade");
  response.headers.add("Sec-WebSocket-Accept",
                       accept_for(request.headers.find("Sec-WebSocket-Key").value_or("")));
  return response;
}

std::string make_key() {
  return base64_encode(random_bytes(16));
}

std::string accept_for(std::string_view key) {
  const std::string salted = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, 20> digest{};
  if (EVP_Digest(salted.data(), salted.size(), digest.data(), nullptr, EVP_sha1(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL could not compute SHA-1");
  }
  return base64_encode({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

void add_handshake(http::Headers& headers, const std::string& key) {
  headers.add("Connection", "Upgrade");
  headers.add("Upgrade", "websocket");
  headers.add("Sec-WebSocket-Version", "13");
  headers.add("Sec-WebSocket-Key", key);
}

Result<void> check_acceptance(const http::Response& response, std::string_view key) {
  if (response.status != 101) {
    const ErrorCode code = response.status == 401   ? ErrorCode::unauthenticated
                           : response.status == 403 ? ErrorCode::permission_denied
                                                    : ErrorCode::unavailable;
    return fail(code, fmt::format("the server answered {} instead of opening a WebSocket: {}",
                                  response.status, std::string_view(response.body).substr(0, 500)));
  }
  if (!lists_token(response.headers, "Upgrade", "websocket") ||
      !lists_token(response.headers, "Connection", "upgrade")) {
    return fail(ErrorCode::unavailable, "the server's 101 answer is not about a WebSocket");
  }
  if (response.headers.find("Sec-WebSocket-Accept") != accept_for(key)) {
    return fail(ErrorCode::unavailable, "the server's Sec-WebSocket-Accept does not fit the key");
  }
  if (response.headers.find("Sec-WebSocket-Extensions") || response.headers.find("Sec-WebSocket-Protocol")) {
    return fail(ErrorCode::unavailable, "the server chose an extension or a protocol that was not offered");
  }
  return {};
}

}  // namespace starling::ws
