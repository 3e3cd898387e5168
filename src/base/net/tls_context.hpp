// Purpose: what TLS connections of one kind share: certificate and key, or whom a client believes.
// Owner: shared by the connections made from it (OpenSSL counts them). Thread: any. Lifetime: the last
// user's. Inner header of base.
#pragma once

#include <memory>
#include <string>

#include "base/http/client.hpp"
#include "base/http/server.hpp"
#include "base/result.hpp"

struct ssl_ctx_st;
struct ssl_st;

namespace starling::net {

enum class TlsEnd { server, client };

using TlsContext = std::shared_ptr<ssl_ctx_st>;

// Errors: invalid_argument.
Result<TlsContext> make_server_tls(const http::TlsIdentity& identity);
// Errors: permission_denied (a pin that is none).
Result<TlsContext> make_client_tls(const http::TlsTrust& trust);

// Sends the name and, unless pins decide, demands a certificate for it.
void expect_host(ssl_st* tls, const std::string& host);

}  // namespace starling::net
