#include "base/crypto.hpp"

#include <gtest/gtest.h>

namespace starling {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

// Made with the openssl command; the message is "a signed message".
constexpr const char* p256_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEh3w1mmleutFtl3MfXVfKN1xB5mit\n"
    "ptyYEFxZNLcpiZzmV1XghA8iey71ky8thXnUl1m9PisNwehCY6Y9x/l/BQ==\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* p256_compressed_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADh3w1mmleutFtl3MfXVfKN1xB5mit\n"
    "ptyYEFxZNLcpiZw=\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* p256_signature =
    "30450220076e15e9910ec3d8136333353472e07048e8130624afa46115f4dcbae0fe8367022100da3ec6021da77443c4"
    "2348870128ce0cc8653f5fd675ddb61083c94e9ec0217a";
constexpr const char* p384_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEXUXRQ+e7GS0CxcdsRbcBsmcVy0HLVT+3\n"
    "/WI9BRzuKtVINBjH7DQ+sgDynNVVSY/+/KnpipG18vcohXpLniwkrYVfwtQacD+v\n"
    "uJsOuW/mkpNoEQ5HXCN6dNfk5p9B9I+a\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* rsa_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArXMfKxahhdSQ25t6NUyz\n"
    "AmFFjsxVsyLGhBb+TaNg0yo5iLbL2H8lHvH6IdrRTh0I26meCyvqrEdvZU00hHO0\n"
    "yHopOfroTHyLnKc983LSdhKtQC+/71tKoTKvg7w4dqqsZoKdFUsETLYRZ7Vcsace\n"
    "s2t+k6dBtOqwv1QecQYmCRHx8NNEzC1BgcYekg1fTcO5VK4HZELtMUTpTNA97Rwn\n"
    "4jarVbEXC8KuE4ouzoJarHPCaxnfqziKFWdbPNVmwhg6d3mYQaEFaYn7bLO05e/C\n"
    "AIG1EUGQQCMv/jzTpc2r3E2Dg3fF1aO5xZPSUeypSecj4jYnH+v2niDLuAx1P4qy\n"
    "FwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* rsa_pss_signature =
    "3c7816403508615e0cfb8cb6590dc00819f08a39c3350e95aed3ec0b1c917d26eb4e1551973dcc2fed9d60e67ba0a173"
    "48112d8d925e64b08de5cc0c215ad660dad0dedb946a2ee3a79b606249e89c1a5b49dc387173774ab81fc74477621df8"
    "6dc7371ddcae943c007f4a4d6378e0b7ee78fa17bbd2a5c226deb42e74720954f3f88353ce888f78eb1c4a6c8e052b41"
    "bd082e9c11895fe463c6f3f5deb6e5590e0f88e0d43358ec66603e3fbcc3bd9d1b9de768087a54f8e7c82a4c7c541395"
    "f9673bcbb28bf6a99bf9ada9d79e2d23077a5c6f63e9a598661f720ebad8b082abb6cebebd286e444bdd02fa3ac0042b"
    "23c4584fdfcdad40b99eb787d71850fb";
constexpr const char* rsa_pss_longest_salt_signature =
    "2cf2f860102a90875b4c69225fd47c0e199b6f038e5e2ea5bcfcaa30b8ca4adba6b0b2c8c1f3332aa3263f2e3859b8ae"
    "04719cfe7b902b1e0ce137d02440b1c98fb738c0751f3377a94210a71fcb31b43940569768474132cdb8a0318b931649"
    "26d22db92066de985709237064b6b92d35e919428a4a78ceef718c546736fcb1fe2737f57b59fc2dbf6aa0fb732f1ef2"
    "4f69e5c173843d4ae7c6bcb7fabc21859ef8a3a41f31ff4e0a4d19aa0b13529bc484cfaf46db8113e006e12201d368ae"
    "7f4c0c5e959616b9b5bb1e5113492250d6888fd17c19c88cf36d1d45d6275a7338dea072600e49f49d885d33057729ce"
    "576245881a3a65fe5f44ea613cf086a2";
constexpr const char* rsa_pkcs1_signature =
    "193a8304d5aad5c446c200b28dd51dda27cb8f6bdbdfff442024cdb13e7827daa8d5217f7a88e1ddddc2c8bc266b9665"
    "c86a1bd43db17c65aa8f475ff63f88b6179bca97387088ee278b88da59c008975d576891dffa7eea354a55530b48ca93"
    "52393a986ce21072e07c1163a82018f627a9e28efd56f5e7ecf2fb119d7afd48083d1cec62876a85b1f5468aec27f1e9"
    "5eecc9db553c0c201c998ea8355d9b10176ee1cbb383d58c1fc45088c9c8b7375ad302471bb8d914adacea0cd6f62e0b"
    "ad01d8065b5fc58fbef1a4b1397f14da62de421d5dcf1dab773b5a13e857d48883cf441927f74e338369864e5b09b366"
    "eaf2e4f591a89a747836b0f2260d674a";
constexpr const char* rsa_1024_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDhSHK3RhcEcdeb7RLE+4izZcom\n"
    "Deief4dkQ1N4Og89JAVcn5KCq5+81azuPPUpZ8rrcBM5fqp13GSLPL0sRpjiLhCr\n"
    "dRI7uQhH60PYtcBTDnSj0OAFvS6F8qRHwfQneOLXDEYL6qEar9jrmhFZW1kVSWCk\n"
    "ngvBCCVwqrZmTUYRPQIDAQAB\n"
    "-----END PUBLIC KEY-----\n";

TEST(Sha256, MatchesThePublishedValues) {
  EXPECT_EQ(sha256("").hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(std::string(1'000'000, 'a')).hex(),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Digest, ReadsAndPrintsHex) {
  const std::string hex = sha256("abc").hex();
  EXPECT_EQ(Digest::from_hex(hex).value(), sha256("abc"));
  EXPECT_EQ(Digest::from_hex("").value(), Digest{});
  EXPECT_EQ(Digest{}.hex(), "");
  EXPECT_FALSE(Digest{});
  for (const std::string& bad : {hex.substr(1), hex + "0", "g" + hex.substr(1)}) {
    EXPECT_EQ(Digest::from_hex(bad).error().code, ErrorCode::invalid_argument) << bad;
  }
}

TEST(Base64Url, FollowsRfc4648) {
  const std::pair<std::string, std::string> cases[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(base64url_encode(bytes), text);
    EXPECT_EQ(base64url_decode(text).value(), bytes);
  }
  for (const char* bad : {"Z", "Zm9vY", "Zg==", "Zm9+", "Zm9/", "Zh", "Zm 9"}) {
    EXPECT_EQ(base64url_decode(bad).error().code, ErrorCode::invalid_argument) << bad;
  }
}

TEST(Random, TokensDiffer) {
  EXPECT_EQ(random_bytes(5).size(), 5u);
  EXPECT_EQ(random_bytes(0).size(), 0u);
  EXPECT_EQ(random_token(32).size(), 43u);
  EXPECT_NE(random_token(), random_token());
}

TEST(ConstantTime, ComparesLikeEquality) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("key", "key"));
  EXPECT_FALSE(equal_in_constant_time("key", "kez"));
  EXPECT_FALSE(equal_in_constant_time("key", "keys"));
}

