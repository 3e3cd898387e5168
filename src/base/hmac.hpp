// Purpose: message authentication with a shared secret (RFC 2104).
// Owner: none. Thread: any. Lifetime: none.
#pragma once

#include <string>
#include <string_view>

namespace starling {

// HMAC-SHA-256; raw bytes.
std::string hmac_sha256(std::string_view key, std::string_view message);

}  // namespace starling
