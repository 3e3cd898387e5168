#include "hub/tls_policy.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "base/files.hpp"
#include "base/tls.hpp"

namespace starling::hub {

namespace {

constexpr std::size_t max_pem_bytes = 256 * 1024;

std::string own_host_name(const std::string& listen_host) {
  if (listen_host != "0.0.0.0" && listen_host != "::" && !listen_host.empty()) return listen_host;
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? std::string(name.data())
                                                          : std::string("starling-hub");
}

Result<http::TlsIdentity> read_identity(const std::filesystem::path& certificate,
                                        const std::filesystem::path& private_key) {
  auto certificate_pem = read_file(certificate, max_pem_bytes);
  if (!certificate_pem) return fail(certificate_pem);
  auto private_key_pem = read_file(private_key, max_pem_bytes);
  if (!private_key_pem) return fail(private_key_pem);
  return http::TlsIdentity{std::move(*certificate_pem), std::move(*private_key_pem)};
}

// The certificate is written last: it is what says that the folder is complete.
Result<void> make_own_identity(const std::filesystem::path& folder, const std::string& host) {
  if (auto made = make_folders(folder, 0700); !made) return made;
  const http::TlsIdentity identity = make_self_signed_identity(own_host_name(host));
  if (auto written = write_file_durably(folder / "backup-key.pem", make_private_key_pem(), 0600); !written) {
    return written;
  }
  if (auto written = write_file_durably(folder / "key.pem", identity.private_key_pem, 0600); !written) {
    return written;
  }
  return write_file_durably(folder / "certificate.pem", identity.certificate_pem, 0644);
}

Result<ServerTls> with_pin(http::TlsIdentity identity) {
  auto pin = pin_of_certificate(identity.certificate_pem);
  if (!pin) return fail(pin);
  return ServerTls{std::move(identity), std::move(*pin), {}};
}

Result<ServerTls> own_tls(const std::filesystem::path& folder, const std::string& host) {
  if (!std::filesystem::exists(folder / "certificate.pem")) {
    if (auto made = make_own_identity(folder, host); !made) return fail(made);
  }
  auto identity = read_identity(folder / "certificate.pem", folder / "key.pem");
  if (!identity) return fail(identity);
  auto tls = with_pin(std::move(*identity));
  if (!tls) return tls;
  const auto backup = read_file(folder / "backup-key.pem", max_pem_bytes);
  if (!backup) return fail(backup);
  auto backup_pin = pin_of_private_key(*backup);
  if (!backup_pin) return fail(backup_pin, (folder / "backup-key.pem").string());
  tls->backup_pin = std::move(*backup_pin);
  return tls;
}

}  // namespace

bool is_loopback_host(const std::string& host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

Result<ServerTls> prepare_tls(const TlsPolicy& policy, const std::filesystem::path& data,
                              const std::string& host) {
  if (policy.certificate.empty() != policy.private_key.empty()) {
    return fail(ErrorCode::invalid_argument, "--tls-cert and --tls-key go together; one of them is missing");
  }
  if (!policy.certificate.empty()) {
    auto identity = read_identity(policy.certificate, policy.private_key);
    if (!identity) return fail(identity);
    return with_pin(std::move(*identity));
  }
  if (policy.mode == TlsPolicy::Mode::off) {
    if (is_loopback_host(host) || policy.insecure_listen) return ServerTls{};
    return fail(ErrorCode::failed_precondition,
                fmt::format("--tls off on {} would send keys and settings in clear; leave it out, or add "
                            "--insecure-listen if something in front of the hub does TLS",
                            host));
  }
  if (is_loopback_host(host) || policy.insecure_listen) return ServerTls{};
  return own_tls(data / "tls", host);
}

}  // namespace starling::hub
