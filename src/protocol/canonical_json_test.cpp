#include "protocol/canonical_json.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>

#include "protocol/parsed_json.hpp"

namespace starling::protocol {
namespace {

struct Number {
  std::uint64_t bits;
  const char* text;
};

// RFC 8785 appendix B.
constexpr Number numbers[] = {
    {0x0000000000000000, "0"},
    {0x8000000000000000, "0"},
    {0x0000000000000001, "5e-324"},
    {0x8000000000000001, "-5e-324"},
    {0x7fefffffffffffff, "1.7976931348623157e+308"},
    {0xffefffffffffffff, "-1.7976931348623157e+308"},
    {0x4340000000000000, "9007199254740992"},
    {0xc340000000000000, "-9007199254740992"},
    {0x4430000000000000, "295147905179352830000"},
    {0x44b52d02c7e14af5, "9.999999999999997e+22"},
    {0x44b52d02c7e14af6, "1e+23"},
    {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
    {0x444b1ae4d6e2ef4e, "999999999999999700000"},
    {0x444b1ae4d6e2ef4f, "999999999999999900000"},
    {0x444b1ae4d6e2ef50, "1e+21"},
    {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
    {0x3eb0c6f7a0b5ed8d, "0.000001"},
    {0x41b3de4355555553, "333333333.3333332"},
    {0x41b3de4355555554, "333333333.33333325"},
    {0x41b3de4355555555, "333333333.3333333"},
    {0x41b3de4355555556, "333333333.3333334"},
    {0x41b3de4355555557, "333333333.33333343"},
    {0xbecbf647612f3696, "-0.0000033333333333333333"},
    {0x43143ff3c1cb0959, "1424953923781206.2"},
};

TEST(CanonicalJson, WritesTheNumbersOfTheRfc) {
  for (const Number& number : numbers) {
    EXPECT_EQ(canonical_json(Json(std::bit_cast<double>(number.bits))), number.text);
  }
}

TEST(CanonicalJson, WritesIntegersLikeTheDoublesThatTheyAre) {
  EXPECT_EQ(canonical_json(Json(std::int64_t{9007199254740992})), "9007199254740992");
  EXPECT_EQ(canonical_json(Json(std::int64_t{9007199254740993})), "9007199254740992");
  EXPECT_EQ(canonical_json(Json(std::int64_t{-9223372036854775807} - 1)), "-9223372036854776000");
  EXPECT_EQ(canonical_json(Json(std::uint64_t{18446744073709551615u})), "18446744073709552000");
  EXPECT_EQ(canonical_json(Json(5.0)), "5");
  EXPECT_EQ(canonical_json(Json(-5)), "-5");
}

// RFC 8785 section 3.2.2.
TEST(CanonicalJson, WritesTheObjectOfTheRfc) {
  const Json value = parsed(R"({
    "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
    "literals": [null, true, false]})");
  EXPECT_EQ(canonical_json(value),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],"
            "\"string\":\"\xE2\x82\xAC$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}");
}

// RFC 8785 section 3.2.3: a surrogate pair comes before U+FB33.
TEST(CanonicalJson, SortsKeysByTheirUtf16CodeUnits) {
  const Json value =
      parsed(R"({"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
    "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"})");
  EXPECT_EQ(
      canonical_json(value),
      "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\xC2\x80\":\"Control\","
      "\"\xC3\xB6\":\"Latin Small Letter O With Diaeresis\",\"\xE2\x82\xAC\":\"Euro Sign\","
      "\"\xF0\x9F\x98\x80\":\"Emoji: Grinning Face\",\"\xEF\xAC\xB3\":\"Hebrew Letter Dalet With Dagesh\"}");
}

TEST(CanonicalJson, SortsAPrefixFirstAndEmptyKeysBeforeAll) {
  EXPECT_EQ(canonical_json(parsed(R"({"ab":1,"a":2,"":3,"aa":4})")), R"({"":3,"a":2,"aa":4,"ab":1})");
}

TEST(CanonicalJson, EscapesOnlyWhatMustBe) {
  EXPECT_EQ(canonical_json(Json("\b\t\n\f\r\x01\x1f\"\\/\x7f")),
            "\"\\b\\t\\n\\f\\r\\u0001\\u001f\\\"\\\\/\x7f\"");
  EXPECT_EQ(canonical_json(Json("")), "\"\"");
}

TEST(CanonicalJson, ReadsBackAsTheSameDouble) {
  std::mt19937_64 random(20'261'120);
  for (int i = 0; i < 50'000; ++i) {
    const auto value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = canonical_json(Json(value));
    ASSERT_EQ(parsed(text).to_number<double>(), value) << text;
    ASSERT_EQ(canonical_json(parsed(text)), text);
  }
}

TEST(CanonicalJson, HashesTheText) {
  EXPECT_EQ(hash_of(parsed("{ }")).hex(), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
  EXPECT_EQ(hash_of(parsed(R"({"b":1.0,"a":2})")), hash_of(parsed(R"({"a":2,"b":1})")));
}

}  // namespace
}  // namespace starling::protocol
