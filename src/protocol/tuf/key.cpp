#include "protocol/tuf/key.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/crypto.hpp"
#include "protocol/excerpt.hpp"
#include "protocol/field_reader.hpp"
#include "protocol/tuf/canonical_form.hpp"

namespace starling::protocol::tuf {
namespace {

constexpr std::size_t max_key_text = 4096;

Key unusable(std::string problem) {
  return Key{.scheme = Scheme::unusable, .bytes = {}, .problem = std::move(problem)};
}

Key usable(Scheme scheme, Result<std::string> bytes) {
  if (!bytes) return unusable(bytes.error().message);
  return Key{.scheme = scheme, .bytes = std::move(*bytes), .problem = {}};
}

Key ed25519_key(const std::string& text) {
  Key key = usable(Scheme::ed25519, hex_decode(text));
  if (key.scheme == Scheme::ed25519 && key.bytes.size() != 32) {
    return unusable("an Ed25519 key has 64 hexadecimal digits");
  }
  return key;
}

}  // namespace

Key key_from_json(std::string_view id, const JsonObject& json) {
  const Result<std::string> canonical = canonical_form(json);
  if (!canonical) return unusable(canonical.error().message);
  if (sha256(*canonical).hex() != id) return unusable("its id is not the SHA-256 of its canonical form");

  FieldReader reader(json);
  const std::string type = reader.text("keytype", 64);
  const std::string scheme = reader.text("scheme", 64);
  std::string text;
  reader.optional_within("keyval", [&](FieldReader& value) { text = value.text("public", max_key_text); });
  if (const Result<bool> read = reader.finish<bool>(true); !read) return unusable(read.error().message);

  if (type == "ed25519" && scheme == "ed25519") return ed25519_key(text);
  if ((type == "ecdsa" || type == "ecdsa-sha2-nistp256") && scheme == "ecdsa-sha2-nistp256") {
    return usable(Scheme::ecdsa_p256, public_key_from_pem(PemKeyType::ecdsa_p256, text));
  }
  if (type == "rsa" && scheme == "rsassa-pss-sha256") {
    return usable(Scheme::rsa_pss, public_key_from_pem(PemKeyType::rsa, text));
  }
  return unusable(
      fmt::format("keys of type {} with scheme {} are not known", excerpt(type), excerpt(scheme)));
}

bool Key::verifies(std::string_view message, std::string_view signature) const {
  switch (scheme) {
    case Scheme::unusable: return false;
    case Scheme::ed25519: return ed25519_verify(bytes, message, signature);
    case Scheme::ecdsa_p256: return ecdsa_p256_verify(bytes, message, signature);
    case Scheme::rsa_pss: return rsa_pss_sha256_verify(bytes, message, signature);
  }
  return false;
}

Result<void> check_signatures(std::string_view what, std::string_view message,
                              const std::vector<Signature>& signatures, const Keys& keys,
                              const Signers& signers) {
  std::set<std::pair<Scheme, std::string_view>> counted;
  std::string others;
  for (const Signature& signature : signatures) {
    const auto named = std::find(signers.key_ids.begin(), signers.key_ids.end(), signature.key_id);
    const auto key = keys.find(signature.key_id);
    if (named == signers.key_ids.end() || key == keys.end()) continue;
    if (key->second.verifies(message, signature.bytes)) {
      counted.emplace(key->second.scheme, key->second.bytes);
    } else {
      others += fmt::format("; that of key {} does not count: {}", excerpt(signature.key_id, 12),
                            key->second.problem.empty() ? "it does not match" : key->second.problem);
    }
  }
  const auto count = static_cast<std::int64_t>(counted.size());
  if (count >= signers.threshold) return {};
  return fail(ErrorCode::unauthenticated, fmt::format("{} has {} of the {} signatures that it needs{}", what,
                                                      count, signers.threshold, others));
}

}  // namespace starling::protocol::tuf
