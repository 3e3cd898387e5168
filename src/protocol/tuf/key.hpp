// Purpose: the public keys that TUF metadata names, and what a role demands of them.
// Owner: values. Thread: any. Lifetime: none.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::protocol::tuf {

enum class Scheme { unusable, ed25519, ecdsa_p256, rsa_pss };

// A key that cannot be used (of an unknown scheme, damaged, or under an id that is not its hash) is kept with
// the reason: it verifies nothing, but does not make the metadata unreadable that names it.
struct Key {
  Scheme scheme = Scheme::unusable;
  std::string bytes;    // one text for each key; see base/crypto.hpp
  std::string problem;  // why it is unusable

  bool operator==(const Key&) const = default;
  bool verifies(std::string_view message, std::string_view signature) const;
};
using Keys = std::map<std::string, Key, std::less<>>;  // by key id

Key key_from_json(std::string_view id, const JsonObject& json);

// Whose signatures a role needs. An id may name no key: then it helps nobody.
struct Signers {
  std::vector<std::string> key_ids;  // each once
  std::int64_t threshold = 1;
};

struct Signature {
  std::string key_id;
  std::string bytes;  // "" if what was written is no signature
};

// At least `threshold` different keys have signed; the same key under two ids counts once. Errors:
// unauthenticated, saying how many signed, how many are needed and what is wrong with the others.
Result<void> check_signatures(std::string_view what, std::string_view message,
                              const std::vector<Signature>& signatures, const Keys& keys,
                              const Signers& signers);

}  // namespace starling::protocol::tuf
