// Purpose: in which forms a hub offers a release's tar (GET /tuf/encodings/...). Nothing of it is signed:
// what is decoded has the signed length and hash, or is not used. Owner: values. Thread: any. Lifetime: none.
//
//   {"encodings": [{"encoding": "delta", "length": 67252, "sha256": "..."}], "making": true}
//
// `encoding`: `packed` (the whole, as a delta from nothing) or `delta` (from the release that was named);
// others are a newer hub's. `length`, `sha256`: of the file as it is sent. `making`: something better is
// being made, ask again soon.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/crypto.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

namespace starling::protocol {

// The best first. A plain tar is a target of the repository, and is not offered here.
enum class Encoding { delta, packed, plain };
std::string_view to_string(Encoding encoding);
// Errors: invalid_argument.
Result<Encoding> parse_encoding(std::string_view word);

struct EncodingOffer {
  Encoding encoding = Encoding::plain;
  std::uint64_t length = 0;
  Digest hash;
  bool operator==(const EncodingOffer&) const = default;
};

struct EncodingOffers {
  std::vector<EncodingOffer> ready;
  bool making = false;
  bool operator==(const EncodingOffers&) const = default;
};

inline constexpr std::size_t max_encoding_offers_bytes = 16u << 10;
JsonObject to_json(const EncodingOffers& offers);
// Errors: invalid_argument, too_large.
Result<EncodingOffers> parse_encoding_offers(std::string_view text);

}  // namespace starling::protocol
