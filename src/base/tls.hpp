// Purpose: the hub's own certificate and the pins by which agents know it.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <string>

#include "base/http/server.hpp"
#include "base/result.hpp"

namespace starling {

// A self-signed ECDSA P-256 certificate for `host`, valid for ten years. Blocking, a few milliseconds.
http::TlsIdentity make_self_signed_identity(const std::string& host);
// The same for a key that is there already. Errors: invalid_argument (no private key in PEM).
Result<http::TlsIdentity> self_signed_identity_of(const std::string& private_key_pem,
                                                  const std::string& host);
// An ECDSA P-256 private key in PEM, whose pin can be handed out before it is ever used (the backup pin).
std::string make_private_key_pem();

// "sha256/<base64>" of the SubjectPublicKeyInfo (RFC 7469 section 2.4). Errors: invalid_argument.
Result<std::string> pin_of_certificate(const std::string& certificate_pem);
Result<std::string> pin_of_private_key(const std::string& private_key_pem);

}  // namespace starling
