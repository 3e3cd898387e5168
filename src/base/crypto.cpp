#include "base/crypto.hpp"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

#include "base/freed_by.hpp"
#include "base/openssl_require.hpp"

namespace starling {
namespace {

using MdContext = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using MemoryBio = std::unique_ptr<BIO, FreedBy<BIO_free_all>>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

Result<std::string> public_half(const Key& key) {
  std::string public_key(32, '\0');
  std::size_t size = public_key.size();
  if (EVP_PKEY_get_raw_public_key(key.get(), bytes_of(public_key), &size) != 1 || size != 32) {
    return fail(ErrorCode::internal, "OpenSSL gave no Ed25519 public key");
  }
  return public_key;
}

Key ed25519_private_key(std::string_view raw) {
  if (raw.size() != 32) return nullptr;
  return Key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bytes_of(raw), raw.size()));
}

// Without it OpenSSL would ask at the terminal for the passphrase of a key that says it is encrypted.
int no_passphrase(char*, int, int, void*) {
  return -1;
}

Key key_from_der(std::string_view der) {
  const unsigned char* at = bytes_of(der);
  Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  return key;
}

bool is_on_p256(const Key& key) {
  char group[32] = {};
  std::size_t size = 0;
  return EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key.get(), group, sizeof(group), &size) == 1 &&
         std::string_view(group) == SN_X9_62_prime256v1;
}

bool verify_with_sha256(const Key& key, std::string_view message, std::string_view signature, bool pss) {
  const MdContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;
  if (!context || EVP_DigestVerifyInit(context.get(), &options, EVP_sha256(), nullptr, key.get()) != 1) {
    return false;
  }
  if (pss && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
              EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_AUTO) != 1)) {
    return false;
  }
  const bool valid = EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message),
                                      message.size()) == 1;
  ERR_clear_error();  // else the next failed read of a TLS stream would be told as this
  return valid;
}

constexpr std::string_view base64url_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::array<std::int8_t, 256> base64url_values = [] {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < base64url_digits.size(); ++i) {
    values[static_cast<unsigned char>(base64url_digits[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}();

}  // namespace

std::string Digest::hex() const {
  if (!*this) return {};
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(64);
  for (const std::uint8_t byte : bytes) {
    text += digits[byte >> 4];
    text += digits[byte & 0x0f];
  }
  return text;
}

Result<Digest> Digest::from_hex(std::string_view hex) {
  Digest digest;
  if (hex.empty()) return digest;
  if (hex.size() != 64) {
    return fail(ErrorCode::invalid_argument,
                fmt::format("a SHA-256 digest has 64 hexadecimal digits, not {}", hex.size()));
  }
  for (std::size_t i = 0; i < 32; ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) {
      return fail(ErrorCode::invalid_argument, "a SHA-256 digest has only hexadecimal digits");
    }
    digest.bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return digest;
}

Digest sha256(std::string_view bytes) {
  // OpenSSL 3 looks an algorithm up by name on each use of EVP_sha256(), which costs more than hashing a
  // short text. The fetched algorithm is shared, the context belongs to the thread.
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const MdContext context(EVP_MD_CTX_new());
  Digest digest;
  require(EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
              EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
              EVP_DigestFinal_ex(context.get(), digest.bytes.data(), nullptr) == 1,
          "compute SHA-256");
  return digest;
}

struct Hasher::Context {
  MdContext digest;
};

Hasher::Hasher(HashAlgorithm algorithm) : context_(new Context{MdContext(EVP_MD_CTX_new())}) {
  const EVP_MD* const md = algorithm == HashAlgorithm::sha512 ? EVP_sha512() : EVP_sha256();
  require(context_->digest && EVP_DigestInit_ex2(context_->digest.get(), md, nullptr) == 1, "begin a hash");
}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::update(std::string_view bytes) {
  require(EVP_DigestUpdate(context_->digest.get(), bytes.data(), bytes.size()) == 1, "hash");
}

std::string Hasher::finish() {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  require(EVP_DigestFinal_ex(context_->digest.get(), bytes_of(digest), &size) == 1, "end a hash");
  digest.resize(size);
  return hex_encode(digest);
}

std::string hex_encode(std::string_view bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const char byte : bytes) {
    text += digits[static_cast<unsigned char>(byte) >> 4];
    text += digits[static_cast<unsigned char>(byte) & 0x0f];
  }
  return text;
}

Result<std::string> hex_decode(std::string_view text) {
  if (text.size() % 2 != 0) return fail(ErrorCode::invalid_argument, "an odd number of hexadecimal digits");
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_value(text[i]);
    const int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) return fail(ErrorCode::invalid_argument, "only hexadecimal digits are taken");
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  require(count == 0 || RAND_bytes(bytes_of(bytes), static_cast<int>(count)) == 1, "get random bytes");
  return bytes;
}

