#include "base/net/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <stdexcept>
#include <vector>

#include "base/freed_by.hpp"
#include "base/net/certificate.hpp"

namespace starling::net {
namespace {

using Pins = std::vector<std::string>;

using Bio = std::unique_ptr<BIO, FreedBy<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;

Bio reader_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason != nullptr ? reason : "unknown error";
}

TlsContext make_context(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method), SSL_CTX_free);
  if (!context) throw std::bad_alloc();
  SSL_CTX* raw = context.get();
  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(raw, "ECDHE+AESGCM:ECDHE+CHACHA20");
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(raw, 0);
  // An idle connection gives its record buffers back: most device connections are idle.
  SSL_CTX_set_mode(
      raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(raw, 1);  // one system call for each record instead of two
  return context;
}

void free_pins(void*, void* pins, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Pins*>(pins);
}

int pins_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, free_pins);
  return index;
}

const Pins* pins_of(SSL_CTX* context) {
  return static_cast<const Pins*>(SSL_CTX_get_ex_data(context, pins_index()));
}

// Replaces the verification of the chain: only the key of the certificate itself counts, because anybody can
// put a foreign certificate behind an own one.
int verify_pin(X509_STORE_CTX* store, void* pins_pointer) {
  const auto& pins = *static_cast<const Pins*>(pins_pointer);
  X509* const certificate = X509_STORE_CTX_get0_cert(store);
  if (certificate != nullptr && std::ranges::find(pins, pin_of(certificate)) != pins.end()) return 1;
  X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
  return 0;
}

}  // namespace

Result<TlsContext> make_server_tls(const http::TlsIdentity& identity) {
  TlsContext context = make_context(TLS_server_method());
  const auto bad = [](std::string_view what) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("the {} cannot be used: {}", what, openssl_reason()));
  };
  const Bio certificates = reader_of(identity.certificate_pem);
  const Certificate leaf(PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr));
  if (!leaf || SSL_CTX_use_certificate(context.get(), leaf.get()) != 1) return bad("TLS certificate");
  while (X509* issuer = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add0_chain_cert(context.get(), issuer) != 1) {
      X509_free(issuer);
      return bad("TLS certificate's chain");
    }
  }
  ERR_clear_error();  // reading past the last certificate leaves one
  const Bio key_text = reader_of(identity.private_key_pem);
  const PrivateKey key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr));
  if (!key || SSL_CTX_use_PrivateKey(context.get(), key.get()) != 1) return bad("TLS private key");
  if (SSL_CTX_check_private_key(context.get()) != 1) return bad("TLS private key with this certificate");
  return context;
}

Result<TlsContext> make_client_tls(const http::TlsTrust& trust) {
  TlsContext context = make_context(TLS_client_method());
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  if (trust.pins.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
    return context;
  }
  for (const std::string& pin : trust.pins) {
    if (pin.size() != 7 + 44 || !pin.starts_with("sha256/")) {
      return fail(ErrorCode::permission_denied,
                  fmt::format("'{}' is not a pin: it must be sha256/ and 44 base64 characters", pin));
    }
  }
  auto pins = std::make_unique<Pins>(trust.pins);
  SSL_CTX_set_cert_verify_callback(context.get(), verify_pin, pins.get());
  if (SSL_CTX_set_ex_data(context.get(), pins_index(), pins.get()) != 1) throw std::bad_alloc();
  pins.release();  // the context frees it
  return context;
}

void expect_host(ssl_st* tls, const std::string& host) {
  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(host, not_an_address);
  if (not_an_address) SSL_set_tlsext_host_name(tls, host.c_str());
  if (pins_of(SSL_get_SSL_CTX(tls)) != nullptr) return;
  if (not_an_address) {
    SSL_set_hostflags(tls, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(tls, host.c_str());
  } else {
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls), host.c_str());
  }
}

}  // namespace starling::net