TEST(Ed25519, MatchesRfc8032Test2) {
  const std::string secret = from_hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  const Ed25519KeyPair pair = ed25519_key_pair_from(secret).value();
  EXPECT_EQ(pair.public_key, from_hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"));
  const std::string signature = ed25519_sign(secret, "\x72").value();
  EXPECT_EQ(signature, from_hex("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"));
}

TEST(Ed25519, RefusesWhatWasNotSigned) {
  const Ed25519KeyPair pair = make_ed25519_key_pair();
  const Ed25519KeyPair other = make_ed25519_key_pair();
  const std::string signature = ed25519_sign(pair.private_key, "message").value();
  EXPECT_TRUE(ed25519_verify(pair.public_key, "message", signature));
  EXPECT_FALSE(ed25519_verify(pair.public_key, "Message", signature));
  EXPECT_FALSE(ed25519_verify(other.public_key, "message", signature));
  EXPECT_FALSE(ed25519_verify(pair.public_key, "message", signature.substr(1)));
  EXPECT_FALSE(ed25519_verify("short", "message", signature));
  EXPECT_EQ(ed25519_sign("short", "message").error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(ed25519_key_pair_from("").error().code, ErrorCode::invalid_argument);
}

TEST(Hasher, GivesTheSameInParts) {
  Hasher sha256_hasher(HashAlgorithm::sha256);
  Hasher sha512_hasher(HashAlgorithm::sha512);
  for (const char* part : {"a", "", "bc"}) {
    sha256_hasher.update(part);
    sha512_hasher.update(part);
  }
  EXPECT_EQ(sha256_hasher.finish(), sha256("abc").hex());
  EXPECT_EQ(sha512_hasher.finish(),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Hex, DecodesEitherCaseAndEncodesLower) {
  EXPECT_EQ(hex_decode("00fFaB").value(), std::string("\0\xff\xab", 3));
  EXPECT_EQ(hex_encode(std::string_view("\0\xff\xab", 3)), "00ffab");
  EXPECT_EQ(hex_decode("").value(), "");
  for (const char* bad : {"0", "0g", " 0", "0x00"}) {
    EXPECT_EQ(hex_decode(bad).error().code, ErrorCode::invalid_argument) << bad;
  }
}

TEST(PemKeys, AreOneTextForOneKey) {
  const std::string key = public_key_from_pem(PemKeyType::ecdsa_p256, p256_pem).value();
  EXPECT_EQ(public_key_from_pem(PemKeyType::ecdsa_p256, p256_compressed_pem).value(), key);
  EXPECT_EQ(public_key_from_pem(PemKeyType::ecdsa_p256, std::string("note\n") + p256_pem + "\n").value(),
            key);
  EXPECT_NE(public_key_from_pem(PemKeyType::rsa, rsa_pem).value(), key);
}

TEST(PemKeys, OfAnotherKindOrTooWeakAreRefused) {
  const std::pair<PemKeyType, std::string> cases[] = {
      {PemKeyType::ecdsa_p256, ""},
      {PemKeyType::ecdsa_p256, "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"},
      {PemKeyType::ecdsa_p256, p384_pem},
      {PemKeyType::ecdsa_p256, rsa_pem},
      {PemKeyType::rsa, p256_pem},
      {PemKeyType::rsa, rsa_1024_pem},
      {PemKeyType::rsa,
       "-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
       "00112233445566778899AABBCCDDEEFF\n\nMFkw\n-----END PUBLIC KEY-----\n"},
  };
  for (const auto& [type, pem] : cases) {
    const auto key = public_key_from_pem(type, pem);
    ASSERT_FALSE(key) << pem;
    EXPECT_EQ(key.error().code, ErrorCode::invalid_argument) << pem;
  }
}

TEST(EcdsaP256, VerifiesWhatOthersSigned) {
  const std::string key = public_key_from_pem(PemKeyType::ecdsa_p256, p256_pem).value();
  const std::string signature = from_hex(p256_signature);
  EXPECT_TRUE(ecdsa_p256_verify(key, "a signed message", signature));
  EXPECT_FALSE(ecdsa_p256_verify(key, "a signed messagf", signature));
  EXPECT_FALSE(ecdsa_p256_verify(key, "a signed message", signature + '\0'));
  EXPECT_FALSE(ecdsa_p256_verify(key, "a signed message", ""));
  EXPECT_FALSE(ecdsa_p256_verify("", "a signed message", signature));
  const std::string rsa = public_key_from_pem(PemKeyType::rsa, rsa_pem).value();
  EXPECT_FALSE(ecdsa_p256_verify(rsa, "a signed message", from_hex(rsa_pkcs1_signature)));
}

TEST(RsaPss, VerifiesWhatOthersSigned) {
  const std::string key = public_key_from_pem(PemKeyType::rsa, rsa_pem).value();
  EXPECT_TRUE(rsa_pss_sha256_verify(key, "a signed message", from_hex(rsa_pss_signature)));
  EXPECT_TRUE(rsa_pss_sha256_verify(key, "a signed message", from_hex(rsa_pss_longest_salt_signature)));
  EXPECT_FALSE(rsa_pss_sha256_verify(key, "a signed messagf", from_hex(rsa_pss_signature)));
  EXPECT_FALSE(rsa_pss_sha256_verify(key, "a signed message", from_hex(rsa_pkcs1_signature)));
  EXPECT_FALSE(rsa_pss_sha256_verify(key, "a signed message", ""));
  const std::string p256 = public_key_from_pem(PemKeyType::ecdsa_p256, p256_pem).value();
  EXPECT_FALSE(rsa_pss_sha256_verify(p256, "a signed message", from_hex(p256_signature)));
}

}  // namespace
}  // namespace starling
