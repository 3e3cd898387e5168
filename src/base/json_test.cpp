#include "base/json.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace starling {
namespace {

std::string nested(std::size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

struct BadJson {
  const char* name;
  std::string text;
  std::string message;  // a part of it
  ErrorCode code = ErrorCode::invalid_argument;
};

TEST(ParseJson, RefusesWhatIsNotStrict) {
  const BadJson cases[] = {
      {"empty", "", "at byte 0"},
      {"cut short", R"({"a":)", "at byte 5"},
      {"two documents", "{} {}", "at byte 3"},
      {"trailing comma", R"({"a":1,})", "at byte 7"},
      {"comment", "/* */ 1", "at byte 0"},
      {"leading zero", "01", "at byte 1"},
      {"bare word", "nul", "at byte 3"},
      {"not a number", "NaN", "at byte 0"},
      {"too large a number", "1e999", "exponent"},
      {"control character", "\"\x01\"", "at byte 1"},
      {"overlong UTF-8", "\"\xc0\xaf\"", "at byte 1"},
      {"surrogate in UTF-8", "\"\xed\xa0\x80\"", "at byte"},
      {"cut UTF-8", "\"\xe2\x82\"", "at byte"},
      {"lone surrogate escape", R"("\ud800")", "at byte"},
      {"lone trailing surrogate", R"("\udc00")", "at byte"},
      {"too deep", nested(33), "deeper than 32"},
      {"far too deep", std::string(100'000, '['), "deeper than 32"},
      {"duplicate key", R"({"a":1,"b":2,"a":3})", "at byte 15: the key 'a' occurs twice"},
      {"duplicate key deep inside", R"([{"x":{"k":1,"k":{"z":1}}}])", "the key 'k' occurs twice"},
      {"duplicate key by escapes", R"({"a":1,"\u0061":2})", "the key 'a' occurs twice"},
      {"too many bytes", std::string((1u << 20) + 1, ' '), "at most 1048576", ErrorCode::too_large},
  };
  for (const BadJson& bad : cases) {
    SCOPED_TRACE(bad.name);
    const Result<Json> parsed = parse_json(bad.text);
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, bad.code);
    EXPECT_NE(parsed.error().message.find(bad.message), std::string::npos) << parsed.error().message;
  }
}

TEST(ParseJson, ReadsNumbersExactly) {
  for (const char* text :
       {"1.3927926388013963e-143", "5.409760742964738e+124", "13510.934950285713", "105864.95964999999",
        "0.30000000000000004", "5e-324", "1.7976931348623157e+308", "2.2250738585072014e-308",
        "333333333.33333329", "18446744073709551616", "-0.1", "1e-400"}) {
    SCOPED_TRACE(text);
    const double exact = std::strtod(text, nullptr);
    const Result<Json> alone = parse_json(text);
    ASSERT_TRUE(alone);
    EXPECT_EQ(alone->to_number<double>(), exact);
    const Result<Json> inside = parse_json("[" + std::string(text) + ",1]");
    ASSERT_TRUE(inside);
    EXPECT_EQ(inside->at(0).to_number<double>(), exact);
  }
}

TEST(ParseJson, TakesWhatIsStrict) {
  for (const std::string& text :
       {std::string("null"), std::string(" 1 "), std::string("-0.5e-3"), std::string("18446744073709551615"),
        nested(32), std::string(R"({"a":{"a":{"a":1}}})"), std::string(R"("\ud83d\ude00")")}) {
    SCOPED_TRACE(text);
    EXPECT_TRUE(parse_json(text));
  }
  const Result<Json> parsed = parse_json(R"({"text":"käse","list":[1,2.5,true,null],"more":{}})");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(boost::json::serialize(*parsed), R"({"text":"käse","list":[1,2.5E0,true,null],"more":{}})");
}

TEST(ParseJson, KeepsLongKeysAndStringsWhole) {
  const std::string key(10'000, 'k');
  const std::string text(50'000, 't');
  const Result<Json> parsed = parse_json("{\"" + key + "\":\"" + text + "\"}");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->at(key).as_string(), text);
}

class JsonReaderTest : public testing::Test {
 protected:
  const Json document_ = parse_json(R"({"name":"toy","count":3,"whole":5.0,"half":0.5,"on":true,"off":null,
                                        "part":{"a/b":1},"list":[1],"huge":18446744073709551615})")
                             .value();
  const JsonReader reader_{document_.get_object()};
};

TEST_F(JsonReaderTest, ReadsFields) {
  EXPECT_EQ(reader_.string("name").value(), "toy");
  EXPECT_EQ(reader_.integer("count").value(), 3);
  EXPECT_EQ(reader_.integer("whole").value(), 5);
  EXPECT_TRUE(reader_.boolean("on").value());
  EXPECT_EQ(reader_.array("list").value()->size(), 1u);
  EXPECT_EQ(reader_.object("part").value()->size(), 1u);
  EXPECT_EQ(reader_.optional_string("name").value(), "toy");
  EXPECT_EQ(reader_.optional_integer("count").value(), 3);
  EXPECT_EQ(reader_.optional_boolean("on").value(), true);
  for (const char* key : {"off", "absent"}) {
    EXPECT_EQ(reader_.optional_string(key).value(), std::nullopt);
    EXPECT_EQ(reader_.optional_integer(key).value(), std::nullopt);
    EXPECT_EQ(reader_.optional_boolean(key).value(), std::nullopt);
    EXPECT_EQ(reader_.optional_object(key).value(), nullptr);
    EXPECT_EQ(reader_.optional_array(key).value(), nullptr);
  }
}

TEST_F(JsonReaderTest, SaysWhichFieldIsWrongAndHow) {
  const auto expect = [](const auto& result, std::string_view field, std::string_view message) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(result.error().field, field);
    EXPECT_EQ(result.error().message, message);
  };
  expect(reader_.string("absent"), "/absent", "'absent' is missing");
  expect(reader_.string("count"), "/count", "'count' must be a string, not int64");
  expect(reader_.string("off"), "/off", "'off' must be a string, not null");
  expect(reader_.string("name", 2), "/name", "'name' has 3 bytes, at most 2 are taken");
  expect(reader_.integer("half"), "/half", "'half' must be an integer, not double");
  expect(reader_.integer("huge"), "/huge", "'huge' must be an integer, not uint64");
  expect(reader_.boolean("count"), "/count", "'count' must be true or false, not int64");
  expect(reader_.object("list"), "/list", "'list' must be an object, not array");
  expect(reader_.array("part"), "/part", "'part' must be an array, not object");
  expect(reader_.optional_boolean("name"), "/name", "'name' must be true or false, not string");
  expect(reader_.optional_integer("name"), "/name", "'name' must be an integer, not string");
  expect(JsonReader(document_.at("part").get_object(), "/part").only({"b"}), "/part/a~1b",
         "'a/b' is not known here");
  EXPECT_TRUE(JsonReader(document_.at("part").get_object(), "/part").only({"a/b", "c"}));
}

}  // namespace
}  // namespace starling
