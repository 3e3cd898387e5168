// Purpose: the few cryptographic operations that Starling uses, over OpenSSL 3.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace starling {

// A SHA-256 digest (FIPS 180-4). All zero means "none".
struct Digest {
  std::array<std::uint8_t, 32> bytes{};

  auto operator<=>(const Digest&) const = default;
  explicit operator bool() const { return *this != Digest{}; }
  std::string hex() const;                               // 64 lower-case digits; "" for none
  static Result<Digest> from_hex(std::string_view hex);  // "" gives none; invalid_argument otherwise
};

Digest sha256(std::string_view bytes);

// SHA-2 of what comes in parts.
enum class HashAlgorithm { sha256, sha512 };
class Hasher {
 public:
  explicit Hasher(HashAlgorithm algorithm);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();
  void update(std::string_view bytes);
  std::string finish();  // lower-case hexadecimal digits; nothing may follow

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string hex_encode(std::string_view bytes);         // lower case
Result<std::string> hex_decode(std::string_view text);  // either case; invalid_argument

std::string random_bytes(std::size_t count);
// `count` random bytes in base64url without padding.
std::string random_token(std::size_t count = 32);

std::string base64url_encode(std::string_view bytes);         // RFC 4648 section 5, no padding
Result<std::string> base64url_decode(std::string_view text);  // invalid_argument
std::string base64_encode(std::string_view bytes);            // RFC 4648 section 4, padded
bool equal_in_constant_time(std::string_view a, std::string_view b);

// Ed25519 (RFC 8032). Keys and signatures are raw bytes: 32, 32 and 64 of them.
struct Ed25519KeyPair {
  std::string private_key;
  std::string public_key;
};
Ed25519KeyPair make_ed25519_key_pair();
// The pair whose private key is given. Errors: invalid_argument.
Result<Ed25519KeyPair> ed25519_key_pair_from(std::string_view private_key);
Result<std::string> ed25519_sign(std::string_view private_key, std::string_view message);
bool ed25519_verify(std::string_view public_key, std::string_view message, std::string_view signature);

// Public keys that come as PEM, for verifying. The result is a SubjectPublicKeyInfo in DER, one text for each
// key, however the PEM was written: ECDSA on P-256, or RSA of 2048 to 8192 bits. Errors: invalid_argument.
enum class PemKeyType { ecdsa_p256, rsa };
Result<std::string> public_key_from_pem(PemKeyType type, std::string_view pem);
// With SHA-256; the key as public_key_from_pem() gives it, the signature as DER (RFC 3279 section 2.2.3).
bool ecdsa_p256_verify(std::string_view public_key, std::string_view message, std::string_view signature);
// RSASSA-PSS (RFC 8017 section 8.1) with SHA-256 and MGF1 with SHA-256; a salt of any length.
bool rsa_pss_sha256_verify(std::string_view public_key, std::string_view message, std::string_view signature);

}  // namespace starling

template <>
struct std::hash<starling::Digest> {
  std::size_t operator()(const starling::Digest& digest) const noexcept {
    std::size_t value = 0;
    static_assert(sizeof(value) <= sizeof(digest.bytes));
    __builtin_memcpy(&value, digest.bytes.data(), sizeof(value));
    return value;
  }
};
