// Purpose: the opening handshake of a WebSocket (RFC 6455 section 4), both ends, without I/O.
// Owner: none. Thread: any. Lifetime: none.
// Inner header of base.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/http/message.hpp"
#include "base/result.hpp"

namespace starling::ws {

bool asks_for_websocket(const http::Request& request);
// The response that refuses the handshake of such a request: 400, or 426 for another version.
std::optional<http::Response> handshake_refusal(const http::Request& request);
http::Response handshake_acceptance(const http::Request& request);

std::string make_key();
std::string accept_for(std::string_view key);
// Adds the client's fields.
void add_handshake(http::Headers& headers, const std::string& key);
// Errors: as ws::run_client.
Result<void> check_acceptance(const http::Response& response, std::string_view key);

}  // namespace starling::ws
