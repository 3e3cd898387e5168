#include "protocol/tuf/key.hpp"

#include <gtest/gtest.h>

#include "protocol/tuf/test_repository.hpp"

namespace starling::protocol::tuf {
namespace {

using test::TestKey;

constexpr const char* p256_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEh3w1mmleutFtl3MfXVfKN1xB5mit\n"
    "ptyYEFxZNLcpiZzmV1XghA8iey71ky8thXnUl1m9PisNwehCY6Y9x/l/BQ==\n"
    "-----END PUBLIC KEY-----\n";
constexpr const char* p256_signature =  // of "a signed message"
    "304502206d185171512f63cfa4adc6cb79ca92f6e780ccc6327826d96352b6aca889c693022100bff4f77b4a9274ca43f5bef9"
    "1ecfaab7971a6fc413dfdbc77a35a1523023e681";

JsonObject key_json(std::string_view type, std::string_view scheme, std::string_view text) {
  return {{"keytype", type}, {"scheme", scheme}, {"keyval", JsonObject{{"public", text}}}};
}
std::string id_of(const JsonObject& json) {
  return sha256(canonical_form(json).value()).hex();
}
Key read(const JsonObject& json) {
  return key_from_json(id_of(json), json);
}

TEST(TufKey, VerifiesByItsScheme) {
  const TestKey own('k');
  EXPECT_EQ(read(own.public_json()).scheme, Scheme::ed25519);
  EXPECT_TRUE(read(own.public_json()).verifies("m", ed25519_sign(own.pair.private_key, "m").value()));
  for (const char* type : {"ecdsa", "ecdsa-sha2-nistp256"}) {
    const Key key = read(key_json(type, "ecdsa-sha2-nistp256", p256_pem));
    EXPECT_EQ(key.scheme, Scheme::ecdsa_p256) << key.problem;
    EXPECT_TRUE(key.verifies("a signed message", hex_decode(p256_signature).value()));
    EXPECT_FALSE(key.verifies("another message", hex_decode(p256_signature).value()));
  }
}

TEST(TufKey, KeepsUnknownFieldsInItsId) {
  JsonObject json = TestKey('k').public_json();
  json["x-owner"] = JsonObject{{"name", "somebody"}};
  EXPECT_EQ(read(json).scheme, Scheme::ed25519);
  EXPECT_EQ(key_from_json(TestKey('k').id, json).scheme, Scheme::unusable);
}

TEST(TufKey, SaysWhyItIsUnusable) {
  const std::string public_half = hex_encode(TestKey('k').pair.public_key);
  const std::pair<JsonObject, const char*> cases[] = {
      {key_json("ed25519", "ed25519", public_half.substr(2)), "64 hexadecimal digits"},
      {key_json("ed25519", "ed25519", "zz" + public_half.substr(2)), "hexadecimal"},
      {key_json("ed25519", "ed448", public_half), "not known"},
      {key_json("ecdsa", "ecdsa-sha2-nistp384", p256_pem), "not known"},
      {key_json("ecdsa", "ecdsa-sha2-nistp256", "04cbc5"), "PEM"},
      {key_json("rsa", "rsassa-pss-sha256", p256_pem), "not an RSA key"},
      {key_json("rsa", "rsa-pkcs1v15-sha256", p256_pem), "not known"},
      {JsonObject{{"keytype", "ed25519"}, {"scheme", 1}}, "must be a string"},
      {JsonObject{{"keytype", "ed25519"}, {"scheme", "ed25519"}, {"keyval", 1.5}}, "whole numbers"},
  };
  for (const auto& [json, why] : cases) {
    const Result<std::string> form = canonical_form(json);
    const Key key = key_from_json(form ? sha256(*form).hex() : std::string(64, '0'), json);
    EXPECT_EQ(key.scheme, Scheme::unusable) << why;
    EXPECT_NE(key.problem.find(why), std::string::npos) << key.problem;
    EXPECT_FALSE(key.verifies("m", "s"));
  }
}

struct Count {
  const char* name;
  test::TestKeys named, known, signed_by;
  int threshold;
  bool enough;
};

TEST(TufSignatures, CountDifferentKeysOfTheRole) {
  const TestKey a('a'), b('b'), c('c');
  const Count cases[] = {
      {"one of one", {a}, {a}, {a}, 1, true},
      {"two of three", {a, b, c}, {a, b, c}, {c, a}, 2, true},
      {"none", {a}, {a}, {}, 1, false},
      {"too few", {a, b, c}, {a, b, c}, {a}, 2, false},
      {"one key twice", {a, b}, {a, b}, {a, a}, 2, false},
      {"a key of another role", {a}, {a, b}, {b}, 1, false},
      {"an id without a key", {a, b}, {a}, {b}, 1, false},
      {"more are needed than there are", {a}, {a}, {a}, 2, false},
  };
  for (const Count& one : cases) {
    Keys keys;
    for (const TestKey& key : one.known)
      keys.emplace(key.id, read(key.public_json()));
    Signers signers{.key_ids = {}, .threshold = one.threshold};
    for (const TestKey& key : one.named)
      signers.key_ids.push_back(key.id);
    std::vector<Signature> signatures;
    for (const TestKey& key : one.signed_by)
      signatures.push_back({key.id, ed25519_sign(key.pair.private_key, "message").value()});
    const auto checked = check_signatures("it", "message", signatures, keys, signers);
    EXPECT_EQ(checked.has_value(), one.enough) << one.name;
    if (!checked) {
      EXPECT_EQ(checked.error().code, ErrorCode::unauthenticated) << one.name;
    }
    if (one.enough) {
      EXPECT_FALSE(check_signatures("it", "messagf", signatures, keys, signers)) << one.name;
    }
  }
}

TEST(TufSignatures, OneKeyUnderTwoIdsCountsOnce) {
  const TestKey a('a');
  JsonObject again = a.public_json();
  again["x-name"] = "the same key in disguise";
  Keys keys;
  keys.emplace(a.id, read(a.public_json()));
  keys.emplace(id_of(again), read(again));
  const std::string bytes = ed25519_sign(a.pair.private_key, "message").value();
  const std::vector<Signature> signatures = {{a.id, bytes}, {id_of(again), bytes}};
  Signers signers{.key_ids = {a.id, id_of(again)}, .threshold = 2};
  EXPECT_FALSE(check_signatures("it", "message", signatures, keys, signers));
  signers.threshold = 1;
  EXPECT_TRUE(check_signatures("it", "message", signatures, keys, signers));
}

TEST(TufSignatures, ErrorsSayWhatIsWrong) {
  const TestKey a('a');
  Keys keys;
  keys.emplace(a.id, read(a.public_json()));
  keys.emplace("f00", Key{.scheme = Scheme::unusable, .bytes = {}, .problem = "its PEM is torn"});
  const Signers signers{.key_ids = {a.id, "f00"}, .threshold = 2};
  const auto checked = check_signatures("root.json", "message", {{a.id, "x"}, {"f00", ""}}, keys, signers);
  EXPECT_EQ(checked.error().message, "root.json has 0 of the 2 signatures that it needs; that of key " +
                                         a.id.substr(0, 12) +
                                         "... does not count: it does not match; that of key f00 does not "
                                         "count: its PEM is torn");
}

}  // namespace
}  // namespace starling::protocol::tuf