std::string random_token(std::size_t count) {
  return base64url_encode(random_bytes(count));
}

std::string base64url_encode(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t pending = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    pending = (pending << 8) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      text += base64url_digits[(pending >> bits) & 63u];
    }
  }
  if (bits > 0) text += base64url_digits[(pending << (6 - bits)) & 63u];
  return text;
}

Result<std::string> base64url_decode(std::string_view text) {
  if (text.size() % 4 == 1) {
    return fail(ErrorCode::invalid_argument, "base64url text is cut short");
  }
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t pending = 0;
  unsigned bits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int value = base64url_values[static_cast<unsigned char>(text[i])];
    if (value < 0) {
      return fail(ErrorCode::invalid_argument, fmt::format("byte {} is not a base64url digit", i));
    }
    pending = (pending << 6) | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>((pending >> bits) & 0xff);
    }
  }
  if ((pending & ((1u << bits) - 1)) != 0) {  // one text for each value: signatures cover texts
    return fail(ErrorCode::invalid_argument, "base64url text ends in bits that must be zero");
  }
  return bytes;
}

std::string base64_encode(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // OpenSSL ends it with a zero
  const int size = EVP_EncodeBlock(bytes_of(text), bytes_of(bytes), static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(size));
  return text;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Ed25519KeyPair make_ed25519_key_pair() {
  Ed25519KeyPair pair = ed25519_key_pair_from(random_bytes(32)).value();
  return pair;
}

Result<Ed25519KeyPair> ed25519_key_pair_from(std::string_view private_key) {
  const Key key = ed25519_private_key(private_key);
  if (!key) return fail(ErrorCode::invalid_argument, "an Ed25519 private key has 32 bytes");
  Result<std::string> public_key = public_half(key);
  if (!public_key) return fail(public_key);
  return Ed25519KeyPair{std::string(private_key), std::move(*public_key)};
}

Result<std::string> ed25519_sign(std::string_view private_key, std::string_view message) {
  const Key key = ed25519_private_key(private_key);
  if (!key) return fail(ErrorCode::invalid_argument, "an Ed25519 private key has 32 bytes");
  const MdContext context(EVP_MD_CTX_new());
  std::string signature(64, '\0');
  std::size_t size = signature.size();
  require(
      context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
          EVP_DigestSign(context.get(), bytes_of(signature), &size, bytes_of(message), message.size()) == 1,
      "sign");
  return signature;
}

bool ed25519_verify(std::string_view public_key, std::string_view message, std::string_view signature) {
  if (public_key.size() != 32 || signature.size() != 64) return false;
  const Key key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(public_key), public_key.size()));
  const MdContext context(EVP_MD_CTX_new());
  return key && context && EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(), bytes_of(message),
                          message.size()) == 1;
}

Result<std::string> public_key_from_pem(PemKeyType type, std::string_view pem) {
  const MemoryBio bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(std::min<std::size_t>(pem.size(), 16u << 10))));
  const Key key(bio ? PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr) : nullptr);
  ERR_clear_error();
  if (!key) return fail(ErrorCode::invalid_argument, "not a public key in PEM");
  if (type == PemKeyType::rsa) {
    const int bits = EVP_PKEY_get_bits(key.get());
    if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_RSA) {
      return fail(ErrorCode::invalid_argument, "not an RSA key");
    }
    if (bits < 2048 || bits > 8192) {
      return fail(ErrorCode::invalid_argument,
                  fmt::format("an RSA key of {} bits: 2048 to 8192 are taken", bits));
    }
  } else {
    if (!is_on_p256(key)) return fail(ErrorCode::invalid_argument, "not an ECDSA key on P-256");
    // A point can be written in two ways, but one key must not count as two.
    require(EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                           OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_UNCOMPRESSED) == 1,
            "set the form of a point");
  }
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key.get(), &der);
  require(size > 0, "encode a public key");
  std::string encoded(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return encoded;
}

bool ecdsa_p256_verify(std::string_view public_key, std::string_view message, std::string_view signature) {
  const Key key = key_from_der(public_key);
  return key && is_on_p256(key) && verify_with_sha256(key, message, signature, false);
}

bool rsa_pss_sha256_verify(std::string_view public_key, std::string_view message,
                           std::string_view signature) {
  const Key key = key_from_der(public_key);
  return key && EVP_PKEY_get_base_id(key.get()) == EVP_PKEY_RSA &&
         verify_with_sha256(key, message, signature, true);
}

}  // namespace starling
