#include "hub/tls_policy.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>

#include "base/exit_status.hpp"
#include "base/files.hpp"
#include "base/net/loopback.hpp"
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

Result<std::string> key_in(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) {
    if (auto written = write_file_durably(file, make_private_key_pem(), 0600); !written) return fail(written);
  }
  return read_file(file, max_pem_bytes);
}

Result<ServerTls> with_pin(http::TlsIdentity identity) {
  auto pin = pin_of_certificate(identity.certificate_pem);
  if (!pin) return fail(pin);
  return ServerTls{std::move(identity), std::move(*pin), {}};
}

// What is missing is made; keys that are there are never replaced, since devices know their pins.
Result<ServerTls> own_tls(const std::filesystem::path& folder, const std::string& host) {
  if (auto made = make_folders(folder, 0700); !made) return fail(made);
  const auto key = key_in(folder / "key.pem");
  if (!key) return fail(key);
  const auto backup = key_in(folder / "backup-key.pem");
  if (!backup) return fail(backup);
  const auto certificate = folder / "certificate.pem";
  if (!std::filesystem::exists(certificate)) {
    const auto made = self_signed_identity_of(*key, own_host_name(host));
    if (!made) return fail(made, (folder / "key.pem").string());
    if (auto written = write_file_durably(certificate, made->certificate_pem, 0644); !written)
      return fail(written);
  }
  auto identity = read_identity(certificate, folder / "key.pem");
  if (!identity) return fail(identity);
  auto tls = with_pin(std::move(*identity));
  if (!tls) return tls;
  auto backup_pin = pin_of_private_key(*backup);
  if (!backup_pin) return fail(backup_pin, (folder / "backup-key.pem").string());
  tls->backup_pin = std::move(*backup_pin);
  return tls;
}

}  // namespace

Result<ServerTls> prepare_tls(const TlsPolicy& policy, const std::filesystem::path& data,
                              const std::string& host) {
  if (policy.certificate.empty() != policy.private_key.empty()) {
    return fail(ErrorCode::invalid_argument, "--tls-cert and --tls-key go together; one of them is missing");
  }
  if (!policy.certificate.empty()) {
    auto identity = read_identity(policy.certificate, policy.private_key);
    if (!identity) return std::unexpected(wrongly_given(identity.error()).within("--tls-cert, --tls-key"));
    return with_pin(std::move(*identity));
  }
  if (policy.mode == TlsPolicy::Mode::off) {
    if (net::is_loopback(host) || policy.insecure_listen) return ServerTls{};
    return fail(ErrorCode::invalid_argument,
                fmt::format("--tls off on {} would send keys and settings in clear; leave it out, or add "
                            "--insecure-listen if something in front of the hub does TLS",
                            host));
  }
  if (net::is_loopback(host) || policy.insecure_listen) return ServerTls{};
  return own_tls(data / "tls", host);
}

// The certificate goes first: without it, the next start makes one for whichever key it finds.
Result<std::string> use_backup_key(const std::filesystem::path& data) {
  const auto folder = data / "tls";
  const auto backup = read_file(folder / "backup-key.pem", max_pem_bytes);
  if (!backup) {
    return fail(backup, "there is no backup key, or it is in use already and the hub was not started since");
  }
  auto pin = pin_of_private_key(*backup);
  if (!pin) return fail(pin, (folder / "backup-key.pem").string());
  std::error_code error;
  std::filesystem::remove(folder / "certificate.pem", error);
  if (!error) std::filesystem::rename(folder / "backup-key.pem", folder / "key.pem", error);
  if (error) return fail(ErrorCode::io, fmt::format("{}: {}", folder.string(), error.message()));
  if (auto synced = fsync_folder(folder); !synced) return fail(synced);
  return pin;
}

}  // namespace starling::hub
