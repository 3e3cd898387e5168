#include "base/tls.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <boost/asio/ip/address.hpp>
#include <memory>

#include "base/crypto.hpp"
#include "base/freed_by.hpp"
#include "base/net/certificate.hpp"
#include "base/openssl_require.hpp"

namespace starling {
namespace {

using Bio = std::unique_ptr<BIO, FreedBy<BIO_free>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>>;

PrivateKey make_private_key() {
  PrivateKey key(EVP_EC_gen("P-256"));
  require(key != nullptr, "make a private key");
  return key;
}

std::string text_of(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string pem_of(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
          "print a key");
  return text_of(bio);
}

std::string pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  require(PEM_write_bio_X509(bio.get(), certificate) == 1, "print a certificate");
  return text_of(bio);
}

void add_extension(X509* certificate, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()));
  require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "extend a certificate");
}

// Takes over the encoded SubjectPublicKeyInfo.
std::string pin_of_encoded(unsigned char* encoded, int size) {
  const Digest digest = sha256({reinterpret_cast<const char*>(encoded), static_cast<std::size_t>(size)});
  OPENSSL_free(encoded);
  return "sha256/" + base64_encode({reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()});
}

Bio reader_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// nullptr if the text holds none.
PrivateKey read_private_key(const std::string& pem) {
  const Bio text = reader_of(pem);
  PrivateKey key(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  return key;
}

}  // namespace

http::TlsIdentity make_self_signed_identity(const std::string& host) {
  return self_signed_identity_of(make_private_key_pem(), host).value();
}

Result<http::TlsIdentity> self_signed_identity_of(const std::string& private_key_pem,
                                                  const std::string& host) {
  const PrivateKey key = read_private_key(private_key_pem);
  if (!key) return fail(ErrorCode::invalid_argument, "the text is not a private key in PEM");
  const Certificate certificate(X509_new());
  X509* raw = certificate.get();
  require(raw != nullptr, "make a certificate");
  X509_set_version(raw, X509_VERSION_3);
  std::string serial = random_bytes(16);
  serial[0] = static_cast<char>(serial[0] & 0x7f);
  const std::unique_ptr<BIGNUM, FreedBy<BN_free>> number(BN_bin2bn(
      reinterpret_cast<const unsigned char*>(serial.data()), static_cast<int>(serial.size()), nullptr));
  BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(raw));
  // A day back: a device's clock may be behind.
  X509_gmtime_adj(X509_getm_notBefore(raw), -24 * 3600);
  X509_time_adj_ex(X509_getm_notAfter(raw), 3653, 0, nullptr);
  X509_set_pubkey(raw, key.get());
  X509_NAME* const name = X509_get_subject_name(raw);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>("Starling hub"), -1, -1, 0);
  X509_set_issuer_name(raw, name);

  boost::system::error_code not_an_address;
  boost::asio::ip::make_address(host, not_an_address);
  add_extension(raw, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(raw, NID_key_usage, "critical,digitalSignature");
  add_extension(raw, NID_ext_key_usage, "serverAuth");
  add_extension(raw, NID_subject_alt_name, (not_an_address ? "DNS:" : "IP:") + host);
  require(X509_sign(raw, key.get(), EVP_sha256()) > 0, "sign a certificate");
  return http::TlsIdentity{.certificate_pem = pem_of(raw), .private_key_pem = private_key_pem};
}

std::string make_private_key_pem() {
  return pem_of(make_private_key().get());
}

namespace net {

std::string pin_of(X509* certificate) {
  unsigned char* encoded = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &encoded);
  require(size > 0, "encode a public key");
  return pin_of_encoded(encoded, size);
}

}  // namespace net

Result<std::string> pin_of_certificate(const std::string& certificate_pem) {
  const Bio text = reader_of(certificate_pem);
  const Certificate certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
  ERR_clear_error();
  if (!certificate) return fail(ErrorCode::invalid_argument, "the text is not a certificate in PEM");
  return net::pin_of(certificate.get());
}

Result<std::string> pin_of_private_key(const std::string& private_key_pem) {
  const PrivateKey key = read_private_key(private_key_pem);
  if (!key) return fail(ErrorCode::invalid_argument, "the text is not a private key in PEM");
  unsigned char* encoded = nullptr;
  const int size = i2d_PUBKEY(key.get(), &encoded);
  require(size > 0, "encode a public key");
  return pin_of_encoded(encoded, size);
}

}  // namespace starling
