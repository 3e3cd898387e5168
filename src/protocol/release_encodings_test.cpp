#include "protocol/release_encodings.hpp"

#include <gtest/gtest.h>

namespace starling::protocol {
namespace {

TEST(ReleaseEncodings, AreReadAsTheyAreWritten) {
  const EncodingOffers offers{
      {{Encoding::delta, 67'252, sha256("a")}, {Encoding::packed, 1'099'064, sha256("b")}}, true};
  EXPECT_EQ(parse_encoding_offers(boost::json::serialize(to_json(offers))).value(), offers);
  EXPECT_EQ(parse_encoding_offers(R"({"encodings":[]})").value(), EncodingOffers{});
}

TEST(ReleaseEncodings, OfANewerHubArePassedOver) {
  const std::string hash = sha256("a").hex();
  const auto offers = parse_encoding_offers(R"({"encodings":[{"encoding":"brotli"},{"encoding":"plain"},
          {"encoding":"packed","length":3,"sha256":")" +
                                            hash + R"(","more":1}],"more":[]})");
  ASSERT_TRUE(offers) << offers.error().message;
  EXPECT_EQ(offers->ready, (std::vector<EncodingOffer>{{Encoding::packed, 3, sha256("a")}}));
}

TEST(ReleaseEncodings, WhatIsWrongIsRefused) {
  const std::string hash = sha256("a").hex();
  const auto with = [](const std::string& one) { return R"({"encodings":[)" + one + "]}"; };
  for (const std::string& bad :
       {std::string("[]"), std::string("{}"), std::string(R"({"encodings":{}})"), with("1"), with("{}"),
        with(R"({"encoding":"delta","length":0,"sha256":")" + hash + "\"}"),
        with(R"({"encoding":"delta","length":-1,"sha256":")" + hash + "\"}"),
        with(R"({"encoding":"delta","length":9007199254740993,"sha256":")" + hash + "\"}"),
        with(R"({"encoding":"delta","length":1,"sha256":""})"),
        with(R"({"encoding":"delta","length":1,"sha256":"xyz"})"),
        std::string(R"({"encodings":[],"making":1})"), std::string(20'000, ' ')})
    EXPECT_FALSE(parse_encoding_offers(bad)) << bad;
}

}  // namespace
}  // namespace starling::protocol
