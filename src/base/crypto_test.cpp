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

}  // namespace
}  // namespace starling
