#include "protocol/tuf/canonical_form.hpp"

#include <gtest/gtest.h>

namespace starling::protocol::tuf {
namespace {

TEST(CanonicalForm, IsThatOfOlpc) {
  const std::pair<const char*, const char*> cases[] = {
      {R"( { "b" : 1 , "a" : [ true , false , null ] } )", R"({"a":[true,false,null],"b":1})"},
      {R"({"\u00e9":1,"z":2,"Z":3,"\uffff":4,"\ud83d\ude00":5})",
       "{\"Z\":3,\"z\":2,\"\xc3\xa9\":1,\"\xef\xbf\xbf\":4,\"\xf0\x9f\x98\x80\":5}"},
      {R"("quote \" backslash \\ slash \/")", R"("quote \" backslash \\ slash /")"},
      {R"("line\nend \t \u0001")", "\"line\nend \t \x01\""},  // nothing else is escaped
      {"-0", "0"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"18446744073709551615", "18446744073709551615"},
      {"[]", "[]"},
      {"{}", "{}"},
      {R"({"":""})", R"({"":""})"},
  };
  for (const auto& [json, form] : cases)
    EXPECT_EQ(canonical_form(parse_json(json).value()).value(), form) << json;
}

TEST(CanonicalForm, DoesNotExistForOtherNumbers) {
  for (const char* json : {"1.5", "1.0", "1e3", "[1,{\"a\":0.1}]", "18446744073709551616"}) {
    const auto form = canonical_form(parse_json(json).value());
    ASSERT_FALSE(form) << json;
    EXPECT_EQ(form.error().code, ErrorCode::invalid_argument) << json;
  }
}

}  // namespace
}  // namespace starling::protocol::tuf
