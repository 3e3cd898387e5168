#include "protocol/release_encodings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace starling::protocol {
namespace {

constexpr std::array<std::pair<Encoding, std::string_view>, 3> words{
    {{Encoding::delta, "delta"}, {Encoding::packed, "packed"}, {Encoding::plain, "plain"}}};
constexpr std::int64_t longest = std::int64_t{1} << 40;

Result<EncodingOffer> offer_from(const JsonReader& reader, Encoding encoding) {
  const auto length = reader.integer("length");
  if (!length) return fail(length);
  const auto hex = reader.string("sha256", 64);
  if (!hex) return fail(hex);
  const auto hash = Digest::from_hex(*hex);
  if (*length <= 0 || *length > longest || !hash || !*hash)
    return fail(ErrorCode::invalid_argument, "an encoding has no length or hash", reader.pointer("sha256"));
  return EncodingOffer{encoding, static_cast<std::uint64_t>(*length), *hash};
}

}  // namespace

std::string_view to_string(Encoding encoding) {
  return std::ranges::find(words, encoding, &decltype(words)::value_type::first)->second;
}

Result<Encoding> parse_encoding(std::string_view word) {
  const auto* const found = std::ranges::find(words, word, &decltype(words)::value_type::second);
  if (found != words.end()) return found->first;
  return fail(ErrorCode::invalid_argument, "an encoding of a release is delta, packed or plain");
}

JsonObject to_json(const EncodingOffers& offers) {
  JsonArray encodings;
  for (const EncodingOffer& offer : offers.ready) {
    encodings.push_back(JsonObject{
        {"encoding", to_string(offer.encoding)}, {"length", offer.length}, {"sha256", offer.hash.hex()}});
  }
  return {{"encodings", std::move(encodings)}, {"making", offers.making}};
}

Result<EncodingOffers> parse_encoding_offers(std::string_view text) {
  const auto json = parse_json(text, {.max_bytes = max_encoding_offers_bytes});
  if (!json) return fail(json);
  if (!json->is_object())
    return fail(ErrorCode::invalid_argument, "what encodings there are is said in an object");
  const JsonReader reader(json->get_object());
  const auto making = reader.optional_boolean("making");
  if (!making) return fail(making);
  const auto encodings = reader.array("encodings");
  if (!encodings) return fail(encodings);
  EncodingOffers offers;
  offers.making = making->value_or(false);
  for (const Json& one : **encodings) {
    if (!one.is_object()) return fail(ErrorCode::invalid_argument, "an encoding is an object", "/encodings");
    const JsonReader of_one(one.get_object(), "/encodings");
    const auto word = of_one.string("encoding", 32);
    if (!word) return fail(word);
    const auto encoding = parse_encoding(*word);
    if (!encoding || *encoding == Encoding::plain) continue;
    auto offer = offer_from(of_one, *encoding);
    if (!offer) return fail(offer);
    offers.ready.push_back(*offer);
  }
  return offers;
}

}  // namespace starling::protocol
