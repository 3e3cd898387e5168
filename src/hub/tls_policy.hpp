// Purpose: decides whether a listening address is served with TLS, and with which certificate.
// Owner: Server. Thread: any; blocking. Lifetime: used once, at start.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/http/server.hpp"

namespace starling::hub {

struct TlsPolicy {
  enum class Mode { automatic, off };
  Mode mode = Mode::automatic;
  std::filesystem::path certificate;  // given by the operator, with its key
  std::filesystem::path private_key;
  bool insecure_listen = false;  // plain also beyond loopback
};

struct ServerTls {
  std::optional<http::TlsIdentity> identity;  // none: plain
  std::string pin;                            // of the identity
  std::string backup_pin;                     // of the key that would replace it; empty for an operator's own
};

// Plain on loopback; elsewhere the operator's certificate, or one of its own that is made at the first start
// under DIR/tls together with a backup key. Errors: failed_precondition (plain wanted beyond loopback without
// insecure_listen), invalid_argument (one of certificate and key is missing or unreadable), io.
Result<ServerTls> prepare_tls(const TlsPolicy& policy, const std::filesystem::path& data,
                              const std::string& host);

// Puts the backup key in the place of the hub's own: the next start makes a certificate for it, and a new
// backup key. Devices that know the backup pin notice nothing. Gives that pin. Errors: not_found (there is
// none, or it was taken already and the hub has not been started since), io.
Result<std::string> use_backup_key(const std::filesystem::path& data);

}  // namespace starling::hub
